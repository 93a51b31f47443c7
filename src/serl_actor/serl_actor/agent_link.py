"""What one agent of an actor exchanges with its learner. Part of the actor's node."""

import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import gymnasium as gym
from rclpy.duration import Duration
from rclpy.node import Node

from serl_actor import actor_diagnostics
from serl_actor.actor import ActorConfig, Agent, EpisodeStats, Sink
from serl_actor.latest_policy import LatestPolicy, Waiter, check_fits
from serl_learner import qos
from serl_learner.codec import decode_weights, encode_transition, to_nanoseconds, to_time
from serl_learner.diagnostics import Diagnostic
from serl_learner.policy import from_bytes
from serl_learner.transition_log import TransitionLog
from serl_msgs.msg import EpisodeSummary, LearnerStatus, PolicyWeights, Transition
from serl_msgs.srv import FetchTransitions

FETCH_LIMIT = 500  # transitions in one reply
FETCH_LIMIT_BYTES = 2_000_000  # and their size: the middleware sends as much in some 30 ms
ACKNOWLEDGE = Duration(seconds=2)  # how long the last messages may take to arrive


class AgentLink:
    """One agent: its log, and under its name its topics and the service for what was missed."""

    def __init__(
        self,
        node: Node,
        name: str,
        task: str,
        directory: Path,
        config: ActorConfig,
        environment: gym.Env,
        stop: Callable[[], bool],
    ):
        self.name = name
        self._node, self._actor = node, node.get_name()
        self._config, self._environment = config, environment
        self._learner_status = LearnerStatus()
        self._learner_has = 0  # transitions of this actor, without a gap, as far as it is known
        self._waiter = Waiter(stop, node.get_logger().info)
        max_lead = 0 if config.control_rate_hz > 0.0 else config.max_lead
        self._policy = LatestPolicy(self._waiter, max_lead, config.random_steps)
        self._transitions = node.create_publisher(
            Transition, f"/{name}/transitions", qos.TRANSITIONS
        )
        self._episodes = node.create_publisher(EpisodeSummary, f"/{name}/actor_status", qos.STATUS)
        path = directory / "transitions" / f"{self._actor}.mcap"
        # What is published has been written: the log's thread does both, in this order.
        self._log = TransitionLog(path, task, name, written=self._transitions.publish)
        if self._log.recovered:
            node.get_logger().warning(self._log.recovered)
        node.create_subscription(PolicyWeights, f"/{name}/policy", self._on_policy, qos.POLICY)
        node.create_subscription(
            LearnerStatus, f"/{name}/learner_status", self._on_status, qos.STATUS
        )
        node.create_service(
            FetchTransitions, f"/{name}/{self._actor}/fetch_transitions", self._on_fetch
        )

    @property
    def steps(self) -> int:
        """Transitions made so far, those of before a restart included."""
        return self._log.next_sequence

    def diagnose(self, name: str) -> Diagnostic:
        """Of the policy."""
        may_miss = self.steps < self._config.random_steps
        return actor_diagnostics.policy(name, self._policy, self.steps, may_miss)

    def agent(self, sinks: Sequence[Sink]) -> Agent:
        """For the actor's loop; goes on where the log ends. `sinks`: who else is told of a step."""
        return Agent(
            self._policy,
            self.name,
            self._policy.gate,
            sinks=[lambda transition: self._log.append(encode_transition(transition)), *sinks],
            episode_sinks=[self._publish_episode],
            sequence=self._log.next_sequence,
            episode=self._log.next_episode,
        )

    def finish(self, paced: bool) -> None:
        """Waits until the learner has everything, and has learned from it, where it is `paced`."""
        self._log.flush()
        self._waiter.wait_for(
            lambda: self._learner_is_done(paced),
            lambda: f"waiting for the learner to take in all {self.steps} transitions",
        )
        self._transitions.wait_for_all_acked(ACKNOWLEDGE)
        self._episodes.wait_for_all_acked(ACKNOWLEDGE)

    def close(self) -> None:
        self._log.close()

    def _on_policy(self, message: PolicyWeights) -> None:
        try:
            policy = from_bytes(decode_weights(message))
        except ValueError as error:  # the one in use stays
            self._node.get_logger().error(str(error))
            return
        check_fits(policy, self._environment)
        latency_s = 1e-9 * (time.time_ns() - to_nanoseconds(message.stamp))
        self._policy.put(policy, message.version, message.env_steps, latency_s)

    def _on_status(self, message: LearnerStatus) -> None:
        with self._waiter.condition:
            self._learner_status = message
            self._waiter.condition.notify_all()

    def _on_fetch(self, request, response):
        with self._waiter.condition:  # a learner asks from the first number that it does not have
            self._learner_has = request.first
            self._waiter.condition.notify_all()
        last = min(request.last, request.first + FETCH_LIMIT - 1)
        response.transitions = self._log.read(request.first, last, FETCH_LIMIT_BYTES)
        response.next_sequence = self._log.next_sequence
        return response

    def _publish_episode(self, stats: EpisodeStats) -> None:
        names = EpisodeSummary.get_fields_and_field_types()
        message = EpisodeSummary(
            stamp=to_time(time.time_ns()),
            policy_latency_s=self._policy.latency_s,
            observation_age_s=stats.observation_age_s,
            on_time_share=stats.on_time_share(self._config.control_rate_hz),
            **{f.name: getattr(stats, f.name) for f in fields(stats) if f.name in names},
        )
        self._episodes.publish(message)

    def _learner_is_done(self, paced: bool) -> bool:
        """Whether it has every transition of this actor, and made the updates they are worth.

        `env_steps` alone would not do, as it is a sum over actors; nor would the request alone,
        as a learner that was started again asks only after a while.
        """
        status, everything = self._learner_status, self.steps
        has_all = self._learner_has >= everything and status.env_steps >= everything
        return has_all and (status.state != LearnerStatus.TRAINING or not paced)
