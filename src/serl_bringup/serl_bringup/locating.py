"""`serl locator`: records what a locator learns from, and trains it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress as ProgressBar

from serl_actor import frames
from serl_actor.demonstrations import DEMONSTRATOR
from serl_actor.environment import EnvironmentConfig, make_environment
from serl_bringup.demonstrations import new_file, record_file
from serl_bringup.episodes import read_episodes
from serl_bringup.task import Task
from serl_learner.compute import tuned_process
from serl_learner.config import expect
from serl_learner.locator import load_locator, save_locator
from serl_learner.locator_training import STEPS, errors, label, train_locator
from serl_learner.transition import Observation, Transition
from serl_learner.transition_log import load_transitions, read_task

WANDER = 60  # steps: what a policy comes to see, a demonstrator alone does not show


def collect_file(
    task: Task,
    episodes: int,
    seed: int,
    path: Path,
    device: str,
    console: Console,
    view: bool = False,
) -> None:
    """Records demonstrations, before each of which the arm wanders, in a new file."""
    _check_senses(task)
    if device != "scripted":
        console.print(f"move, and the arm wanders for up to {WANDER} steps; then it is yours")
    limit = task.environment.max_episode_steps
    environment = replace(task.environment, locator="", max_episode_steps=limit and limit + WANDER)
    task = replace(task, environment=environment)
    who = device, view
    record_file(task, episodes, seed, path, console, *who, wander=WANDER, base_pose=True)


def _check_senses(task: Task) -> None:
    """Before anybody demonstrates anything."""
    environment = make_environment(replace(task.environment, locator=""))
    spaces = environment.observation_space.spaces
    environment.close()
    has_cameras = any(len(space.shape) == 3 for space in spaces.values())
    enough = has_cameras and "gripper" in spaces and "pose" in spaces
    expect(enough, f"{task.task}: observations", "cameras, gripper and pose", ", ".join(spaces))


def train_file(
    tasks: Sequence[str], recordings: Sequence[Path], seed: int, output: Path, console: Console
) -> None:
    """Trains on nine of ten episodes, and says how far off it is in the others.

    `tasks`: names of those that the recordings may be of.
    """
    for path in recordings:
        name = read_task(path)
        expect(name in tasks, f"{path}", f"a recording of {' or '.join(tasks)}", f"one of {name}")
    data = label(episode for path in recordings for episode in read_episodes(path))
    learned, held_out = data.split()
    expect(len(held_out.poses), "episodes", "at least 10", 1 + int(data.episodes.max()))
    output.parent.mkdir(parents=True, exist_ok=True)  # rather refused now than after minutes
    with ProgressBar(console=console, transient=True) as bar, tuned_process(os.cpu_count() or 1):
        shown = bar.add_task("training the locator", total=STEPS)
        locator = train_locator(learned, STEPS, seed, lambda step: bar.advance(shown))
        off = 1e3 * errors(locator, held_out)
    median, worse = np.percentile(off, (50, 90))
    figures = {"median_error_mm": float(median), "error_of_nine_in_ten_mm": float(worse)}
    save_locator(locator, figures, output)
    console.print(
        f"{output}: learned from {len(learned.poses)} frames; {median:.0f} mm off in the median of"
        f" {len(held_out.poses)} frames of other episodes, {worse:.0f} mm in one of ten or more",
        soft_wrap=True,
    )


def located_file(source: Path, config: EnvironmentConfig, path: Path) -> None:
    """What was recorded with the tool's pose, as demonstrations in an environment, in a new file.

    Without that pose, without the steps before somebody took over, in which the arm wandered, and
    with what the environment's locator sees.
    """
    locator = load_locator(config.locator) if config.locator else None

    def seen(observation: Observation) -> Observation:
        below = observation | {"pose": observation["base_pose"]}
        kept = {name: value for name, value in observation.items() if name != "base_pose"}
        if locator is None:
            return kept
        position = locator.look(below)
        if config.relative_frame:
            position = frames.position_seen_from(below["pose"], position).astype(np.float32)
        return kept | {"object_position": position}

    sequence = 0
    with new_file(path, read_task(source)) as append:
        for number, episode in enumerate(read_episodes(source)):
            shown = _shown(episode)
            for step, transition in enumerate(shown):
                final = transition.final_observation
                transition.observation = seen(transition.observation)
                transition.final_observation = None if final is None else seen(final)
                append(replace(transition, sequence=sequence, episode=number, step=step))
                sequence += 1


def _shown(episode: list[Transition]) -> list[Transition]:
    """Of other recordings than a demonstrator's, all: policies and people have made them."""
    if episode[0].actor != DEMONSTRATOR:
        return episode
    return list(dropwhile(lambda transition: not transition.intervened, episode))


def has_base_pose(source: Path) -> bool:
    """Whether it was recorded with the tool's pose in the base frame."""
    first = next(load_transitions(source), None)
    return first is not None and "base_pose" in first.observation
