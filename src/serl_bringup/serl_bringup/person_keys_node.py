"""A person's keys: labels and confirmations, and the arm's motion while they correct the policy."""

import threading
from collections.abc import Sequence

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool, Empty

from serl_actor.devices import KEYBOARD_TOPIC
from serl_actor.teleoperation import Command
from serl_bringup.keys import FAILURE, SPACE, Keys
from serl_bringup.steering import Steering
from serl_learner.qos import COMMAND

PERIOD_S = 0.05  # longest wait for a key, so that the end is seen; and between two Joy


class PersonKeys:
    """Publishes what is pressed while this context is open.

    Each agent of `labelled` gets `reward/label`: SPACE is a success, F a failure. A namespace in
    `resets` gets `reset/confirm` by SPACE, which counts only while it is asked for. With `steers`,
    KEYBOARD_TOPIC says at 20 Hz where the arm is wanted to move. Raises ConfigError where there is
    no terminal to press keys in.
    """

    def __init__(self, labelled: Sequence[str], resets: Sequence[str] = (), steers: bool = False):
        self._labelled, self._resets, self._steers = labelled, resets, steers
        self._keys = Keys()
        self._over = threading.Event()

    def __enter__(self) -> "PersonKeys":
        self._keys.__enter__()
        self._node = node = Node("person")
        self._labels = [
            node.create_publisher(Bool, f"/{agent}/reward/label", COMMAND)
            for agent in self._labelled
        ]
        self._confirms = [
            node.create_publisher(Empty, f"{namespace}/reset/confirm", COMMAND)
            for namespace in self._resets
        ]
        self._joy = None
        if self._steers:
            self._joy = node.create_publisher(Joy, KEYBOARD_TOPIC, qos_profile_sensor_data)
        self._thread = threading.Thread(target=self._read, name="person keys", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._over.set()
        self._thread.join()
        self._node.destroy_node()
        self._keys.__exit__(*details)

    def _read(self) -> None:
        steering = Steering()
        while not self._over.is_set():
            keys = self._keys.pressed(PERIOD_S)
            for key in keys:
                self._publish(key)
            steering.press(keys)
            if self._joy:
                self._joy.publish(joy(steering.command()))

    def _publish(self, key: int) -> None:
        if key in SPACE or key in FAILURE:
            for label in self._labels:
                label.publish(Bool(data=key in SPACE))
        if key in SPACE:
            for confirm in self._confirms:
                confirm.publish(Empty())


def joy(command: Command) -> Joy:
    """A command as axes (6,) and as the buttons that close and open."""
    buttons = [int(command.gripper < 0), int(command.gripper > 0)]
    return Joy(axes=command.twist.tolist(), buttons=buttons)
