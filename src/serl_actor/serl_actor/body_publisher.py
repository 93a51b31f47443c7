"""Tells whoever watches a simulation where its bodies are. Part of a node.

A sensor_msgs/MultiDOFJointState has names and transforms: of each body as if it floated freely.
"""

import time
from collections.abc import Callable

import gymnasium as gym
import numpy as np
from geometry_msgs.msg import Transform
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import MultiDOFJointState

from serl_learner.codec import to_time

TOPIC = "/simulated_bodies"
PERIOD_S = 0.1
Poses = dict[str, np.ndarray]  # by body, (7,): position (m), quaternion (xyzw); base frame


class BodyPublisher:
    """Costs a look at the clock, and ten times a second whether anybody listens."""

    def __init__(self, node: Node, body_poses: Callable[[], Poses]):
        self._body_poses = body_poses
        self._publisher = node.create_publisher(MultiDOFJointState, TOPIC, qos_profile_sensor_data)
        self._due_s = 0.0

    def publish(self) -> None:
        """Ten times a second at most, however often it is called."""
        now = time.monotonic()
        if now < self._due_s:
            return
        self._due_s = now + PERIOD_S
        if self._publisher.get_subscription_count():
            self._publisher.publish(encode_bodies(self._body_poses(), time.time_ns()))


def has_bodies(environment: gym.Env) -> bool:
    """Whether it tells where the bodies of its simulation are."""
    return hasattr(environment.unwrapped, "body_poses")


def encode_bodies(poses: Poses, stamp_ns: int) -> MultiDOFJointState:
    message = MultiDOFJointState(joint_names=list(poses))
    message.header.stamp, message.header.frame_id = to_time(stamp_ns), "base"
    message.transforms = [_transform(pose) for pose in poses.values()]
    return message


def decode_bodies(message: MultiDOFJointState) -> Poses:
    poses = [_pose(transform) for transform in message.transforms]
    return dict(zip(message.joint_names, poses, strict=False))


def _transform(pose: np.ndarray) -> Transform:
    message = Transform()
    p, q = message.translation, message.rotation
    p.x, p.y, p.z, q.x, q.y, q.z, q.w = pose.tolist()
    return message


def _pose(message: Transform) -> np.ndarray:  # (7,)
    p, q = message.translation, message.rotation
    return np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
