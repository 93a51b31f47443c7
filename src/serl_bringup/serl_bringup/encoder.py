"""`serl encoder`: files for `encoder.weights`, converted from SERL's or trained here."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress as ProgressBar

from serl_actor import frames
from serl_actor.environment import make_environment
from serl_bringup.task import Task
from serl_learner.backbone import make_backbone, save_backbone
from serl_learner.compute import tuned_process
from serl_learner.config import ConfigError
from serl_learner.pretrain import PretrainConfig, pretrain
from serl_learner.serl_weights import convert_serl_weights


def convert(source: Path, output: Path, console: Console) -> None:
    """`source`: SERL's resnet10_params.pkl; `output`: a .safetensors file."""
    backbone = convert_serl_weights(source, output)
    console.print(f"{output}: {backbone.name} {backbone.digest[:12]}", soft_wrap=True)


def pretrain_file(task: Task, steps: int, output: Path, seed: int, console: Console) -> None:
    """Pre-trains the task's backbone on its own images, and writes what `encoder.weights` takes."""
    images, cameras, poses = collect(task, steps, seed, console)
    backbone = make_backbone(task.encoder.backbone, "random")
    config = PretrainConfig()
    with ProgressBar(console=console, transient=True) as bar, tuned_process(os.cpu_count() or 1):
        shown = bar.add_task("training the backbone", total=config.steps)
        errors: list[float] = []

        def say(step: int, error: float) -> None:
            errors.append(error)
            bar.update(shown, completed=step + 1)

        trained = pretrain(backbone, images, cameras, poses, config, seed, say)
    save_backbone(trained, output)
    console.print(
        f"{output}: {trained.name} that tells the tool's pose from one of {len(images)} images with"
        f" {np.mean(errors[-50:]):.2f} of its standard deviation as error",
        soft_wrap=True,
    )


def collect(
    task: Task, steps: int, seed: int, console: Console
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, the number of each one's camera, and where the goal is seen from the tool there.

    The goal (6,: m, rad) is where the first episode ends: as fixed a place even if that one fails.
    Half of the episodes are demonstrated, where the environment has a demonstrator; in the others
    the tool wanders, with actions that last.
    """
    config = replace(task.environment, relative_frame=False)
    wandering = make_environment(config)
    shown = make_environment(config, demonstrator_seed=seed) if config.demonstrator else wandering
    names = [n for n, s in wandering.observation_space.items() if len(s.shape) == 3]
    if not names or "pose" not in wandering.observation_space.spaces:
        raise ConfigError(f"{task.task}: expected observations of cameras and 'pose'")
    rng = np.random.default_rng(seed)
    images, poses = [], []
    goal = None
    try:
        with ProgressBar(console=console, transient=True) as bar:
            progress = bar.add_task(f"collecting {steps} steps", total=steps)
            episode = 0
            while len(poses) < steps:
                environment = (shown, wandering)[episode % 2]
                observation, _ = environment.reset(seed=int(rng.integers(2**31)))
                action, done = np.zeros(environment.action_space.shape), False
                while not done and len(poses) < steps:
                    images += [observation[name] for name in names]
                    poses.append(observation["pose"])
                    drift = rng.uniform(-1, 1, action.shape)
                    action = np.clip(0.9 * action + 0.5 * drift, -1.0, 1.0)
                    observation, _, terminated, truncated, _ = environment.step(action)
                    done = terminated or truncated
                    bar.update(progress, completed=len(poses))
                goal = observation["pose"] if goal is None else goal
                episode += 1
    finally:
        wandering.close()
        shown.close()
    cameras = np.tile(np.arange(len(names)), len(poses))
    goals = np.stack([frames.pose_vector(frames.relative(pose, goal)) for pose in poses])
    return np.stack(images), cameras, np.repeat(goals, len(names), axis=0)
