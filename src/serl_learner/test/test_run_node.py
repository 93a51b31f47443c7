import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import rclpy
from rclpy.node import Node

from serl_learner.config import ConfigError
from serl_learner.domain import acquire_domain
from serl_learner.qos import POLICY
from serl_learner.run_node import claim_role, spinning
from serl_msgs.msg import PolicyWeights

pytestmark = pytest.mark.ros

SCRIPT = """
import sys, threading, time
from rclpy.node import Node
from serl_learner.config import ConfigError
from serl_learner.run_node import run_node

class Tried(Node):
    def __init__(self):
        super().__init__("tried")
        self.create_timer(0.01, self.on_timer)
    def on_timer(self):
        {callback}
    def run(self, stop):
        print("ready", flush=True)
        {work}
    def destroy_node(self):
        super().destroy_node()
        print("destroyed", flush=True)

sys.exit(run_node(Tried))
"""


@pytest.fixture
def start(monkeypatch):
    with acquire_domain() as domain:
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain.number))

        def start(work, callback="pass"):
            script = SCRIPT.format(work=work, callback=callback)
            return subprocess.Popen(
                [sys.executable, "-c", script],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        yield start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(start, number):
    process = start("stop.wait()")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "destroyed\n", "")


def test_a_second_signal_ends_it_at_once(start):
    process = start("stop.wait(); print('stopping', flush=True); time.sleep(100)")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (128 + signal.SIGINT, "")


@pytest.mark.parametrize(
    ("work", "code", "told"),
    [
        ("pass", 0, ""),
        ("raise ConfigError('task.yaml: a: expected b, got c')", 2, "expected b, got c\n"),
        ("raise OSError(28, 'cannot be written', '/a/log.mcap')", 2, "'/a/log.mcap'\n"),
        ("raise RuntimeError('a fault')", 1, "RuntimeError: a fault\n"),
    ],
)
def test_exit_codes(start, work, code, told):
    process = start(work)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (code, "ready\ndestroyed\n")
    assert errors.endswith(told)
    assert (errors.count("\n") > 1) == ("Traceback" in errors) == ("RuntimeError" in work)


def test_an_error_in_a_callback_ends_it_too(start):
    process = start("stop.wait()", callback="raise RuntimeError('in a callback')")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "RuntimeError: in a callback\n" in errors
    assert os.fspath(__file__) not in errors


TWO = """
import sys
from rclpy.node import Node
from serl_learner.config import ConfigError
from serl_learner.run_node import run_node

class Tried(Node):
    def __init__(self, name):
        super().__init__(name)
    def run(self, stop):
        if self.get_name() == "{failing}":
            raise ConfigError("no more")
        stop.wait()
        print(self.get_name(), "stopped", flush=True)

sys.exit(run_node(lambda: Tried("first"), lambda: Tried("second")))
"""


@pytest.mark.parametrize(("failing", "other"), [("first", "second"), ("second", "first")])
def test_of_two_nodes_the_error_of_one_stops_the_other(monkeypatch, failing, other):
    with acquire_domain() as domain:
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain.number))
        script = [sys.executable, "-c", TWO.format(failing=failing)]
        done = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (2, f"{other} stopped\n", "no more\n")


def test_a_role_belongs_to_the_agent_of_an_absolute_topic(monkeypatch, make_node):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    first, second = make_node("actor"), make_node("other")
    claim = claim_role(first, "an actor 'actor'", "/left/transitions", "actor")
    with pytest.raises(ConfigError, match=r"^agent /left already has an actor 'actor' in"):
        claim_role(second, "an actor 'actor'", "/left/transitions", "actor")
    claim_role(second, "an actor 'actor'", "/right/transitions", "actor").release()
    claim_role(second, "an actor 'actor'", "transitions", "actor").release()  # of /agent
    claim.release()


@pytest.fixture
def make_node():
    """Makes nodes of a domain of their own, each in a context of its own, as in two processes."""
    contexts = []
    with acquire_domain() as domain:

        def make(name):
            contexts.append(rclpy.Context())
            rclpy.init(context=contexts[-1], domain_id=domain.number)
            return Node(name, namespace="agent", context=contexts[-1])

        yield make
        for context in contexts:
            rclpy.try_shutdown(context=context)


def test_an_end_amid_a_callback_is_no_fault(make_node):
    context = make_node("first").context
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that, one time in ten, the end falls where it used to hurt
    try:
        for _ in range(100):
            busy = Node("busy", context=context, enable_rosout=False)
            busy.create_timer(1e-6, lambda: None)
            with spinning(busy, threading.Event()):
                time.sleep(0.002)
    finally:
        sys.setswitchinterval(interval)


def test_a_role_is_taken_once_on_this_machine(monkeypatch, make_node):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    first, second = make_node("learner"), make_node("other")
    claim = claim_role(first, "a learner", "policy")
    expected = f"^agent /agent already has a learner in ROS domain .*: process {os.getpid()}$"
    with pytest.raises(ConfigError, match=expected):
        claim_role(second, "a learner", "policy")
    claim_role(second, "an actor 'other'", "transitions", "other").release()
    claim.release()
    claim_role(second, "a learner", "policy").release()


def test_a_role_is_taken_once_in_the_network(monkeypatch, make_node):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    monkeypatch.setattr("serl_learner.run_node.DISCOVERY_S", 30.0)
    first, second = make_node("learner"), make_node("other")
    first.create_publisher(PolicyWeights, "policy", POLICY)
    with pytest.raises(ConfigError, match=r"already has a learner .*: on another machine$"):
        claim_role(second, "a learner", "policy")
    with pytest.raises(ConfigError, match=r"already has an actor .*: on another machine$"):
        claim_role(second, "an actor 'learner'", "policy", "learner")
    monkeypatch.setattr("serl_learner.run_node.DISCOVERY_S", 0.2)
    claim_role(second, "an actor 'other'", "policy", "other").release()
