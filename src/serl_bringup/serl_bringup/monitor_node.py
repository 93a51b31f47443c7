"""Listens to agents' actors and learners for whoever shows or records a run."""

import contextlib
import queue
import threading
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import MultiDOFJointState
from std_msgs.msg import Float32

from serl_actor.body_publisher import TOPIC as BODIES
from serl_bringup.health import Health
from serl_learner.diagnostics import TOPIC
from serl_learner.qos import DIAGNOSTICS, STATUS
from serl_msgs.msg import EpisodeSummary, LearnerStatus, Transition


class Watcher(Protocol):
    """Is handed what arrives; the newest, if it is slow."""

    def transition(self, message: Transition) -> None: ...
    def bodies(self, message: MultiDOFJointState) -> None: ...
    def probability(self, agent: str, message: Float32) -> None: ...


class MonitorNode(Node):
    """Queues every LearnerStatus and EpisodeSummary of the agents, in order of arrival.

    `watcher` is told of what a page shows; `health` takes what all nodes say of themselves.
    """

    def __init__(self, agents: Sequence[str], watcher: Watcher | None):
        super().__init__("monitor")
        self._agents = agents
        self.messages: queue.SimpleQueue[LearnerStatus | EpisodeSummary] = queue.SimpleQueue()
        self.health = Health()
        self.create_subscription(DiagnosticArray, TOPIC, self.health.take, DIAGNOSTICS)
        for agent in agents:
            for kind, topic in ((LearnerStatus, "learner"), (EpisodeSummary, "actor")):
                self.create_subscription(
                    kind, f"/{agent}/{topic}_status", self.messages.put, STATUS
                )
        if watcher is not None:
            self._watch(agents, watcher)

    def _watch(self, agents: Sequence[str], watcher: Watcher) -> None:
        sensor = qos_profile_sensor_data
        self.create_subscription(MultiDOFJointState, BODIES, watcher.bodies, sensor)
        for agent in agents:
            judged = partial(watcher.probability, agent)
            self.create_subscription(
                Transition, f"/{agent}/transitions", watcher.transition, sensor
            )
            self.create_subscription(Float32, f"/{agent}/reward/probability", judged, sensor)

    def hears(self, part: str) -> bool:
        """Whether the `part`, learner or actor, of each agent is there."""
        return all(self.count_publishers(f"/{agent}/{part}_status") for agent in self._agents)


class Monitor:
    """Runs a MonitorNode in a thread of its own, as a context manager."""

    def __init__(self, *agents: str, watcher: Watcher | None = None):
        self._agents, self._watcher = agents, watcher

    def __enter__(self) -> "Monitor":
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._node = MonitorNode(self._agents, self._watcher)
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

    def hears(self, part: str) -> bool:
        """Whether the `part`, learner or actor, of each agent is there."""
        return self._node.hears(part)

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()
