"""The newest policy that the learner has sent, and the actor's wait for it."""

import threading
import time
from collections.abc import Callable

import gymnasium as gym
import numpy as np

from serl_learner.config import ConfigError
from serl_learner.policy import Policy
from serl_learner.transition import Observation

NOTICE_S = 2.0  # a longer wait is told


def check_fits(policy: Policy, environment: gym.Env) -> None:
    """Raises ConfigError if the learner learns from other observations or actions than are here."""
    here = {name: space.shape for name, space in environment.observation_space.items()}
    wanted = {name: (size,) for name, size in policy.spec.vectors} | dict(policy.spec.images)
    if not wanted.items() <= here.items():
        raise ConfigError(f"policy: expected observations of {here}, got one for {wanted}")
    actions = environment.action_space.shape
    if (policy.action_size,) != actions:
        raise ConfigError(f"policy: expected actions of {actions}, got ({policy.action_size},)")


class Waiter:
    """Lets the actor's loop wait for what another thread brings, and says so when it takes long."""

    def __init__(
        self,
        stop: Callable[[], bool],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._stop, self._say, self._clock = stop, say, clock
        self.condition = threading.Condition()

    def wait_for(self, ready: Callable[[], bool], explain: Callable[[], str]) -> bool:
        """Whether `ready` came before the stop. It is asked again when `condition` is notified."""
        with self.condition:
            since, told = self._clock(), False
            while not ready() and not self._stop():
                self.condition.wait(0.1)  # a stop notifies nobody
                if not told and self._clock() - since >= NOTICE_S:
                    told = True
                    self._say(explain())
            if told and not self._stop():
                self._say(f"going on after {self._clock() - since:.1f} s")
            return not self._stop()


class LatestPolicy:
    """What the actor acts with, and the gate that keeps it in step with the learner.

    Another thread puts policies; the loop's own thread takes the newest at the gate, so that it
    never changes within a step.
    """

    def __init__(self, waiter: Waiter, max_lead: int, random_steps: int):
        """`max_lead`: transitions the actor may be ahead of the learner; 0: it never waits."""
        self._waiter = waiter
        self._max_lead = max_lead
        self._random_steps = random_steps
        self._newest: Policy | None = None
        self._newest_version = 0
        self.env_steps = 0  # transitions whose updates are in the newest
        self._policy: Policy | None = None
        self.version = 0  # of the policy in use: critic steps that made it
        self.latency_s = float("nan")  # from publication to arrival, of the newest
        self.arrived_at: float | None = None  # when that was, monotonic s

    def put(self, policy: Policy, version: int, env_steps: int, latency_s: float) -> None:
        with self._waiter.condition:
            self._newest, self._newest_version = policy, version
            self.env_steps, self.latency_s = env_steps, latency_s
            self.arrived_at = time.monotonic()
            self._waiter.condition.notify_all()

    def gate(self, sequence: int) -> bool:
        """Waits until transition `sequence` may be made. False: the run is stopping."""
        allowed = self._waiter.wait_for(
            lambda: self._may_make(sequence), lambda: self._explain(sequence)
        )
        with self._waiter.condition:
            before, self._policy, self.version = self._policy, self._newest, self._newest_version
        if before is not None:
            self._policy.go_on_from(before)
        return allowed

    def begin_episode(self) -> None:
        if self._policy is not None:
            self._policy.begin_episode()

    def act(self, observation: Observation) -> np.ndarray:
        """A sampled action (action_size,) in [-1, 1]."""
        return self._policy.act(observation, deterministic=False)

    def _may_make(self, sequence: int) -> bool:
        has_policy = self._newest is not None or sequence < self._random_steps
        return has_policy and (self._max_lead == 0 or sequence < self.env_steps + self._max_lead)

    def _explain(self, sequence: int) -> str:
        if self._newest is None:
            return f"waiting for the learner: no policy yet for transition {sequence}"
        return (
            f"waiting for the learner: transition {sequence} is {self._max_lead} or more ahead"
            f" of its policy, made of {self.env_steps}"
        )
