"""How a node is doing, once a second on /diagnostics: what rqt_robot_monitor and Foxglove show.

diagnostic_updater does the same; it is not among the wheels that stand for a ROS installation.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from serl_learner.codec import to_time
from serl_learner.qos import DIAGNOSTICS

TOPIC = "/diagnostics"
PERIOD_S = 1.0
ONLY_AGENT = "/agent"  # namespace of a run's nodes that needs no telling


class Level(IntEnum):
    """The constants of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Diagnostic:
    name: str  # of what is looked at
    level: Level
    message: str  # one line: what is so, and unless it is OK, what to do
    values: Mapping[str, object] = field(default_factory=dict)  # with their units in the keys


class Rate:
    """How fast a counter grows, from one look to the next."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._looked_at, self._count = clock(), 0

    def __call__(self, count: int) -> float:
        """Per second since the last call."""
        now = self._clock()
        grown, elapsed_s = count - self._count, now - self._looked_at
        self._looked_at, self._count = now, count
        return grown / elapsed_s if elapsed_s > 0.0 else 0.0


class Diagnostics:
    """Publishes what `look` finds. It is called in a timer of the node, and only reads numbers."""

    def __init__(
        self, node: Node, part: str, hardware: str, look: Callable[[], Iterable[Diagnostic]]
    ):
        """`part`: what the node is called; `hardware`: what it runs on, or what it drives."""
        namespace = node.get_namespace()
        is_only = namespace in ("/", ONLY_AGENT)
        self._part = part if is_only else f"{namespace.strip('/')}/{part}"
        self._hardware, self._look = hardware, look
        self._publisher = node.create_publisher(DiagnosticArray, TOPIC, DIAGNOSTICS)
        node.create_timer(PERIOD_S, self._publish)

    def _publish(self) -> None:
        message = DiagnosticArray(status=[self._status(found) for found in self._look()])
        message.header.stamp = to_time(time.time_ns())
        self._publisher.publish(message)

    def _status(self, found: Diagnostic) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=bytes([found.level]),
            name=f"{self._part}: {found.name}",
            message=found.message,
            hardware_id=self._hardware,
            values=[KeyValue(key=k, value=_text(v)) for k, v in found.values.items()],
        )


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
