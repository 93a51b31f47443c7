"""Sends transitions at a fixed rate, for the transport benchmark; and receives them."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sized
from contextlib import contextmanager

import numpy as np
import rclpy
from rclpy.duration import Duration
from rclpy.node import Node

from serl_learner.codec import decode_transition, encode_transition, to_nanoseconds
from serl_learner.qos import TRANSITIONS
from serl_learner.run_node import run_node, spinning
from serl_learner.transition import Transition
from serl_msgs import msg

RATE_HZ = 100.0  # ten times a robot's
ROBOT_RATE_HZ = 10.0
STATE_SIZE = 24
CAMERAS = ("wrist_1", "wrist_2")
IMAGE_SHAPE = (128, 128, 3)
TIMEOUT_S = 60.0  # of the sender
LAST_S = 2.0  # in which the last ones arrive, or are lost
SILENCE_S = 15.0  # the same over a network, which is longer than the sender waits for it


class SenderNode(Node):
    """Publishes `count` transitions, with images or without, once somebody listens."""

    def __init__(self):
        super().__init__("sender", namespace="agent")
        self._count = self.declare_parameter("count", 100).value
        self._images = self.declare_parameter("images", False).value
        self._period_s = 1.0 / self.declare_parameter("rate_hz", RATE_HZ).value
        self._publisher = self.create_publisher(msg.Transition, "transitions", TRANSITIONS)

    def run(self, stop: threading.Event) -> None:
        while self._publisher.get_subscription_count() == 0 and not stop.wait(0.01):
            pass
        start = time.monotonic()
        for sequence in range(self._count):
            stop.wait(max(start + sequence * self._period_s - time.monotonic(), 0.0))
            self._publisher.publish(encode_transition(_transition(sequence, self._images)))
        self._publisher.wait_for_all_acked(Duration(seconds=10))


class ReceiverNode(Node):
    """Takes what a sender sends; `latencies_s` are from before encoding to after decoding."""

    def __init__(self, **options):
        super().__init__("receiver", namespace="agent", **options)
        self.latencies_s: dict[int, float] = {}  # by sequence number
        self.create_subscription(msg.Transition, "transitions", self._on_transition, TRANSITIONS)

    def _on_transition(self, message: msg.Transition) -> None:
        transition = decode_transition(message)
        sent_ns = to_nanoseconds(message.observation.stamp)
        self.latencies_s[transition.sequence] = 1e-9 * (time.time_ns() - sent_ns)


def receive(count: int, images: bool) -> list[float]:
    """Latencies (s) of those that arrive of `count` transitions from a process that sends them."""
    with _receiving() as latencies_s:
        send(count, images, RATE_HZ, TIMEOUT_S)
        _wait_for(count, latencies_s, LAST_S)
        return list(latencies_s.values())


def receive_from_elsewhere(count: int) -> list[float]:
    """The same from another machine, where `send` is called; ends when nothing more comes."""
    with _receiving() as latencies_s:
        _wait_for(1, latencies_s, math.inf)
        _wait_for(count, latencies_s, SILENCE_S)
        return list(latencies_s.values())


def send(count: int, images: bool, rate_hz: float, timeout_s: float | None = None) -> None:
    """Sends transitions from a process of their own, as soon as somebody listens."""
    command = [sys.executable, "-m", "serl_bringup.transport_node", "--ros-args"]
    command += ["-p", f"count:={count}", "-p", f"images:={str(images).lower()}"]
    command += ["-p", f"rate_hz:={rate_hz}"]
    subprocess.run(command, check=True, timeout=timeout_s)


@contextmanager
def _receiving() -> Iterator[dict[int, float]]:
    """A receiver's `latencies_s`, as they come."""
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = ReceiverNode(context=context)
        with spinning(node, threading.Event()):
            yield node.latencies_s
    finally:
        rclpy.try_shutdown(context=context)


def _wait_for(count: int, arrived: Sized, silence_s: float) -> None:
    """Up to `silence_s` without a new one."""
    before, since = len(arrived), time.monotonic()
    while len(arrived) < count and time.monotonic() - since < silence_s:
        time.sleep(0.01)
        if len(arrived) > before:
            before, since = len(arrived), time.monotonic()


def _transition(sequence: int, images: bool) -> Transition:
    observation = {"state": np.zeros(STATE_SIZE, np.float32)}
    if images:
        pixels = np.full(IMAGE_SHAPE, sequence % 256, np.uint8)
        observation |= dict.fromkeys(CAMERAS, pixels)
    return Transition(
        agent="agent",
        actor="sender",
        sequence=sequence,
        episode=0,
        step=sequence,
        observation=observation,
        action=np.zeros(6, np.float32),
        reward=0.0,
        terminated=False,
        truncated=False,
    )


if __name__ == "__main__":
    sys.exit(run_node(SenderNode))
