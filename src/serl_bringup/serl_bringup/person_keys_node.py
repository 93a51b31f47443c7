"""A person's keys: labels and confirmations, and the arm's motion while they correct the policy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool, Empty

from serl_actor.devices import KEYBOARD_TOPIC
from serl_actor.teleoperation import Command
from serl_bringup.keys import FAILURE, SPACE, listening
from serl_bringup.steering import Steering
from serl_learner.qos import COMMAND


@contextmanager
def person_keys(
    labelled: Sequence[str], resets: Sequence[str] = (), steers: bool = False
) -> Iterator[None]:
    """Publishes what is pressed while this context is open, in the domain of ROS_DOMAIN_ID.

    Each agent of `labelled` gets `reward/label`: SPACE is a success, F a failure. A namespace in
    `resets` gets `reset/confirm` by SPACE, which counts only while it is asked for. With `steers`,
    KEYBOARD_TOPIC says at 20 Hz where the arm is wanted to move. Raises ConfigError where there is
    no terminal to press keys in.
    """
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        person = _Person(labelled, resets, steers, context)
        with listening(person.publish):
            yield
    finally:
        rclpy.try_shutdown(context=context)


class _Person(Node):
    def __init__(
        self, labelled: Sequence[str], resets: Sequence[str], steers: bool, context: rclpy.Context
    ):
        super().__init__("person", context=context)
        self._labels = [
            self.create_publisher(Bool, f"/{agent}/reward/label", COMMAND) for agent in labelled
        ]
        self._confirms = [
            self.create_publisher(Empty, f"{namespace}/reset/confirm", COMMAND)
            for namespace in resets
        ]
        self._joy, self._steering = None, Steering()
        if steers:
            self._joy = self.create_publisher(Joy, KEYBOARD_TOPIC, qos_profile_sensor_data)

    def publish(self, keys: bytes) -> None:
        for key in keys:
            if key in SPACE or key in FAILURE:
                for label in self._labels:
                    label.publish(Bool(data=key in SPACE))
            if key in SPACE:
                for confirm in self._confirms:
                    confirm.publish(Empty())
        if self._joy:
            self._steering.press(keys)
            self._joy.publish(joy(self._steering.command()))


def joy(command: Command) -> Joy:
    """A command as axes (6,) and as the buttons that close and open."""
    buttons = [int(command.gripper < 0), int(command.gripper > 0)]
    return Joy(axes=command.twist.tolist(), buttons=buttons)
