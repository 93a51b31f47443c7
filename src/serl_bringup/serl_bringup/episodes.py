"""Episodes of a file of transitions: some of them in a new file, and all of them in one picture."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from rich.console import Console

from serl_bringup.demonstrations import new_file
from serl_learner.config import ConfigError, expect
from serl_learner.transition import Transition
from serl_learner.transition_log import load_transitions, read_task

SHOWN = 6  # frames per camera and episode, from its first to its last


def filter_file(
    source: Path, path: Path, drop: Collection[int], longest: int | None, console: Console
) -> None:
    """Copies the finished, successful episodes, numbered anew, but for those in `drop`.

    And but for those of more than `longest` steps. Raises ConfigError where none is left.
    """
    episodes = list(read_episodes(source))
    unknown = sorted(set(drop) - set(range(len(episodes))))
    expect(not unknown, f"{source}: --drop", f"numbers from 0 to {len(episodes) - 1}", unknown)
    kept = [
        episode
        for number, episode in enumerate(episodes)
        if number not in drop
        and _is_success(episode)
        and (longest is None or len(episode) <= longest)
    ]
    if not kept:
        raise ConfigError(f"{source}: expected a successful episode, {len(episodes)} have none")
    sequence = 0
    with new_file(path, read_task(source)) as append:
        for number, episode in enumerate(kept):
            for transition in episode:
                append(replace(transition, sequence=sequence, episode=number))
                sequence += 1
    console.print(f"kept {len(kept)} of {len(episodes)} episodes")


def picture_file(source: Path, path: Path) -> None:
    """A row per episode and camera, a few frames of each; red at the left where it failed."""
    rows = []
    for episode in read_episodes(source):
        colour = (0, 160, 0) if _is_success(episode) else (200, 0, 0)
        chosen = np.linspace(0, len(episode) - 1, SHOWN).astype(int)
        seen = [episode[i].observation for i in chosen[:-1]] + [_last(episode)]
        for name in [n for n, value in seen[0].items() if value.dtype == np.uint8]:
            frames = np.concatenate([observation[name] for observation in seen], axis=1)
            edge = np.full((frames.shape[0], 4, 3), colour, np.uint8)
            rows.append(np.concatenate([edge, frames], axis=1))
    if not rows:
        raise ConfigError(f"{source}: expected observations with images, to show them")
    imageio.imwrite(path, np.concatenate(rows))


def read_episodes(source: Path) -> Iterator[list[Transition]]:
    """In the order of the file; without those that were discarded. One is in memory at a time."""
    episodes = groupby(load_transitions(source), lambda t: (t.actor, t.episode))
    return (e for e in (list(steps) for _, steps in episodes) if not e[-1].discarded)


def _is_success(episode: list[Transition]) -> bool:
    return episode[-1].final_observation is not None and any(t.success for t in episode)


def _last(episode: list[Transition]) -> dict[str, np.ndarray]:
    last = episode[-1]
    return last.observation if last.final_observation is None else last.final_observation
