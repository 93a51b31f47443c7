"""Hears the topics of a device while demonstrations are recorded, which needs no other node."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.node import Node

from serl_learner.run_node import spinning


@contextmanager
def listener() -> Iterator[Node]:
    """A node in the ROS domain of ROS_DOMAIN_ID, which spins in a thread."""
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = Node("teleoperation", context=context)
        with spinning(node, threading.Event()):
            yield node
    finally:
        rclpy.try_shutdown(context=context)
