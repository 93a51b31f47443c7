"""Keys in a terminal become labels, and confirmations, on their topics."""

import os
import pty
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from running import wait_until
from serl_command import command, environment
from std_msgs.msg import Bool, Empty
from terminal import Terminal

from serl_actor.reset import ResetConfig
from serl_bringup import keys
from serl_bringup.person_keys_node import person_keys
from serl_bringup.task import load_task
from serl_learner.config import ConfigError
from serl_learner.qos import COMMAND
from serl_reward.config import RewardConfig

pytestmark = pytest.mark.ros

LABEL, CONFIRM = "/agent/reward/label", "/agent/reset/confirm"


class Listener(Node):
    def __init__(self):
        super().__init__("listener")
        self.labels: list[bool] = []
        self.confirmed = 0
        self.create_subscription(Bool, LABEL, lambda label: self.labels.append(label.data), COMMAND)
        self.create_subscription(Empty, CONFIRM, self._on_confirm, COMMAND)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def wait_for(self, heard: Callable[[], object]) -> None:
        def spun() -> bool:
            self._executor.spin_once(timeout_sec=0.2)
            return bool(heard())

        wait_until(spun, lambda: f"a key, after labels {self.labels}, {self.confirmed} confirmed")

    def close(self) -> None:
        self._executor.shutdown()
        self.destroy_node()

    def _on_confirm(self, _: Empty) -> None:
        self.confirmed += 1


@pytest.fixture
def listener(statuses) -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def check_keys(listener: Listener, press: Callable[[bytes], object]) -> None:
    """Presses again and again: whoever publishes has to find who listens."""
    listener.wait_for(lambda: press(b"x ") or (listener.labels and listener.confirmed))
    assert all(listener.labels)  # X is no key
    listener.wait_for(lambda: press(b"f") or not all(listener.labels))


def test_space_is_a_success_and_confirms_and_f_is_a_failure(listener, monkeypatch):
    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal):
        monkeypatch.setattr(keys, "TERMINAL", os.ttyname(terminal))
        with person_keys(["agent"], ["agent"]):
            check_keys(listener, lambda key: os.write(keyboard, key) < 0)
    os.close(keyboard)


def test_a_run_that_ros2_launch_started_hears_another_terminal(listener, tmp_path):
    task = load_task("gymnasium", environment_id="Pendulum-v1")
    asks = {"reset": ResetConfig(source="person"), "reward": RewardConfig(source="human")}
    replace(task, **asks).save(tmp_path / "config.yaml")
    domain = {"ROS_DOMAIN_ID": os.environ["ROS_DOMAIN_ID"]}
    terminal = Terminal(command("keys", tmp_path), environment() | domain)
    try:
        terminal.shows("press SPACE when everything is put back")
        check_keys(listener, terminal.press)
        terminal.press(b"\x03")  # Ctrl-C
        assert terminal.ends() == 130, terminal.text
        assert "Traceback" not in terminal.text
    finally:
        terminal.close()


def test_without_a_terminal_it_is_said(ros_domain, monkeypatch):
    monkeypatch.setattr(keys, "TERMINAL", "/dev/none")
    with (
        pytest.raises(ConfigError, match="keys: expected a terminal to press them in"),
        person_keys(["agent"]),
    ):
        pass
