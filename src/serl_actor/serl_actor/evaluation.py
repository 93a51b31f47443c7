"""Evaluates a policy as it would be used: deterministic, from starts that only the seed decides."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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


@dataclass
class RewardErrors:
    """The false-positive meter: how often a reward was wrong, where the truth is known."""

    steps: int = 0
    solved_steps: int = 0  # of them, in truth
    false_positive_steps: int = 0  # said to be a success, and not one
    false_negative_steps: int = 0
    false_successes: int = 0  # episodes that ended as a success without one
    missed_successes: int = 0  # episodes with a success that was not noticed

    def add(self, judged: bool, true: bool) -> None:
        self.steps += 1
        self.solved_steps += true
        self.false_positive_steps += judged and not true
        self.false_negative_steps += true and not judged

    def end_episode(self, judged: bool, true: bool) -> None:
        self.false_successes += judged and not true
        self.missed_successes += true and not judged


@dataclass(frozen=True)
class EvaluationResult:
    """One entry per episode, in order. Success is true success, where the truth is known."""

    successes: tuple[bool, ...]
    lengths: tuple[int, ...]  # steps
    returns: tuple[float, ...]  # undiscounted
    control_period_s: float
    errors: RewardErrors | None = None  # of a reward from outside, where the truth is known
    rescues: int = 0  # something was put back from outside before so many episodes

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


Outcome = tuple[bool, int, float]  # of an episode: success, length and return


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
    where the environment draws none). Where a reward from outside judges, episodes end as it says,
    and its errors are counted. A camera or a reward that fails ends it with Fault.
    """
    if episodes < 1:
        raise ConfigError(f"episodes: expected at least 1, got {episodes}")
    errors = RewardErrors()
    outcomes = []
    for episode_seed in np.random.SeedSequence(seed).generate_state(episodes):
        observation, _ = environment.reset(seed=int(episode_seed))
        outcomes.append(_episode(environment, policy, observation, errors, on_frame))
    return _result(outcomes, errors, environment)


def evaluate_turns(
    environment: gym.Env,
    policies: Mapping[str, EvaluatedPolicy],
    turns: int,
    seed: int,
    *,
    on_frame: Callable[[np.ndarray], None] | None = None,
) -> dict[str, EvaluationResult]:
    """As `evaluate`, of agents that take turns: the world is placed once, by `seed`.

    Each episode then begins where the one before has left the world, and is that of the agent in
    the reset's `info["agent"]`. An agent that never had a turn has no result.
    """
    outcomes, rescues = {name: [] for name in policies}, Counter()
    errors = {name: RewardErrors() for name in policies}
    for turn in range(turns):
        observation, info = environment.reset(seed=seed if turn == 0 else None)
        agent = info["agent"]
        rescues[agent] += bool(info.get("rescued", False))
        outcome = _episode(environment, policies[agent], observation, errors[agent], on_frame)
        outcomes[agent].append(outcome)
    return {
        agent: _result(of_agent, errors[agent], environment, rescues[agent])
        for agent, of_agent in outcomes.items()
        if of_agent
    }


def _result(
    outcomes: Sequence[Outcome], errors: RewardErrors, environment: gym.Env, rescues: int = 0
) -> EvaluationResult:
    successes, lengths, returns = zip(*outcomes, strict=True)
    known = errors if errors.steps else None
    period_s = control_period_s(environment)
    return EvaluationResult(successes, lengths, returns, period_s, known, rescues)


def _episode(
    environment: gym.Env,
    policy: EvaluatedPolicy,
    observation: Observation,  # of its reset
    errors: RewardErrors,
    on_frame: Callable[[np.ndarray], None] | None,
) -> Outcome:
    policy.begin_episode()
    judged = solved = knows = done = False
    length, total = 0, 0.0
    _film(environment, on_frame)
    while not done:
        action = policy.act(observation, deterministic=True)
        observation, reward, terminated, truncated, info = environment.step(action)
        now_judged = is_success(info)
        now_solved = info.get("true_success", now_judged)
        judged, solved = judged or now_judged, solved or now_solved
        if "true_success" in info:
            knows = True
            errors.add(now_judged, now_solved)
        length += 1
        total += reward
        done = terminated or truncated
        _film(environment, on_frame)
    if knows:
        errors.end_episode(judged, solved)
    return solved, length, total


def _film(environment: gym.Env, on_frame: Callable[[np.ndarray], None] | None) -> None:
    if on_frame is None:
        return
    frame = environment.render()
    if frame is None:
        raise NotImplementedError("the environment draws no pictures")
    on_frame(frame)
