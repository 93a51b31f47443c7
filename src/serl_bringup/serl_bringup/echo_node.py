"""One process asks, another answers: whether messages arrive on this machine, and how fast.

usage: python -m serl_bringup.echo_node answer|ask NAMESPACE
`ask` prints one JSON object: the middleware in use, and the median round trip in milliseconds.
"""

import contextlib
import json
import statistics
import sys
import time

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import UInt32

from serl_learner.qos import COMMAND

QUESTIONS = 50
DISCOVERY_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 0.2  # an answer on one machine takes a few milliseconds


class AnswerNode(Node):
    """Sends back every number that it hears."""

    def __init__(self, namespace: str):
        super().__init__("answer", namespace=namespace)
        self._publisher = self.create_publisher(UInt32, "answer", COMMAND)
        self.create_subscription(UInt32, "question", self._publisher.publish, COMMAND)


class AskNode(Node):
    """Sends numbers, one at a time, and measures how long each takes to come back."""

    def __init__(self, namespace: str):
        super().__init__("ask", namespace=namespace)
        self._answer: int | None = None
        self._publisher = self.create_publisher(UInt32, "question", COMMAND)
        self.create_subscription(UInt32, "answer", self._on_answer, COMMAND)

    def _on_answer(self, message: UInt32) -> None:
        self._answer = message.data

    def round_trip_s(self, number: int) -> float | None:
        """None if no answer came in time."""
        start = time.perf_counter()
        self._publisher.publish(UInt32(data=number))
        while (elapsed_s := time.perf_counter() - start) < ANSWER_TIMEOUT_S:
            rclpy.spin_once(self, timeout_sec=ANSWER_TIMEOUT_S - elapsed_s)
            if self._answer == number:
                return time.perf_counter() - start
        return None


def ask(node: AskNode) -> float:
    """The median round trip in seconds; raises TimeoutError if nobody answers."""
    deadline = time.monotonic() + DISCOVERY_TIMEOUT_S
    round_trips: list[float] = []
    number = 0
    while len(round_trips) < QUESTIONS:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(round_trips)} of {number} messages came back")
        number += 1
        if (round_trip_s := node.round_trip_s(number)) is not None:
            round_trips.append(round_trip_s)
    return statistics.median(round_trips)


def main() -> None:
    role, namespace = sys.argv[1:]
    rclpy.init(args=[])
    try:
        if role == "answer":
            with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
                rclpy.spin(AnswerNode(namespace))
        else:
            found = {
                "middleware": rclpy.get_rmw_implementation_identifier(),
                "round_trip_ms": 1000 * ask(AskNode(namespace)),
            }
            print(json.dumps(found))
    except TimeoutError as error:
        sys.exit(str(error))
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
