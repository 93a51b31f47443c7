"""Listens to an agent's actor and learner for whoever shows or records a run."""

import contextlib
import queue
import threading

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from serl_learner.qos import STATUS
from serl_msgs.msg import EpisodeSummary, LearnerStatus


class MonitorNode(Node):
    """Queues every LearnerStatus and EpisodeSummary of one agent, in order of arrival."""

    def __init__(self, agent: str):
        super().__init__("monitor", namespace=f"/{agent}")
        self.messages: queue.SimpleQueue[LearnerStatus | EpisodeSummary] = queue.SimpleQueue()
        self.create_subscription(LearnerStatus, "learner_status", self.messages.put, STATUS)
        self.create_subscription(EpisodeSummary, "actor_status", self.messages.put, STATUS)


class Monitor:
    """Runs a MonitorNode in a thread of its own, as a context manager."""

    def __init__(self, agent: str):
        self._agent = agent

    def __enter__(self) -> "Monitor":
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._node = MonitorNode(self._agent)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        rclpy.try_shutdown()
        self._thread.join(timeout=5.0)
        self._node.destroy_node()

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
