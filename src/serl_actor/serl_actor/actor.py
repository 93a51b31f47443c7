"""The actor's loop: reset, act, step, hand on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from serl_actor.environment import is_success
from serl_actor.faults import Fault
from serl_actor.pacer import Pacer
from serl_actor.pulse import ON_TIME_S, Pulse
from serl_learner.config import ConfigError, expect
from serl_learner.transition import Observation, Transition

RETRY_S = 1.0  # between two resets while a camera or the reward fails
Sink = Callable[[Transition], None]


@dataclass(frozen=True)
class ActorConfig:
    max_steps: int = 20_000  # transitions of the whole run, of all agents and restarts; 33 minutes
    random_steps: int = 0  # of each agent, its first: drawn uniformly instead of from its policy
    max_lead: int = 20  # transitions the actor may be ahead of its policy's; 0: it never waits
    control_rate_hz: float = 0.0  # 0: as fast as learner and simulator allow; a robot holds 10
    patience_s: float = 30.0  # what fails for longer ends the run: a camera, the reward, the robot

    def __post_init__(self) -> None:
        names = ("max_steps", "random_steps", "max_lead", "control_rate_hz", "patience_s")
        for name in names:
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}: expected at least 0, got {getattr(self, name)}")


class PolicySource(Protocol):
    """The newest policy. It may be replaced between two steps, never within one."""

    version: int  # critic steps that made it

    def begin_episode(self) -> None: ...

    def act(self, observation: Observation) -> np.ndarray: ...  # (action_size,) in [-1, 1]


@dataclass
class Agent:
    """Who may act in an episode: a policy, and those who are told of what it does.

    `gate(sequence)` blocks until the transition of that number may be made, and returns False when
    the run is stopping. A run that goes on after a restart gives the numbers to go on with.
    """

    policy: PolicySource
    name: str = "agent"
    gate: Callable[[int], bool] = lambda sequence: True
    sinks: Sequence[Sink] = ()  # each is handed every transition
    episode_sinks: Sequence[Callable[["EpisodeStats"], None]] = ()
    sequence: int = 0  # of its next transition
    episode: int = 0  # number of its current episode, between two: of the next


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
    rescued: bool = False  # something was put back from outside before it
    intervened_steps: int = 0
    duration_s: float = 0.0  # of the steps
    reset_s: float = 0.0  # of the reset before them
    starts_s: list[float] = field(default_factory=list)  # monotonic time of each step's start
    ages_s: list[float] = field(default_factory=list)  # then, of what its action was decided from

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

    @property
    def observation_age_s(self) -> float:
        """Median age of what was acted on; NaN without a step."""
        return float(np.median(self.ages_s)) if self.ages_s else float("nan")


class Actor:
    """Acts in the environment; hands each transition to the sinks, each ended episode to theirs.

    With several agents, `info["agent"]` of each reset says whose episode it is; they change at no
    other place, and each has numbers of its own. `say` is told of a camera or a reward that fails:
    within an episode, that ends as discarded; at its reset, which is tried again. What fails for
    `patience_s` in either way is raised as Fault.
    """

    def __init__(
        self,
        environment: gym.Env,
        agents: Sequence[Agent],
        config: ActorConfig,
        *,
        actor: str = "actor",
        seed: int = 0,
        say: Callable[[str], None] = lambda message: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._environment = environment
        self._agents = {agent.name: agent for agent in agents}
        self._config = config
        self._actor = actor
        self._observed_ns = 0  # Unix time of the newest observation: an info's `stamp_ns`, or now
        self._rest = np.zeros(environment.action_space.shape, np.float32)
        # A restarted run has other seeds: it does not live through its first episodes again.
        episodes = sum(agent.episode for agent in agents)
        seeds = np.random.SeedSequence([seed, episodes]).generate_state(2)
        self._reset_seed: int | None = int(seeds[0])  # for the first reset alone
        self._random = np.random.default_rng(seeds[1])
        self._failing_since: float | None = None  # since when no step was made without a fault
        self._say = say
        self._clock, self._sleep = clock, sleep
        self._pacer = Pacer(config.control_rate_hz, clock, sleep)
        self.pulse = Pulse(config.control_rate_hz, clock)

    def run(self, stop: Callable[[], bool]) -> None:
        """Runs episodes until `stop()` or the last step; one that this cuts off is truncated."""
        while not self._is_over(stop):
            stats = self._run_episode(stop)
            if stats is None:
                return
            for sink in self._agents[stats.agent].episode_sinks:
                sink(stats)

    def _run_episode(self, stop: Callable[[], bool]) -> EpisodeStats | None:
        """Reset, then act, step and hand on; None when stopped before the first step."""
        reset_at = self._clock()
        observation, info = self._reset(stop)
        if observation is None:
            return None
        agent = self._acting(info)
        rescued = bool(info.get("rescued", False))
        stats = EpisodeStats(agent.name, self._actor, agent.episode, rescued=rescued)
        started_at = self._clock()
        agent.policy.begin_episode()
        self.pulse.begin_episode()
        ended = False
        while not ended:
            allowed = agent.gate(agent.sequence)
            if not allowed and stats.length == 0:
                return None
            # What was handed on cannot be marked as the end any more: one step at rest is.
            version, action = self._act(agent, observation) if allowed else (0, self._rest)
            stats.starts_s.append(self._pacer.wait())
            stats.ages_s.append(1e-9 * (time.time_ns() - self._observed_ns))
            self.pulse.step(stats.starts_s[-1])
            transition, observation = self._step(agent, observation, action, version, stats.length)
            if not transition.terminated and (not allowed or self._is_over(stop)):
                transition.truncated = True
            ended = transition.terminated or transition.truncated
            transition.final_observation = observation if ended else None
            stats.add(transition)
            for sink in agent.sinks:
                sink(transition)
        stats.reset_s = started_at - reset_at
        stats.duration_s = self._clock() - started_at
        agent.episode += 1
        return stats

    def _acting(self, info: dict[str, Any]) -> Agent:
        """The agent that a reset's `info` names; the only one, where it names none."""
        if "agent" not in info and len(self._agents) == 1:
            return next(iter(self._agents.values()))
        name = info.get("agent", "none")
        expect(name in self._agents, "reset: agent", f"one of {', '.join(self._agents)}", name)
        return self._agents[name]

    def _is_over(self, stop: Callable[[], bool]) -> bool:
        made = sum(agent.sequence for agent in self._agents.values())
        return stop() or made >= self._config.max_steps

    def _reset(self, stop: Callable[[], bool]) -> tuple[Observation | None, dict[str, Any]]:
        """The first observation, as soon as everything works; None when stopped before."""
        try:
            observation, info = self._environment.reset(seed=self._reset_seed)
        except Fault as fault:
            observation, info = self._reset_again(fault, stop)
        self._observed_ns = info.get("stamp_ns", time.time_ns())
        self._reset_seed = None
        self._pacer.restart()
        return observation, info

    def _reset_again(
        self, fault: Fault, stop: Callable[[], bool]
    ) -> tuple[Observation | None, dict[str, Any]]:
        self.pulse.failed(fault)
        self._say(f"{fault}; tries again for {self._config.patience_s:.0f} s")
        failing_since = self._clock()
        while not stop():
            self._sleep(RETRY_S)
            try:
                observation, info = self._environment.reset(seed=self._reset_seed)
            except Fault as again:
                self.pulse.failed(again)
                if self._clock() - failing_since >= self._config.patience_s:
                    raise
                continue
            self._say(f"works again after {self._clock() - failing_since:.1f} s")
            if self._failing_since is None:  # no step failed before
                self.pulse.works()
            return observation, info
        return None, {}

    def _bear_with(self, fault: Fault) -> None:
        """Raises a fault of steps that lasts, from one episode to the next."""
        now = self._clock()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since >= self._config.patience_s:
            raise fault

    def _act(self, agent: Agent, observation: Observation) -> tuple[int, np.ndarray]:
        """The policy's version (0: no policy) and an action (action_size,)."""
        if agent.sequence < self._config.random_steps:
            return 0, self._random.uniform(-1.0, 1.0, self._rest.shape)
        return agent.policy.version, agent.policy.act(observation)

    def _step(
        self, agent: Agent, observation: Observation, action: np.ndarray, version: int, step: int
    ) -> tuple[Transition, Observation]:
        """Makes the step; gives it, and the observation that follows."""
        observed_ns = self._observed_ns
        discarded = False
        try:
            following, reward, terminated, truncated, info = self._environment.step(action)
            self._failing_since = None
            self.pulse.works()
        except Fault as fault:  # the episode ends with what was seen last
            self.pulse.failed(fault)
            self._bear_with(fault)
            following, reward, terminated, truncated, info = observation, 0.0, False, True, {}
            discarded = True
            self._say(f"{fault}; episode {agent.episode} is discarded at step {step}")
        self._observed_ns = info.get("stamp_ns", time.time_ns())
        executed = info.get("intervene_action", action)
        transition = Transition(
            agent=agent.name,
            actor=self._actor,
            sequence=agent.sequence,
            episode=agent.episode,
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
        agent.sequence += 1
        return transition, following
