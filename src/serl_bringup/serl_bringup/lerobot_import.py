"""`serl demos import`: a LeRobot dataset as a file of transitions."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from serl_actor.environment import control_period_s, make_environment
from serl_actor.reset import DEFAULT_AGENT
from serl_bringup import lerobot
from serl_bringup.demonstrations import new_file
from serl_bringup.lerobot_dataset import Dataset, Row, vector
from serl_bringup.task import Task
from serl_learner.config import ConfigError, expect
from serl_learner.transition import ObservationSpec, Transition

# What the environment itself does not observe, but a recording may: see `serl locator`.
LOCATED = {"base_pose": 7, "object_position": 3}


def import_file(folder: Path, task: Task, path: Path) -> None:
    """Writes a dataset's episodes as transitions of the task, in a new file.

    Observations and actions are taken as they are: they have to be in the frame and at the rate of
    the task's environment. Raises ConfigError, one line, at what does not fit it.
    """
    dataset = Dataset(folder)
    spec, action_size = _expected(task, dataset)
    with new_file(path, task.task) as append:
        read = 0
        for transition in _transitions(dataset, spec, action_size):
            append(transition)
            read += 1
        whole = read == dataset.frames > 0
        expect(whole, f"{folder}/data", f"{dataset.frames} frames, and at least one", read)


def _expected(task: Task, dataset: Dataset) -> tuple[ObservationSpec, int]:
    """Observations, of which only a locator's may lack, and elements of an action."""
    environment = make_environment(replace(task.environment, locator=""))
    try:
        spaces = environment.observation_space.items()
        example = {name: np.zeros(space.shape, space.dtype) for name, space in spaces}
        (action_size,) = environment.action_space.shape
        rate_hz = 1.0 / control_period_s(environment)
    finally:
        environment.close()
    folder = dataset.folder
    same = math.isclose(dataset.fps, rate_hz, rel_tol=0.01)
    expect(same, f"{folder}: fps", f"{rate_hz:g}, the rate of {task.task}", dataset.fps)
    located = [name for name in LOCATED if name in dataset.places]
    if task.environment.locator and not located:
        located = ["base_pose"]  # without it nothing tells where the thing is that it would see
    example |= {name: np.zeros(LOCATED[name], np.float32) for name in located}
    complete = dataset.places.keys() >= example.keys()
    expect(complete, f"{folder}: observations", ", ".join(example), ", ".join(dataset.places))
    expect(lerobot.ACTION in dataset.features, f"{folder}: features", "an action", "none")
    return ObservationSpec.from_observation(example), action_size


def _transitions(dataset: Dataset, spec: ObservationSpec, action_size: int) -> Iterator[Transition]:
    names = [name for name, _ in spec.vectors + spec.images]
    seen = {dataset.places[name][0] for name in names}
    told = dataset.features.keys() & {lerobot.ACTION, *lerobot.OUTCOME}
    sequence = 0
    for number, rows in enumerate(dataset.episodes(seen | told)):
        for step, row in enumerate(rows):
            last = step == len(rows) - 1
            where = f"{dataset.folder}: transition {sequence}: {lerobot.DONE}"
            in_order = last or not row.get(lerobot.DONE)
            expect(in_order, where, "none before an episode's last frame", "one")
            try:
                observation = {name: dataset.look(row, name) for name in names}
                transition = Transition(
                    agent=DEFAULT_AGENT,
                    actor="lerobot",
                    sequence=sequence,
                    episode=number,
                    step=step,
                    observation=observation,
                    action=vector(row[lerobot.ACTION]),
                    **_outcome(row, last),
                    # Of what followed there is no frame: what was seen last stands for it.
                    final_observation=observation if last else None,
                )
                transition.check(spec, action_size)
            except (IndexError, KeyError, TypeError, ValueError) as error:  # or ConfigError
                reason = " ".join(str(error).split())
                raise ConfigError(f"{dataset.folder}: frame {sequence}: {reason}") from None
            yield transition
            sequence += 1


def _outcome(row: Row, last: bool) -> dict[str, Any]:
    """Fields of a transition. What a dataset does not tell is as a demonstration has it.

    Which a person shows, and which ends in success with a reward of 1.
    """
    told = lerobot.REWARD in row
    reward = _number(row, lerobot.REWARD, 0.0)
    success = bool(_number(row, lerobot.SUCCESS, last and (not told or reward > 0.0)))
    terminated = last and bool(_number(row, lerobot.DONE, success))
    return {
        "reward": reward if told else float(success),
        "terminated": terminated,
        "truncated": last and not terminated,
        "success": success,
        "intervened": bool(_number(row, lerobot.INTERVENED, 1.0)),
        "grasp_penalty": _number(row, lerobot.PENALTY, 0.0),
    }


def _number(row: Row, name: str, otherwise: float) -> float:
    value = np.asarray(row.get(name, otherwise), np.float64).ravel()
    expect(value.size == 1 and not np.isnan(value[0]), name, "a number", row.get(name))
    return float(value[0])
