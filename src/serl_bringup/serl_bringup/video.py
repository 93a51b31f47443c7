"""A video of policies at work, H.264 so that a browser plays it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import gymnasium as gym
import imageio.v2 as imageio
import numpy as np
from rich.console import Console

from serl_actor.environment import control_period_s
from serl_actor.evaluation import evaluate, evaluate_turns
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

    def act(environment: gym.Env, take: Take) -> None:
        filmed_s = 0.0
        for episode in range(EPISODES):
            result = evaluate(environment, policy, 1, seed + episode, on_frame=take)
            filmed_s += result.lengths[0] * result.control_period_s
            if filmed_s >= ENOUGH_S:
                return

    _film(make, act, path, console)


def film_turns(
    make: MakeEnvironment, policies: Mapping[str, Policy], path: Path, seed: int, console: Console
) -> None:
    """Films six turns, likewise."""

    def act(environment: gym.Env, take: Take) -> None:
        evaluate_turns(environment, policies, TURNS, seed, on_frame=take)

    _film(make, act, path, console)


def _film(
    make: MakeEnvironment, act: Callable[[gym.Env, Take], None], path: Path, console: Console
) -> None:
    environment = None
    try:
        environment = make(render_mode="rgb_array")
        fps = 1 / control_period_s(environment)
        with imageio.get_writer(path, fps=fps, macro_block_size=2, quality=8) as video:
            act(environment, video.append_data)
    except (NotImplementedError, RuntimeError, ConfigError, gym.error.Error) as error:
        path.unlink(missing_ok=True)  # a graphics stack that is missing must not end the run
        console.print(f"no video: {error}", soft_wrap=True)
    finally:
        if environment is not None:
            environment.close()
