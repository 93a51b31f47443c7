"""`serl locator`: records what a locator learns from, and trains it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress as ProgressBar

from serl_bringup.demonstrations import record_file
from serl_bringup.task import Task
from serl_learner.compute import tuned_process
from serl_learner.config import expect
from serl_learner.locator import save_locator
from serl_learner.locator_training import LocatorConfig, errors, label, train_locator
from serl_learner.transition_log import load_transitions

WANDER = 60  # steps: what a policy comes to see, a demonstrator alone does not show


def collect_file(
    task: Task, episodes: int, seed: int, path: Path, device: str, console: Console
) -> None:
    """Records episodes in which the gripper takes something, in the base frame, in a new file.

    At first the arm wanders; a person is asked to let it.
    """
    if device != "scripted":
        console.print("move all over the bin first, open and shut; then take the object")
    limit = task.environment.max_episode_steps
    environment = replace(
        task.environment,
        relative_frame=False,
        locator="",
        max_episode_steps=limit and limit + WANDER,
    )
    task = replace(task, environment=environment)
    record_file(task, episodes, seed, path, console, device, WANDER)


def train_file(recordings: Sequence[Path], seed: int, output: Path, console: Console) -> None:
    """Trains on nine of ten episodes, and says how far off it is in the others."""
    data = label(load_transitions(path) for path in recordings)
    learned, held_out = data.split()
    expect(len(held_out.poses), "episodes", "at least 10", 1 + int(data.episodes.max()))
    output.parent.mkdir(parents=True, exist_ok=True)  # rather refused now than after minutes
    config = LocatorConfig()
    with ProgressBar(console=console, transient=True) as bar, tuned_process(os.cpu_count() or 1):
        shown = bar.add_task("training the locator", total=config.steps)
        locator = train_locator(learned, config, seed, lambda step: bar.advance(shown))
        off = 1e3 * errors(locator, held_out)
    median, worse = np.percentile(off, (50, 90))
    figures = {"median_error_mm": float(median), "error_of_nine_in_ten_mm": float(worse)}
    save_locator(locator, figures, output)
    console.print(
        f"{output}: learned from {len(learned.poses)} frames; {median:.0f} mm off in the median of"
        f" {len(held_out.poses)} frames of other episodes, {worse:.0f} mm in one of ten or more",
        soft_wrap=True,
    )
