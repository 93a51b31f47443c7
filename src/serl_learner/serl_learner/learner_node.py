"""The learner as a ROS 2 node: its loop between the actors' transitions and their policy."""

import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rclpy.client import Client
from rclpy.duration import Duration
from rclpy.node import Node

from serl_learner import qos
from serl_learner.checkpoint import CheckpointStore
from serl_learner.classifier import SuccessClassifier, to_bytes
from serl_learner.codec import decode_transition, encode_policy, encode_reward_model, to_time
from serl_learner.config import ConfigError
from serl_learner.diagnostics import Diagnostic, Diagnostics
from serl_learner.encoder import EncoderConfig
from serl_learner.inbox import Inbox
from serl_learner.learner_diagnostics import lag, run_folder, training
from serl_learner.newest_publisher import NewestPublisher
from serl_learner.parameters import read_agents, read_parameters, read_run, read_section
from serl_learner.rlpd import RLPDConfig
from serl_learner.run_node import claim_role, run_node
from serl_learner.status import TrainerState, TrainerStatus
from serl_learner.trainer import LearnerConfig, PolicySnapshot, Trainer
from serl_learner.transition import Transition
from serl_learner.transition_log import load_transitions
from serl_learner.vice import ViceConfig, ViceSource, goal_observations
from serl_msgs import msg
from serl_msgs.srv import FetchTransitions

FETCH = "/fetch_transitions"  # each actor serves <agent>/<actor>/fetch_transitions
SEARCH_PERIOD_S = 1.0  # for actors that have not sent anything yet
ACKNOWLEDGE = Duration(seconds=1)  # how long the last status may take to arrive


