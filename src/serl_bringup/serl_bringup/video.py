"""A video of policies at work, H.264 so that a browser plays it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import gymnasium as gym
import imageio.v2 as imageio
import numpy as np
from rich.console import Console

from serl_actor.environment import control_period_s
from serl_actor.evaluation import EvaluationResult, evaluate, evaluate_turns
from serl_learner.config import ConfigError
from serl_learner.policy import Policy

EPISODES = 5
TURNS = 6
ENOUGH_S = 20.0  # no further episode is filmed after this much; rendering takes longer than acting

MakeEnvironment = Callable[..., gym.Env]  # takes `render_mode`
Take = Callable[[np.ndarray], None]  # of a frame


def film_policy(
    make: MakeEnvironment, policy: Policy, path: Path, seed: int, console: Console
) -> None:
    """Films up to five episodes; where the environment draws no pictures, says so."""

    def act(environment: gym.Env, number: int, take: Take) -> EvaluationResult:
        return evaluate(environment, policy, 1, seed + number, on_frame=take)

    _film(make, act, EPISODES, path, console)


def film_turns(
    make: MakeEnvironment, policies: Mapping[str, Policy], path: Path, seed: int, console: Console
) -> None:
    """Films up to six turns, likewise. The seed counts for the first alone: see PlannedReset."""

    def act(environment: gym.Env, number: int, take: Take) -> EvaluationResult:
        (result,) = evaluate_turns(environment, policies, 1, seed, on_frame=take).values()
        return result

    _film(make, act, TURNS, path, console)


def _film(
    make: MakeEnvironment,
    act: Callable[[gym.Env, int, Take], EvaluationResult],
    episodes: int,
    path: Path,
    console: Console,
) -> None:
    environment = None
    filmed_s = 0.0
    try:
        environment = make(render_mode="rgb_array")
        period_s = control_period_s(environment)
        with imageio.get_writer(path, fps=1 / period_s, macro_block_size=2, quality=8) as video:
            for number in range(episodes):
                result = act(environment, number, video.append_data)
                filmed_s += result.lengths[0] * period_s
                if filmed_s >= ENOUGH_S:
                    break
    except (NotImplementedError, RuntimeError, ConfigError, gym.error.Error) as error:
        path.unlink(missing_ok=True)  # a graphics stack that is missing must not end the run
        console.print(f"no video: {error}", soft_wrap=True)
    finally:
        if environment is not None:
            environment.close()
