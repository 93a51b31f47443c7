"""Evaluates a policy as it would be used: deterministic, from starts that only the seed decides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import gymnasium as gym
import numpy as np

from serl_actor.environment import control_period_s, is_success
from serl_learner.config import ConfigError
from serl_learner.statistics import wilson_interval
from serl_learner.transition import Observation


class EvaluatedPolicy(Protocol):
    def begin_episode(self) -> None: ...

    def act(self, observation: Observation, deterministic: bool) -> np.ndarray: ...


@dataclass(frozen=True)
class EvaluationResult:
    """One entry per episode, in order."""

    successes: tuple[bool, ...]
    lengths: tuple[int, ...]  # steps
    returns: tuple[float, ...]  # undiscounted
    control_period_s: float

    @property
    def episodes(self) -> int:
        return len(self.lengths)

    @property
    def success_rate(self) -> float:
        return sum(self.successes) / self.episodes

    @property
    def success_interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the success rate."""
        return wilson_interval(sum(self.successes), self.episodes)

    @property
    def cycle_time_s(self) -> float | None:
        """Mean time of the successful episodes; None without one."""
        lengths = [n for n, solved in zip(self.lengths, self.successes, strict=True) if solved]
        return float(np.mean(lengths)) * self.control_period_s if lengths else None

    @property
    def mean_return(self) -> float:
        return float(np.mean(self.returns))


def evaluate(
    environment: gym.Env,
    policy: EvaluatedPolicy,
    episodes: int,
    seed: int,
    *,
    on_frame: Callable[[np.ndarray], None] | None = None,
) -> EvaluationResult:
    """Runs the policy's deterministic action for `episodes` episodes.

    Each episode has a seed of its own, so that two policies meet the same starts. `on_frame` gets a
    picture, uint8 (H, W, 3), of every state (needs render_mode="rgb_array"; NotImplementedError
    where the environment draws none). A camera that fails ends it with CameraFault.
    """
    if episodes < 1:
        raise ConfigError(f"episodes: expected at least 1, got {episodes}")
    seeds = np.random.SeedSequence(seed).generate_state(episodes)
    results = [_episode(environment, policy, int(s), on_frame) for s in seeds]
    successes, lengths, returns = zip(*results, strict=True)
    return EvaluationResult(successes, lengths, returns, control_period_s(environment))


def _episode(
    environment: gym.Env,
    policy: EvaluatedPolicy,
    seed: int,
    on_frame: Callable[[np.ndarray], None] | None,
) -> tuple[bool, int, float]:
    observation, _ = environment.reset(seed=seed)
    policy.begin_episode()
    success, length, total, done = False, 0, 0.0, False
    _film(environment, on_frame)
    while not done:
        action = policy.act(observation, deterministic=True)
        observation, reward, terminated, truncated, info = environment.step(action)
        success = success or is_success(info)
        length += 1
        total += reward
        done = terminated or truncated
        _film(environment, on_frame)
    return success, length, total


def _film(environment: gym.Env, on_frame: Callable[[np.ndarray], None] | None) -> None:
    if on_frame is None:
        return
    frame = environment.render()
    if frame is None:
        raise NotImplementedError("the environment draws no pictures")
    on_frame(frame)