class LearnerNode(Node):
    """One learner. Its namespace is its agent."""

    def __init__(self, name: str = "learner", namespace: str = "agent", **options):
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__(name, namespace=namespace, **options)
        task, self._run = read_run(self)
        (self._agent,) = read_agents(self)
        self._config = read_section(self, "learner", LearnerConfig)
        self._rlpd = read_section(self, "rlpd", RLPDConfig)
        self._encoder = read_section(self, "encoder", EncoderConfig)
        file = self._run.demonstrations
        self._prior = list(load_transitions(file, task)) if file else []
        self._weights: list[NewestPublisher] = []  # what is sent one after the other
        self._vice = self._make_vice(task)
        self._claim = claim_role(self, "a learner", "policy")
        # Callbacks leave calls here; the trainer's thread makes them, in receive().
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._inbox = Inbox(self._fetch)
        self._fetchers: dict[str, Client] = {}
        self._refusal = ""  # the last transition that could not be used, and why
        self._policies = self._newest_publisher(msg.PolicyWeights, "policy")
        self._statuses = self.create_publisher(msg.LearnerStatus, "learner_status", qos.STATUS)
        self.create_subscription(
            msg.Transition, "transitions", self._on_transition, qos.TRANSITIONS
        )
        self.create_timer(SEARCH_PERIOD_S, self._find_actors)
        self._trainer: Trainer | None = None  # while it runs
        # The newest, with how many transitions are missing, and what is wrong with others.
        self._reported: tuple[TrainerStatus, int, str] | None = None
        Diagnostics(self, "learner", platform.node(), self._diagnose)

    def run(self, stop: threading.Event) -> None:
        """Trains until it is stopped."""
        self._trainer = Trainer(
            self._config,
            self._rlpd,
            self._prior,
            self._receive,
            self._publish,
            self._report,
            self._run.seed,
            CheckpointStore(Path(self._run.directory) / "checkpoints"),
            self._run.resume,
            self._encoder,
            self._vice,
        )
        self._trainer.run(stop.is_set)
        self._statuses.wait_for_all_acked(ACKNOWLEDGE)

    def _make_vice(self, task: str) -> ViceSource | None:
        """The goals of a classifier that learns beside the policy, where that is the reward."""
        if read_parameters(self).get("reward", {}).get("source") != "vice":
            return None
        config = read_section(self, "vice", ViceConfig)
        file = config.goals or self._run.demonstrations
        if not file:
            raise ConfigError("vice.goals: expected a file, or demonstrations, got neither")
        steps = load_transitions(config.goals, task) if config.goals else self._prior
        models = self._newest_publisher(msg.RewardModel, "reward/model")

        def publish(classifier: SuccessClassifier) -> None:
            data = to_bytes(classifier)
            models.put(encode_reward_model(self._agent, classifier.version, data))

        return ViceSource(config, goal_observations(steps, file), publish)

    def _newest_publisher(self, kind: type, topic: str) -> NewestPublisher:
        self._weights.append(NewestPublisher(self.create_publisher(kind, topic, qos.POLICY)))
        return self._weights[-1]

    def _receive(self, timeout_s: float) -> list[Transition]:
        """New transitions, each actor's in order; waits for the first one."""
        deadline = time.monotonic() + timeout_s
        while True:
            for weights in self._weights:
                weights.poll()
            while not self._calls.empty():
                self._calls.get()()
            now = time.monotonic()
            transitions = self._inbox.poll(now)
            if transitions or now >= deadline:
                return transitions
            with suppress(queue.Empty):
                self._calls.get(timeout=deadline - now)()

    def _decode(self, message: msg.Transition) -> tuple[int, Transition | None]:
        try:
            if message.agent != self._agent:
                raise ValueError(f"actor '{message.actor}': agent is '{message.agent}'")
            return message.sequence, decode_transition(message)
        except ValueError as error:
            self._refusal = f"refused: {error}"
            self.get_logger().error(self._refusal)
            return message.sequence, None

    def _on_transition(self, message: msg.Transition) -> None:
        arrival = self._decode(message)
        self._calls.put(lambda: self._inbox.put(message.actor, *arrival, time.monotonic()))

    def _find_actors(self) -> None:
        prefix = f"{self.get_namespace()}/"
        for name, _ in self.get_service_names_and_types():
            actor = name.removeprefix(prefix).removesuffix(FETCH)
            if name == f"{prefix}{actor}{FETCH}":
                self._calls.put(lambda actor=actor: self._inbox.known(actor))

    def _fetch(self, actor: str, first: int, last: int) -> None:
        if actor not in self._fetchers:
            self._fetchers[actor] = self.create_client(FetchTransitions, f"{actor}{FETCH}")
        client = self._fetchers[actor]
        if not client.service_is_ready():
            self._inbox.failed(actor, time.monotonic())
            return
        future = client.call_async(FetchTransitions.Request(first=first, last=last))
        future.add_done_callback(lambda done: self._on_fetched(actor, done.result()))

    def _on_fetched(self, actor: str, reply: FetchTransitions.Response) -> None:
        arrivals = [self._decode(message) for message in reply.transitions]
        self._calls.put(
            lambda: self._inbox.fetched(actor, arrivals, reply.next_sequence, time.monotonic())
        )

    def _publish(self, policy: PolicySnapshot) -> None:
        self._policies.put(
            encode_policy(self._agent, policy.version, policy.env_steps, policy.data)
        )

    def _diagnose(self) -> Iterator[Diagnostic]:
        if self._reported is None:
            return
        pulse, (status, missing, wrong) = self._trainer.pulse(), self._reported
        yield lag(pulse, missing, wrong, self._config.free_running)
        yield training(pulse, status, self._config)
        yield run_folder(Path(self._run.directory), pulse)

    def _report(self, status: TrainerStatus) -> None:
        complaint = self._inbox.complaint or self._refusal
        self._reported = status, self._inbox.missing, complaint
        message = msg.LearnerStatus(
            **asdict(status),
            stamp=to_time(time.time_ns()),
            agent=self._agent,
            backfilled=self._inbox.backfilled,
            missing=self._inbox.missing,
        )
        alone = not self.count_publishers("transitions")
        nobody = "no actor is there" if alone and status.state != TrainerState.STOPPED else ""
        reasons = (status.message, nobody, self._inbox.complaint, self._refusal)
        message.message = "; ".join(reason for reason in reasons if reason)
        self._statuses.publish(message)


def main() -> None:
    sys.exit(run_node(LearnerNode))


if __name__ == "__main__":
    main()
