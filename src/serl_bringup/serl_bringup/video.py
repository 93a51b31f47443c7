"""A video of a policy at work, H.264 so that a browser plays it."""

from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import imageio.v2 as imageio
from rich.console import Console

from serl_actor.environment import control_period_s, make_environment
from serl_actor.evaluation import evaluate
from serl_bringup.task import Task
from serl_learner.config import ConfigError
from serl_learner.policy import Policy

EPISODES = 5
ENOUGH_S = 20.0  # no further episode is filmed after this much; rendering takes longer than acting


def record_video(
    task: Task,
    policy: Policy,
    path: Path,
    seed: int,
    console: Console,
    judged: Callable[[gym.Env], gym.Env] | None = None,
) -> None:
    """Films up to five episodes; where the environment draws no pictures, says so.

    `judged` as `make_environment` takes it.
    """
    environment = None
    filmed_s = 0.0
    try:
        environment = make_environment(task.environment, judged=judged, render_mode="rgb_array")
        period_s = control_period_s(environment)
        with imageio.get_writer(path, fps=1 / period_s, macro_block_size=2, quality=8) as video:
            for episode in range(EPISODES):
                result = evaluate(
                    environment, policy, 1, seed + episode, on_frame=video.append_data
                )
                filmed_s += result.lengths[0] * period_s
                if filmed_s >= ENOUGH_S:
                    break
    except (NotImplementedError, RuntimeError, ConfigError, gym.error.Error) as error:
        path.unlink(missing_ok=True)  # a graphics stack that is missing must not end the run
        console.print(f"no video: {error}", soft_wrap=True)
    finally:
        if environment is not None:
            environment.close()
