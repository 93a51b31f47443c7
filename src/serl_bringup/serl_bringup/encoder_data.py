"""What a backbone is pre-trained on: images that the robot labels itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from rich.console import Console
from rich.progress import Progress as ProgressBar

from serl_actor import frames
from serl_actor.environment import demonstrator_of, make_environment
from serl_actor.wandering import drifted
from serl_bringup.task import Task
from serl_learner.config import ConfigError


@dataclass
class _Episode:
    """T steps, and what was seen after the last one."""

    images: list[np.ndarray] = field(default_factory=list)  # T times the cameras
    poses: list[np.ndarray] = field(default_factory=list)  # T of (7,), the tool's
    end: np.ndarray | None = None  # (7,)


def collect(
    tasks: Sequence[Task], steps: int, seed: int, console: Console
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, the number of each one's camera, and labels (M, 6): m, rad, from the tool.

    Where the goal is seen: where the first episode ends, as fixed a place even if that one fails.
    Of each task's episodes half are demonstrated, where the environment has a demonstrator; in the
    others the tool wanders.
    """
    episodes: list[_Episode] = []
    with ProgressBar(console=console, transient=True) as bar:
        shown = bar.add_task(f"collecting {steps} steps", total=steps)
        for task in tasks:
            share = -(-steps // len(tasks))
            episodes += _record(task, share, seed, lambda: bar.advance(shown))
    images = np.stack([image for episode in episodes for image in episode.images])
    poses = [pose for episode in episodes for pose in episode.poses]
    cameras = np.tile(np.arange(len(images) // len(poses)), len(poses))
    labels = np.stack([_seen_from(pose, episodes[0].end) for pose in poses])
    return images, cameras, np.repeat(labels, cameras.max() + 1, axis=0)


def _record(task: Task, steps: int, seed: int, progress: Callable[[], None]) -> list[_Episode]:
    config = replace(task.environment, relative_frame=False, locator="")
    wandering = make_environment(config)
    shown = wandering
    if config.demonstrator:
        shown = make_environment(config, device=demonstrator_of(config, seed))
    names = [n for n, s in wandering.observation_space.items() if len(s.shape) == 3]
    if not names or "pose" not in wandering.observation_space.spaces:
        raise ConfigError(f"{task.task}: expected observations of cameras and 'pose'")
    rng = np.random.default_rng(seed)
    episodes: list[_Episode] = []
    made = 0
    try:
        while made < steps:
            environment, episode = (shown, wandering)[len(episodes) % 2], _Episode()
            observation, _ = environment.reset(seed=int(rng.integers(2**31)))
            action, done = np.zeros(environment.action_space.shape), False
            while not done and made < steps:
                episode.images += [observation[name] for name in names]
                episode.poses.append(observation["pose"])
                action = drifted(action, rng)
                observation, _, terminated, truncated, _ = environment.step(action)
                done = terminated or truncated
                made += 1
                progress()
            episode.end = observation["pose"]
            episodes.append(episode)
    finally:
        wandering.close()
        shown.close()
    return episodes


def _seen_from(pose: np.ndarray, place: np.ndarray) -> np.ndarray:  # (6,) m, rad
    return frames.pose_vector(frames.relative(pose, place))
