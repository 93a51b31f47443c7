"""The actor as a ROS 2 node: its loop between an environment, a log and the learner."""

import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rclpy.duration import Duration
from rclpy.node import Node

from serl_actor.actor import Actor, ActorConfig, EpisodeStats
from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.judged import JudgedEnvironment
from serl_actor.latest_policy import LatestPolicy, Waiter, check_fits
from serl_actor.reward_client import RewardClient
from serl_learner import qos
from serl_learner.codec import decode_weights, encode_transition, to_nanoseconds, to_time
from serl_learner.parameters import read_parameters, read_run, read_section
from serl_learner.policy import from_bytes
from serl_learner.run_node import claim_role, run_node
from serl_learner.transition_log import TransitionLog
from serl_msgs.msg import EpisodeSummary, LearnerStatus, PolicyWeights, Transition
from serl_msgs.srv import FetchTransitions

FETCH_LIMIT = 500  # transitions in one reply
FETCH_LIMIT_BYTES = 2_000_000  # and their size: the middleware sends as much in some 30 ms
ACKNOWLEDGE = Duration(seconds=2)  # how long the last messages may take to arrive


class ActorNode(Node):
    """One actor. Its namespace is its agent, its name the actor's."""

    def __init__(self, name: str = "actor", namespace: str = "agent", **options):
        self._resources = ExitStack()  # closed in destroy_node
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__(name, namespace=namespace, **options)
        try:
            self._set_up()
        except BaseException:
            self.destroy_node()  # nobody else has this node yet
            raise

    def _set_up(self) -> None:
        self._agent, self._task, self._run = read_run(self)
        self._config = read_section(self, "actor", ActorConfig)
        learner = read_parameters(self).get("learner", {})
        self._never_paced = learner.get("free_running", False)  # it trains for as long as it runs
        reward = read_parameters(self).get("reward", {}).get("source", "environment")
        judge = RewardClient(self, self._agent) if reward != "environment" else None
        self._environment = make_environment(
            read_section(self, "environment", EnvironmentConfig),
            judged=judge and partial(JudgedEnvironment, judge=judge, ready=judge.ready),
        )
        self._resources.callback(self._environment.close)
        name = self.get_name()
        self._claim = claim_role(self, f"an actor '{name}'", "transitions", name)
        self._stop = threading.Event()
        self._learner_status = LearnerStatus()
        self._learner_has = 0  # transitions of this actor, without a gap, as far as it is known
        self._waiter = Waiter(lambda: self._stop.is_set(), self.get_logger().info)
        max_lead = 0 if self._config.control_rate_hz > 0.0 else self._config.max_lead
        self._policy = LatestPolicy(self._waiter, max_lead, self._config.random_steps)
        self._connect()

    def _connect(self) -> None:
        self._transitions = self.create_publisher(Transition, "transitions", qos.TRANSITIONS)
        self._episodes = self.create_publisher(EpisodeSummary, "actor_status", qos.STATUS)
        path = Path(self._run.directory) / "transitions" / f"{self.get_name()}.mcap"
        # What is published has been written: the log's thread does both, in this order.
        self._log = TransitionLog(path, self._task, self._agent, written=self._transitions.publish)
        self._resources.enter_context(self._log)
        if self._log.recovered:
            self.get_logger().warning(self._log.recovered)
        self.create_subscription(PolicyWeights, "policy", self._on_policy, qos.POLICY)
        self.create_subscription(LearnerStatus, "learner_status", self._on_status, qos.STATUS)
        self.create_service(FetchTransitions, "~/fetch_transitions", self._on_fetch)

    def run(self, stop: threading.Event) -> None:
        """Acts up to the last step, then stays until the learner has everything."""
        self._stop = stop
        torch.set_num_threads(1)  # the learner needs the other cores
        first = self._log.next_sequence
        torch.manual_seed(np.random.SeedSequence([self._run.seed, first]).generate_state(1)[0])
        actor = Actor(
            self._environment,
            self._policy,
            self._config,
            self._policy.gate,
            [lambda transition: self._log.append(encode_transition(transition))],
            episode_sinks=[self._publish_episode],
            agent=self._agent,
            actor=self.get_name(),
            first_sequence=first,
            first_episode=self._log.next_episode,
            seed=self._run.seed,
            say=self.get_logger().error,
        )
        actor.run(stop.is_set)
        self._log.flush()
        self._waiter.wait_for(
            self._learner_is_done,
            lambda: f"waiting for the learner to take in all {self._log.next_sequence} transitions",
        )
        self._transitions.wait_for_all_acked(ACKNOWLEDGE)
        self._episodes.wait_for_all_acked(ACKNOWLEDGE)

    def destroy_node(self) -> None:
        """Called when no callback can come any more."""
        try:
            self._resources.close()
        finally:
            super().destroy_node()

    def _on_policy(self, message: PolicyWeights) -> None:
        try:
            policy = from_bytes(decode_weights(message))
        except ValueError as error:  # the one in use stays
            self.get_logger().error(str(error))
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
            on_time_share=stats.on_time_share(self._config.control_rate_hz),
            **{f.name: getattr(stats, f.name) for f in fields(stats) if f.name in names},
        )
        self._episodes.publish(message)

    def _learner_is_done(self) -> bool:
        """Whether it has every transition of this actor, and made the updates they are worth.

        `env_steps` alone would not do, as it is a sum over actors; nor would the request alone,
        as a learner that was started again asks only after a while.
        """
        status, everything = self._learner_status, self._log.next_sequence
        has_all = self._learner_has >= everything and status.env_steps >= everything
        return has_all and (status.state != LearnerStatus.TRAINING or self._never_paced)


def main() -> None:
    sys.exit(run_node(ActorNode))


if __name__ == "__main__":
    main()
