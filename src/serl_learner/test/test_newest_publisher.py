"""Over real middleware, with a reader whose process is stopped: nothing arrives there meanwhile."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rclpy

from serl_learner.discovery import local_discovery
from serl_learner.domain import acquire_domain
from serl_learner.newest_publisher import PATIENCE_S, NewestPublisher
from serl_learner.qos import POLICY
from serl_msgs.msg import PolicyWeights

pytestmark = pytest.mark.ros

READER = """
import rclpy
from serl_learner.qos import POLICY
from serl_msgs.msg import PolicyWeights
rclpy.init()
node = rclpy.create_node("reader")
take = lambda message: print(message.version, flush=True)
node.create_subscription(PolicyWeights, "policy", take, POLICY)
rclpy.spin(node)
"""


@pytest.fixture
def publisher(monkeypatch):
    with acquire_domain() as domain:
        for name, value in {**local_discovery(), "ROS_DOMAIN_ID": str(domain.number)}.items():
            monkeypatch.setenv(name, value)
        context = rclpy.Context()
        rclpy.init(context=context)
        node = rclpy.create_node("writer", context=context)
        yield node.create_publisher(PolicyWeights, "policy", POLICY)
        node.destroy_node()
        rclpy.try_shutdown(context=context)


@pytest.fixture
def reader(publisher):
    process = subprocess.Popen([sys.executable, "-c", READER], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def poll_until_sent(newest, version, reader):
    """What the reader prints next, while `newest` is asked to send."""
    newest.put(PolicyWeights(version=version))
    deadline = time.monotonic() + 30.0
    while newest.waits and time.monotonic() < deadline:
        newest.poll()
        time.sleep(0.01)
    return reader.stdout.readline().strip()


def test_the_newest_goes_when_the_one_before_has_arrived_or_is_given_up(publisher, reader):
    now = 100.0
    newest = NewestPublisher(publisher, clock=lambda: now)
    assert poll_until_sent(newest, 1, reader) == "1"
    assert poll_until_sent(newest, 2, reader) == "2"  # the clock stands: 1 has arrived
    reader.send_signal(signal.SIGSTOP)
    stat = Path("/proc", str(reader.pid), "stat")
    while stat.read_text().split()[2] != "T":
        time.sleep(0.01)
    newest.put(PolicyWeights(version=3))  # nothing is on its way
    newest.put(PolicyWeights(version=4))
    newest.put(PolicyWeights(version=5))
    assert newest.waits
    now += PATIENCE_S
    newest.poll()  # 3 is given up
    assert not newest.waits
    reader.send_signal(signal.SIGCONT)
    versions = [poll_until_sent(newest, 6, reader)]
    while versions[-1] != "6":
        versions.append(reader.stdout.readline().strip())
    assert "4" not in versions  # 5 took its place
