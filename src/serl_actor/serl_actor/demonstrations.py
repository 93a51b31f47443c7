"""Records demonstrations, and says what is in them."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import gymnasium as gym
import numpy as np

from serl_actor.actor import Actor, ActorConfig, Agent, EpisodeStats
from serl_actor.environment import (
    EnvironmentConfig,
    control_period_s,
    demonstrator_of,
    make_environment,
)
from serl_actor.intervention import Device
from serl_actor.wandering import Wandering
from serl_learner.config import ConfigError
from serl_learner.transition import Transition

FAILURES_ALLOWED = 20  # in a row: beyond it nobody is showing anything
DEMONSTRATOR = "demonstrator"  # the actor of what is recorded
SATURATED = 0.999  # an action element of at least this size is at its bound


def record(
    config: EnvironmentConfig,
    episodes: int,
    seed: int,
    write: Callable[[Transition], None],
    *,
    device: Callable[[gym.Env], Device] | None = None,
    resets: Callable[[gym.Env], gym.Env] | None = None,
    judged: Callable[[gym.Env], gym.Env] | None = None,
    real_time: bool = False,
    agent: str = "agent",
    ended: Callable[[EpisodeStats], None] = lambda stats: None,
    wander: int = 0,
    base_pose: bool = False,
) -> int:
    """Records `episodes` successful episodes and returns how many failed on the way.

    The demonstrator is what `device` makes, or the one that the environment's configuration names;
    `resets` and `judged` are as in make_environment. In `real_time`, steps are as long as the
    robot's. A failed episode is dropped, and so is one in which a camera failed; those kept are
    written when they end, and numbered as if nothing lay between them. `ended` hears of all. Before
    the demonstrator has it, the arm wanders for up to `wander` steps of each episode, which are not
    `intervened`. Raises ConfigError after too many that were dropped in a row.
    """
    if episodes < 1:
        raise ConfigError(f"episodes: expected at least 1, got {episodes}")
    make_device = demonstrator_of(config, seed) if device is None else device
    wandering = Wandering(make_device, wander, seed)
    environment = make_environment(
        config, device=wandering.device, resets=resets, judged=judged, base_pose=base_pose
    )
    rate_hz = 1.0 / control_period_s(environment) if real_time else 0.0
    recording = _Recording(config.id, episodes, write)
    actor = Actor(
        environment,
        [Agent(wandering, agent, sinks=[recording.add], episode_sinks=[recording.end, ended])],
        ActorConfig(max_steps=np.iinfo(np.int64).max, control_rate_hz=rate_hz),
        actor=DEMONSTRATOR,
        seed=seed,
        say=lambda message: print(message, file=sys.stderr),
    )
    try:
        actor.run(stop=lambda: recording.kept >= episodes)
    finally:
        environment.close()
    return recording.failed


class _Recording:
    """Holds back an episode until it is known to be a success."""

    def __init__(self, name: str, wanted: int, write: Callable[[Transition], None]):
        self.kept = 0
        self.failed = 0
        self._failed_in_a_row = 0
        self._name = name
        self._wanted = wanted
        self._write = write
        self._sequence = 0
        self._episode: list[Transition] = []

    def add(self, transition: Transition) -> None:
        self._episode.append(transition)

    def end(self, stats: EpisodeStats) -> None:
        episode, self._episode = self._episode, []
        if stats.discarded or not stats.success:
            self.failed += not stats.discarded  # a broken camera is no fault of the demonstrator
            self._failed_in_a_row += 1
            if self._failed_in_a_row == FAILURES_ALLOWED:
                raise ConfigError(
                    f"environment {self._name}: expected {self._wanted} successful demonstrations, "
                    f"got {self.kept}, then {FAILURES_ALLOWED} failures in a row"
                )
            return
        for transition in episode:
            self._write(replace(transition, sequence=self._sequence, episode=self.kept))
            self._sequence += 1
        self.kept += 1
        self._failed_in_a_row = 0


@dataclass(frozen=True)
class DemonstrationSummary:
    """What is in a file of transitions. Per action element: over all transitions."""

    episodes: int
    steps: int
    successes: int  # episodes that reached success
    intervened_steps: int
    lengths: tuple[int, ...]
    mean_return: float
    action_mean: tuple[float, ...]
    action_std: tuple[float, ...]
    saturated: tuple[float, ...]  # share of actions at the bound of [-1, 1]
    observations: dict[str, tuple[int, ...]]  # names and shapes, in order

    @property
    def mean_length(self) -> float:
        return self.steps / self.episodes if self.episodes else 0.0


def summarise(transitions: Iterable[Transition]) -> DemonstrationSummary:
    lengths: dict[tuple[str, int], int] = {}  # of each episode, by actor and number
    solved: set[tuple[str, int]] = set()
    actions, total_return, intervened, observations = [], 0.0, 0, {}
    for t in transitions:
        episode = (t.actor, t.episode)
        lengths[episode] = lengths.get(episode, 0) + 1
        if t.success:
            solved.add(episode)
        actions.append(t.action)
        total_return += t.reward
        intervened += t.intervened
        observations = observations or {key: v.shape for key, v in t.observation.items()}
    table = np.array(actions, dtype=np.float64) if actions else np.zeros((1, 0))
    return DemonstrationSummary(
        episodes=len(lengths),
        steps=len(actions),
        successes=len(solved),
        intervened_steps=intervened,
        lengths=tuple(lengths.values()),
        mean_return=total_return / max(len(lengths), 1),
        action_mean=tuple(table.mean(axis=0).tolist()),
        action_std=tuple(table.std(axis=0).tolist()),
        saturated=tuple((np.abs(table) >= SATURATED).mean(axis=0).tolist()),
        observations=observations,
    )
