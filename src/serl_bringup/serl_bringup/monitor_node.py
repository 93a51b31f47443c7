"""Listens to agents' actors and learners for whoever shows or records a run."""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions

from serl_bringup.health import Health
from serl_learner.diagnostics import TOPIC
from serl_learner.qos import DIAGNOSTICS, STATUS
from serl_msgs.msg import EpisodeSummary, LearnerStatus, Transition


class MonitorNode(Node):
    """Queues every LearnerStatus and EpisodeSummary of the agents, in order of arrival.

    `watch` is handed each transition that arrives; the newest ones, if it is slow. `health` takes
    what all nodes say of themselves.
    """

    def __init__(self, agents: Sequence[str], watch: Callable[[Transition], None] | None):
        super().__init__("monitor")
        self.messages: queue.SimpleQueue[LearnerStatus | EpisodeSummary] = queue.SimpleQueue()
        self.health = Health()
        self.create_subscription(DiagnosticArray, TOPIC, self.health.take, DIAGNOSTICS)
        for agent in agents:
            for kind, topic in ((LearnerStatus, "learner"), (EpisodeSummary, "actor")):
                self.create_subscription(
                    kind, f"/{agent}/{topic}_status", self.messages.put, STATUS
                )
            if watch is not None:
                topic = f"/{agent}/transitions"
                self.create_subscription(Transition, topic, watch, qos_profile_sensor_data)


class Monitor:
    """Runs a MonitorNode in a thread of its own, as a context manager."""

    def __init__(self, *agents: str, watch: Callable[[Transition], None] | None = None):
        self._agents, self._watch = agents, watch

    def __enter__(self) -> "Monitor":
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._node = MonitorNode(self._agents, self._watch)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        rclpy.try_shutdown()
        self._thread.join(timeout=5.0)
        self._node.destroy_node()

    @property
    def health(self) -> Health:
        return self._node.health

    def drain(self, timeout_s: float) -> list[LearnerStatus | EpisodeSummary]:
        """Everything that has arrived; waits up to `timeout_s` for the first message."""
        messages = []
        try:
            messages.append(self._node.messages.get(timeout=timeout_s))
            while True:
                messages.append(self._node.messages.get_nowait())
        except queue.Empty:
            return messages

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()
