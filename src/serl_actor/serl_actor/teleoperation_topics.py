"""Devices that speak over ROS topics: a gamepad, the keyboard, or whatever sends a Twist."""

import threading
import time
from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Twist
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Joy
from std_msgs.msg import Float64

from serl_actor.faults import Fault
from serl_actor.teleoperation import Command

# A driver of a gamepad repeats what it says at 20 Hz (joy_node). One that is silent for longer than
# this has lost it.
SILENT_S = 0.5
RELEASED_S = 0.3  # after its last Twist a sender that sends only while it moves is at rest


class JoySource:
    """Of sensor_msgs/Joy: the numbers of its axes and buttons are as in InterventionConfig."""

    def __init__(self, node: Node, topic: str, axes: Sequence[int], buttons: Sequence[int]):
        self._name = f"intervention.device: {topic}"
        self._axes, self._buttons = axes, buttons
        self._newest: tuple[float, Joy] | None = None  # when it came, and it
        self._node = node
        self._subscription = node.create_subscription(
            Joy, topic, self._on_joy, qos_profile_sensor_data
        )

    def read(self) -> Command:
        newest = self._newest
        if newest is None or time.monotonic() - newest[0] > SILENT_S:
            raise Fault(f"{self._name}: expected a message every {SILENT_S} s, got none")
        axes, buttons = newest[1].axes, newest[1].buttons
        if len(axes) <= max(self._axes) or len(buttons) <= max(self._buttons):
            wanted = f"axes up to number {max(self._axes)}, buttons up to {max(self._buttons)}"
            raise Fault(f"{self._name}: expected {wanted}, got {len(axes)} and {len(buttons)}")
        twist = np.array([axes[i] for i in self._axes], np.float64)
        if not np.isfinite(twist).all():
            raise Fault(f"{self._name}: expected finite axes, got {list(axes)}")
        closes, opens = (buttons[i] for i in self._buttons)
        return Command(np.clip(twist, -1.0, 1.0), float(opens) - float(closes))

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _on_joy(self, message: Joy) -> None:
        self._newest = time.monotonic(), message


class TwistSource:
    """Of geometry_msgs/Twist in the base frame; `full` are the m/s and rad/s of a full action.

    Beside it TOPIC/gripper, a std_msgs/Float64: -1 closes, 1 opens, once per message.
    """

    def __init__(self, node: Node, topic: str, full: tuple[float, float]):
        self._topic, self._node = topic, node
        self._full = np.repeat(full, 3)
        self._came_at, self._twist = -np.inf, np.zeros(6)
        self._gripper = 0.0
        self._lock = threading.Lock()
        self._subscriptions = [
            node.create_subscription(kind, name, callback, qos_profile_sensor_data)
            for kind, name, callback in (
                (Twist, topic, self._on_twist),
                (Float64, f"{topic}/gripper", self._on_gripper),
            )
        ]

    def read(self) -> Command:
        if self._node.count_publishers(self._topic) == 0:
            raise Fault(f"intervention.device: expected a publisher of {self._topic}, got none")
        with self._lock:
            gripper, self._gripper = self._gripper, 0.0
            is_moved = time.monotonic() - self._came_at <= RELEASED_S
            twist = self._twist if is_moved else np.zeros(6)
        if not np.isfinite(twist).all():
            raise Fault(f"intervention.device: {self._topic}: expected finite numbers, got {twist}")
        return Command(np.clip(twist / self._full, -1.0, 1.0), gripper)

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _on_twist(self, message: Twist) -> None:
        linear, angular = message.linear, message.angular
        twist = np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])
        with self._lock:
            self._came_at, self._twist = time.monotonic(), twist

    def _on_gripper(self, message: Float64) -> None:
        with self._lock:
            self._gripper = float(np.sign(message.data)) if np.isfinite(message.data) else 0.0
