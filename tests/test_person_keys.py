"""Keys in a terminal become labels, and confirmations, on their topics."""

import os
import pty

import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from running import wait_until
from std_msgs.msg import Bool, Empty

from serl_bringup import keys
from serl_bringup.person_keys_node import PersonKeys
from serl_learner.config import ConfigError
from serl_learner.qos import COMMAND

pytestmark = pytest.mark.ros


def test_space_is_a_success_and_f_a_failure(statuses, monkeypatch):
    received, confirmed = [], []
    node = Node("listener", namespace="agent")
    subscriptions = [
        node.create_subscription(
            Bool, "reward/label", lambda message: received.append(message.data), COMMAND
        ),
        node.create_subscription(Empty, "/reset/confirm", confirmed.append, COMMAND),
    ]
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal):
        monkeypatch.setattr(keys, "TERMINAL", os.ttyname(terminal))
        with PersonKeys(["agent"], [""]):
            for topic in ("reward/label", "/reset/confirm"):
                wait_until(lambda topic=topic: node.count_publishers(topic) > 0, lambda: "it")
            for key, expected in ((b" ", True), (b"f", False), (b"x", None), (b"F", False)):
                before = len(received)
                os.write(keyboard, key)
                if expected is None:
                    continue

                def arrived(before=before) -> bool:
                    executor.spin_once(timeout_sec=0.1)
                    return len(received) > before and len(confirmed) == received.count(True)

                wait_until(arrived, lambda: "a label")
                assert received[-1] is expected
    os.close(keyboard)
    executor.shutdown()
    for subscription in subscriptions:
        node.destroy_subscription(subscription)
    node.destroy_node()
    assert received == [True, False, False] and len(confirmed) == 1


def test_without_a_terminal_it_is_said(monkeypatch):
    monkeypatch.setattr(keys, "TERMINAL", "/dev/none")
    with pytest.raises(ConfigError, match="keys: expected a terminal to press them in"):
        PersonKeys(["agent"]).__enter__()
