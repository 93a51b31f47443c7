"""`serl demos export`: a file's finished episodes as a LeRobot dataset."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from serl_bringup import lerobot
from serl_bringup.episodes import read_episodes
from serl_bringup.lerobot_frames import (
    FILE_MB,
    FILES_IN_FOLDER,
    FrameFiles,
    column,
    sampled,
    statistics,
)
from serl_learner.config import ConfigError
from serl_learner.transition import ObservationSpec, Transition
from serl_learner.transition_log import read_task


def export_file(source: Path, folder: Path, fps: int, console: Console) -> None:
    """Writes the finished episodes, but for those that were discarded. Whole, or not there.

    What an episode ended with, its last `final_observation`, has no place in a frame. `fps`: the
    steps in a second. Raises ConfigError where there is no finished episode, or the folder exists.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists: expected the name of a new folder")
    finished = (e for e in read_episodes(source) if e[-1].final_observation is not None)
    first = next(finished, None)
    if first is None:
        raise ConfigError(f"{source}: expected a finished episode, got none")
    spec = ObservationSpec.from_observation(first[0].observation)
    with _new_folder(folder) as unfinished:
        dataset = _Dataset(unfinished, spec, first[0].action.size, fps, read_task(source))
        for episode in chain([first], finished):
            dataset.append(episode)
        dataset.close()
    counted = f"{len(dataset.episodes)} episodes, {dataset.frames} frames"
    console.print(f"{folder}: {counted}", soft_wrap=True)


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder, which comes to be `folder` when it has been filled."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
        unfinished = Path(beside, folder.name)
        unfinished.mkdir()
        yield unfinished
        unfinished.rename(folder)


class _Dataset:
    """One that is being written, an episode at a time."""

    def __init__(self, folder: Path, spec: ObservationSpec, action_size: int, fps: int, task: str):
        self.frames = 0
        self.episodes: list[dict[str, Any]] = []  # rows of meta/episodes
        self._folder = folder
        self._spec = spec
        self._action_size = action_size
        self._fps = fps
        self._task = task
        self._features = lerobot.features_of(spec, action_size)
        self._files = FrameFiles(folder, lerobot.schema_of(self._features))
        self._samples: dict[str, list[np.ndarray]] = {key: [] for key in self._features}

    def append(self, episode: list[Transition]) -> None:
        for transition in episode:
            transition.check(self._spec, self._action_size)
        values = self._values(episode)
        samples = {key: sampled(value) for key, value in values.items()}
        for key, sample in samples.items():
            self._samples[key].append(sample)
        place = self._files.append([column(values[k], f) for k, f in self._features.items()])
        begin, self.frames = self.frames, self.frames + len(episode)
        row = {
            "episode_index": len(self.episodes),
            "tasks": [self._task],
            "length": len(episode),
            **{f"data/{name}": number for name, number in place.items()},
            "dataset_from_index": begin,
            "dataset_to_index": self.frames,
        }
        for key, sample in samples.items():
            row |= {f"stats/{key}/{name}": value for name, value in statistics(sample).items()}
        self.episodes.append(row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})

    def _values(self, episode: list[Transition]) -> dict[str, np.ndarray]:
        """Of each feature, (T,), (T, n) or (T, height, width, 3)."""
        steps = np.arange(len(episode))
        values = {
            lerobot.IMAGES + name: np.stack([t.observation[name] for t in episode])
            for name, _ in self._spec.images
        }
        if self._spec.vectors:
            values[lerobot.STATE] = np.stack([self._spec.flatten(t.observation) for t in episode])
        return values | {
            lerobot.ACTION: np.stack([t.action for t in episode]),
            lerobot.REWARD: np.array([t.reward for t in episode], np.float32),
            lerobot.DONE: np.array([t.terminated for t in episode]),
            lerobot.SUCCESS: np.array([t.success for t in episode]),
            lerobot.INTERVENED: np.array([t.intervened for t in episode]),
            lerobot.PENALTY: np.array([t.grasp_penalty for t in episode], np.float32),
            "timestamp": (steps / self._fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full_like(steps, len(self.episodes)),
            "index": self.frames + steps,
            "task_index": np.zeros_like(steps),
        }

    def close(self) -> None:
        self._files.close()
        meta = self._folder / "meta"
        episodes = meta / "episodes/chunk-000/file-000.parquet"
        episodes.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self.episodes), episodes)
        pq.write_table(lerobot.tasks_table(self._task), meta / "tasks.parquet")
        samples = {key: np.concatenate(parts) for key, parts in self._samples.items()}
        _write_json({key: statistics(s) for key, s in samples.items()}, meta / "stats.json")
        _write_json(self._info(), self._folder / lerobot.INFO)

    def _info(self) -> dict[str, Any]:
        return {
            "codebase_version": lerobot.VERSION,
            "robot_type": None,
            "total_episodes": len(self.episodes),
            "total_frames": self.frames,
            "total_tasks": 1,
            "chunks_size": FILES_IN_FOLDER,
            "data_files_size_in_mb": FILE_MB,
            "video_files_size_in_mb": 200,  # of which there are none
            "fps": self._fps,
            "splits": {"train": f"0:{len(self.episodes)}"},
            "data_path": lerobot.DATA,
            "video_path": None,
            "features": self._features,
        }


def _write_json(content: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
