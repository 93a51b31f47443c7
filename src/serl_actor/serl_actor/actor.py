"""The actor's loop: reset, act, step, hand on."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import gymnasium as gym
import numpy as np

from serl_actor.environment import is_success
from serl_actor.faults import Fault
from serl_actor.pacer import Pacer
from serl_learner.config import ConfigError
from serl_learner.transition import Observation, Transition

ON_TIME_S = 0.005  # a period this close to the wanted one counts as on time
RETRY_S = 1.0  # between two resets while a camera or the reward fails
PATIENCE_S = 30.0  # what fails for longer ends the run


@dataclass(frozen=True)
class ActorConfig:
    max_steps: int = 20_000  # transitions of the whole run, restarts included; 33 minutes at 10 Hz
    random_steps: int = 0  # the run's first transitions, drawn uniformly instead of from the policy
    max_lead: int = 20  # transitions the actor may be ahead of its policy's; 0: it never waits
    control_rate_hz: float = 0.0  # 0: as fast as learner and simulator allow; a robot holds 10

    def __post_init__(self) -> None:
        for name in ("max_steps", "random_steps", "max_lead", "control_rate_hz"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}: expected at least 0, got {getattr(self, name)}")


class PolicySource(Protocol):
    """The newest policy. It may be replaced between two steps, never within one."""

    version: int  # critic steps that made it

    def begin_episode(self) -> None: ...

    def act(self, observation: Observation) -> np.ndarray: ...  # (action_size,) in [-1, 1]


@dataclass
class EpisodeStats:
    """What serl_msgs/EpisodeSummary says of an episode, and the periods of its steps."""

    agent: str
    actor: str
    episode: int
    last_sequence: int = 0
    length: int = 0
    episode_return: float = 0.0
    success: bool = False
    terminated: bool = False
    discarded: bool = False  # a camera or the reward failed: neither a success nor a failure
    intervened_steps: int = 0
    duration_s: float = 0.0  # of the steps
    reset_s: float = 0.0  # of the reset before them
    starts_s: list[float] = field(default_factory=list)  # monotonic time of each step's start

    def add(self, transition: Transition) -> None:
        self.last_sequence = transition.sequence
        self.length += 1
        self.episode_return += transition.reward
        self.success = self.success or transition.success
        self.terminated = transition.terminated
        self.discarded = transition.discarded
        self.intervened_steps += transition.intervened

    def on_time_share(self, rate_hz: float) -> float:
        """Share of the periods within 5 ms of the wanted one; NaN where there is none."""
        if rate_hz == 0.0:
            return float("nan")
        late = np.abs(np.diff(self.starts_s) - 1.0 / rate_hz)
        return float(np.mean(late <= ON_TIME_S)) if late.size else float("nan")


class Actor:
    """Acts in the environment; hands each transition to the sinks, each ended episode to theirs.

    `gate(sequence)` blocks until the transition of that number may be made, and returns False when
    the run is stopping. A run that goes on after a restart gives the numbers to go on with. `say`
    is told of a camera or a reward that fails: within an episode, that ends as discarded; at its
    reset, which is tried again. What fails for 30 s in either way is raised as Fault.
    """

    def __init__(
        self,
        environment: gym.Env,
        policy: PolicySource,
        config: ActorConfig,
        gate: Callable[[int], bool] = lambda sequence: True,
        sinks: Iterable[Callable[[Transition], None]] = (),
        *,
        episode_sinks: Iterable[Callable[[EpisodeStats], None]] = (),
        agent: str = "agent",
        actor: str = "actor",
        first_sequence: int = 0,
        first_episode: int = 0,
        seed: int = 0,
        say: Callable[[str], None] = lambda message: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._environment = environment
        self._policy = policy
        self._config = config
        self._gate = gate
        self._sinks = tuple(sinks)
        self._episode_sinks = tuple(episode_sinks)
        self._agent, self._actor = agent, actor
        self._sequence = first_sequence  # of the next transition
        self._episode = first_episode  # of the current episode, between two: of the next
        self._observed_ns = 0  # Unix time of the newest observation
        self._rest = np.zeros(environment.action_space.shape, np.float32)
        # A restarted run has other seeds: it does not live through its first episodes again.
        seeds = np.random.SeedSequence([seed, first_episode]).generate_state(2)
        self._reset_seed: int | None = int(seeds[0])  # for the first reset alone
        self._random = np.random.default_rng(seeds[1])
        self._failing_since: float | None = None  # since when no step was made without a fault
        self._say = say
        self._clock, self._sleep = clock, sleep
        self._pacer = Pacer(config.control_rate_hz, clock, sleep)

    def run(self, stop: Callable[[], bool]) -> None:
        """Runs episodes until `stop()` or the last step; one that this cuts off is truncated."""
        while not self._is_over(stop):
            stats = self._run_episode(stop)
            if stats is None:
                return
            for sink in self._episode_sinks:
                sink(stats)

    def _run_episode(self, stop: Callable[[], bool]) -> EpisodeStats | None:
        """Reset, then act, step and hand on; None when stopped before the first step."""
        stats = EpisodeStats(self._agent, self._actor, self._episode)
        reset_at = self._clock()
        observation = self._reset(stop)
        if observation is None:
            return None
        started_at = self._clock()
        self._policy.begin_episode()
        ended = False
        while not ended:
            allowed = self._gate(self._sequence)
            if not allowed and stats.length == 0:
                return None
            # What was handed on cannot be marked as the end any more: one step at rest is.
            version, action = self._act(observation) if allowed else (0, self._rest)
            stats.starts_s.append(self._pacer.wait())
            transition, observation = self._step(observation, action, version, stats.length)
            if not transition.terminated and (not allowed or self._is_over(stop)):
                transition.truncated = True
            ended = transition.terminated or transition.truncated
            transition.final_observation = observation if ended else None
            stats.add(transition)
            for sink in self._sinks:
                sink(transition)
        stats.reset_s = started_at - reset_at
        stats.duration_s = self._clock() - started_at
        self._episode += 1
        return stats

    def _is_over(self, stop: Callable[[], bool]) -> bool:
        return stop() or self._sequence >= self._config.max_steps

    def _reset(self, stop: Callable[[], bool]) -> Observation | None:
        """The first observation, as soon as everything works; None when stopped before."""
        try:
            observation, _ = self._environment.reset(seed=self._reset_seed)
        except Fault as fault:
            observation = self._reset_again(fault, stop)
        self._observed_ns = time.time_ns()
        self._reset_seed = None
        self._pacer.restart()
        return observation

    def _reset_again(self, fault: Fault, stop: Callable[[], bool]) -> Observation | None:
        self._say(f"{fault}; tries again for {PATIENCE_S:.0f} s")
        failing_since = self._clock()
        while not stop():
            self._sleep(RETRY_S)
            try:
                observation, _ = self._environment.reset(seed=self._reset_seed)
            except Fault:
                if self._clock() - failing_since >= PATIENCE_S:
                    raise
                continue
            self._say(f"works again after {self._clock() - failing_since:.1f} s")
            return observation
        return None

    def _bear_with(self, fault: Fault) -> None:
        """Raises a fault of steps that lasts, from one episode to the next."""
        now = self._clock()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since >= PATIENCE_S:
            raise fault

    def _act(self, observation: Observation) -> tuple[int, np.ndarray]:
        """The policy's version (0: no policy) and an action (action_size,)."""
        if self._sequence < self._config.random_steps:
            return 0, self._random.uniform(-1.0, 1.0, self._rest.shape)
        return self._policy.version, self._policy.act(observation)

    def _step(
        self, observation: Observation, action: np.ndarray, version: int, step: int
    ) -> tuple[Transition, Observation]:
        """Makes the step; gives it, and the observation that follows."""
        observed_ns = self._observed_ns
        discarded = False
        try:
            following, reward, terminated, truncated, info = self._environment.step(action)
            self._failing_since = None
        except Fault as fault:  # the episode ends with what was seen last
            self._bear_with(fault)
            following, reward, terminated, truncated, info = observation, 0.0, False, True, {}
            discarded = True
            self._say(f"{fault}; episode {self._episode} is discarded at step {step}")
        self._observed_ns = time.time_ns()
        executed = info.get("intervene_action", action)
        transition = Transition(
            agent=self._agent,
            actor=self._actor,
            sequence=self._sequence,
            episode=self._episode,
            step=step,
            observation=observation,
            action=np.clip(executed, -1.0, 1.0).astype(np.float32),
            reward=reward,
            terminated=terminated,
            truncated=truncated and not terminated,
            success=is_success(info),
            intervened="intervene_action" in info,
            grasp_penalty=float(info.get("grasp_penalty", 0.0)),
            policy_version=version,
            reward_version=info.get("reward_version", 0),
            stamp_ns=observed_ns,
            discarded=discarded,
        )
        self._sequence += 1
        return transition, following
