"""The frames of a LeRobot dataset that is being written: columns, files, statistics."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serl_bringup import lerobot
from serl_bringup.lerobot import Feature

FILE_MB = 100  # after which another file is begun
FILES_IN_FOLDER = 1000
SAMPLED = 10  # images of each camera and episode that statistics are of
STRIDE = 4  # px, between those of their pixels that are


class FrameFiles:
    """The frames, a row group per episode."""

    def __init__(self, folder: Path, schema: pa.Schema):
        self._folder = folder
        self._schema = schema
        self._number = -1
        self._written = 0  # bytes, in the file that is open
        self._writer: pq.ParquetWriter | None = None

    def append(self, columns: list[pa.Array]) -> dict[str, int]:
        """Says which file got them."""
        if self._writer is None or self._written >= FILE_MB * 1e6:
            self._open_next()
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._writer.write_table(table)
        self._written += table.nbytes
        return self._place

    @property
    def _place(self) -> dict[str, int]:
        return {
            "chunk_index": self._number // FILES_IN_FOLDER,
            "file_index": self._number % FILES_IN_FOLDER,
        }

    def _open_next(self) -> None:
        self.close()
        self._number += 1
        self._written = 0
        path = self._folder / lerobot.DATA.format(**self._place)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(path, self._schema)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def column(values: np.ndarray, feature: Feature) -> pa.Array:
    """An episode's values of a feature: (T,), (T, n), or images (T, height, width, 3) as PNG."""
    if feature["dtype"] == "image":
        pictures = [imageio.imwrite("<bytes>", image, extension=".png") for image in values]
        names = [f"frame-{step:06d}.png" for step in range(len(pictures))]
        return pa.StructArray.from_arrays([pictures, names], ["bytes", "path"])
    elements = pa.array(values.ravel(), pa.type_for_alias(feature["dtype"]))
    (size,) = feature["shape"]
    return elements if size == 1 else pa.FixedSizeListArray.from_arrays(elements, size)


def sampled(values: np.ndarray) -> np.ndarray:
    """What statistics are made of: (N, n), or some pixels of some images (N, height, width, 3)."""
    if values.ndim < 4:
        return values.reshape(len(values), -1)
    chosen = np.linspace(0, len(values) - 1, min(len(values), SAMPLED)).astype(int)
    return values[chosen, ::STRIDE, ::STRIDE]


def statistics(samples: np.ndarray) -> dict[str, list]:
    """Of each element, (n,); of each channel of images in [0, 1], (3, 1, 1)."""
    rows = samples.reshape(-1, samples.shape[-1])
    exact = rows.astype(np.float64)
    found = {"min": rows.min(0), "max": rows.max(0), "mean": exact.mean(0), "std": exact.std(0)}
    for percent in (1, 10, 50, 90, 99):
        found[f"q{percent:02d}"] = np.percentile(exact, percent, axis=0)
    if samples.ndim == 4:
        found = {name: value.reshape(3, 1, 1) / 255 for name, value in found.items()}
    return {name: value.tolist() for name, value in found.items()} | {"count": [len(samples)]}
