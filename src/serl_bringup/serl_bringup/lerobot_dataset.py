"""A LeRobot dataset on the disk: its frames in order, images of both kinds."""

import json
from collections.abc import Iterator
from itertools import groupby, islice
from numbers import Number
from operator import itemgetter
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serl_bringup import lerobot
from serl_learner.config import ConfigError, expect

NEEDED = {"features": dict, "fps": Number, "total_frames": int}  # of info.json
ROWS = 64  # of the frames, read at a time

Row = dict[str, Any]  # a frame's values, but for those in videos


class Dataset:
    """What is read of it. Raises ConfigError, one line, where it is not of this format."""

    def __init__(self, folder: Path):
        self.folder = folder
        info = _read_info(folder)
        self.features: dict[str, lerobot.Feature] = info["features"]
        self.fps: float = info["fps"]
        self.frames: int = info["total_frames"]
        self.places = lerobot.places_of(self.features)
        self._films = {
            key: _Film(folder, info, key)
            for key, feature in self.features.items()
            if feature["dtype"] == "video"
        }

    def episodes(self, keys: set[str]) -> Iterator[list[Row]]:
        """The rows of each, with the values of these features."""
        columns = {"episode_index", "timestamp", *keys} - self._films.keys()
        rows = _read_table(self.folder, "data", sorted(columns))
        return (list(episode) for _, episode in groupby(rows, itemgetter("episode_index")))

    def look(self, row: Row, name: str) -> np.ndarray:
        """An observation of the frame: float32 (n,), or what the image is."""
        key, elements = self.places[name]
        if key in self._films:
            return self._films[key].look(row["episode_index"], row["timestamp"])
        if self.features[key]["dtype"] == "image":
            return _decode(row[key], f"{self.folder}: {key}")
        values = vector(row[key])
        return values if elements is None else values[elements]


def vector(value: Any) -> np.ndarray:
    """Where there is one element, a column has numbers and no lists."""
    return np.atleast_1d(np.asarray(value, np.float32))


class _Film:
    """A camera's video files, of which frames are looked at in order."""

    def __init__(self, folder: Path, info: dict[str, Any], key: str):
        self._where = f"{folder}/meta/episodes"
        self._fps: float = info["fps"]
        self._places: dict[int, tuple[Path, float]] = {}  # of an episode: its file, and where, s
        names = [f"videos/{key}/{n}" for n in ("chunk_index", "file_index", "from_timestamp")]
        for row in _read_table(folder, "meta/episodes", ["episode_index", *names]):
            chunk, file, start = (row[name] for name in names)
            place = info["video_path"].format(video_key=key, chunk_index=chunk, file_index=file)
            self._places[row["episode_index"]] = folder / place, start
        self._path: Path | None = None
        self._frames: Iterator[np.ndarray] = iter(())
        self._next = 0

    def look(self, episode: int, timestamp: float) -> np.ndarray:
        """The frame at a time, s, of an episode: uint8 (height, width, 3)."""
        expect(episode in self._places, self._where, f"episode {episode}", "none")
        path, start = self._places[episode]
        number = round((start + timestamp) * self._fps)
        if path != self._path or number < self._next:
            # At that rate, whatever the file's own: the number of a frame tells its time.
            self._frames = imageio.imiter(path, plugin="FFMPEG", fps=self._fps)
            self._path, self._next = path, 0
        try:
            frame = next(islice(self._frames, number - self._next, None), None)
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigError(f"{path}: no video: {_one_line(error)}") from None
        self._next = number + 1
        expect(frame is not None, str(path), f"a frame at {number / self._fps:.2f} s", "none")
        return frame


def _read_info(folder: Path) -> dict[str, Any]:
    path = folder / lerobot.INFO
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: no LeRobot dataset: {reason}") from None
    expect(isinstance(info, dict), str(path), "a mapping", type(info).__name__)
    version = info.get("codebase_version")
    expected = f"{lerobot.VERSION}, which LeRobot's own converter makes of an older dataset"
    expect(version == lerobot.VERSION, f"{path}: codebase_version", expected, version)
    for name, kind in NEEDED.items():
        expect(isinstance(info.get(name), kind), f"{path}: {name}", kind.__name__, info.get(name))
    for key, feature in info["features"].items():
        described = isinstance(feature, dict) and isinstance(feature.get("dtype"), str)
        expect(described, f"{path}: features: {key}", "a mapping with a dtype", feature)
        if feature["dtype"] == "video":
            place = info.get("video_path")
            expect(isinstance(place, str), f"{path}: video_path", "a path, with videos", place)
    return info


def _read_table(folder: Path, place: str, columns: list[str]) -> Iterator[Row]:
    """The rows of all files there, in the order of their names."""
    for path in sorted((folder / place).glob("*/*.parquet")):
        try:
            with pq.ParquetFile(path) as file:
                missing = ", ".join(sorted(set(columns) - set(file.schema_arrow.names)))
                expect(not missing, str(path), f"columns {', '.join(columns)}", f"no {missing}")
                for batch in file.iter_batches(ROWS, columns=columns):
                    yield from batch.to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise ConfigError(f"{path}: cannot be read: {_one_line(error)}") from None


def _decode(stored: dict[str, Any] | None, where: str) -> np.ndarray:
    try:
        return imageio.imread(stored["bytes"])
    except (OSError, TypeError, ValueError) as error:
        raise ConfigError(f"{where}: no image: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
