"""The format of a LeRobot dataset, v3.0, and where in its frames a transition's fields are."""

import json
from typing import Any

import pyarrow as pa

from serl_learner.transition import ObservationSpec

VERSION = "v3.0"
INFO = "meta/info.json"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"

OBSERVATION = "observation."
IMAGES = "observation.images."
STATE = "observation.state"
ACTION = "action"
REWARD = "next.reward"
DONE = "next.done"  # that is `terminated`, as in LeRobot's own replay buffer
SUCCESS = "next.success"
INTERVENED = "complementary_info.is_intervention"
PENALTY = "complementary_info.discrete_penalty"
OUTCOME = (REWARD, DONE, SUCCESS, INTERVENED, PENALTY)  # what datasets of demonstrations may lack

Feature = dict[str, Any]  # dtype, shape, names


def features_of(spec: ObservationSpec, action_size: int) -> dict[str, Feature]:
    """Of a dataset with such observations. Vectors are one, whose names tell which is where."""
    seen = {IMAGES + name: _image(shape) for name, shape in spec.images}
    if spec.vectors:
        seen[STATE] = _vector([f"{name}.{i}" for name, size in spec.vectors for i in range(size)])
    return seen | {
        ACTION: _vector([f"action.{i}" for i in range(action_size)]),
        REWARD: _scalar("float32"),
        DONE: _scalar("bool"),
        SUCCESS: _scalar("bool"),
        INTERVENED: _scalar("bool"),
        PENALTY: _scalar("float32"),
        "timestamp": _scalar("float32"),  # s, in the episode
        "frame_index": _scalar("int64"),  # in the episode
        "episode_index": _scalar("int64"),
        "index": _scalar("int64"),
        "task_index": _scalar("int64"),
    }


def _image(shape: tuple[int, int, int]) -> Feature:
    return {"dtype": "image", "shape": list(shape), "names": ["height", "width", "channels"]}


def _vector(names: list[str]) -> Feature:
    return {"dtype": "float32", "shape": [len(names)], "names": names}


def _scalar(dtype: str) -> Feature:
    return {"dtype": dtype, "shape": [1], "names": None}


def schema_of(features: dict[str, Feature]) -> pa.Schema:
    """With what tells `datasets` that bytes are a picture."""
    types = {key: _type(feature) for key, feature in features.items()}
    named = {key: _hugging_face_type(feature) for key, feature in features.items()}
    metadata = {"huggingface": json.dumps({"info": {"features": named}})}
    return pa.schema(types.items(), metadata)


def _type(feature: Feature) -> pa.DataType:
    if feature["dtype"] == "image":
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    (size,), element = feature["shape"], pa.type_for_alias(feature["dtype"])
    return element if size == 1 else pa.list_(element, size)


def _hugging_face_type(feature: Feature) -> dict[str, Any]:
    if feature["dtype"] == "image":
        return {"_type": "Image"}
    (size,), element = feature["shape"], {"dtype": feature["dtype"], "_type": "Value"}
    return element if size == 1 else {"feature": element, "length": size, "_type": "List"}


def places_of(features: dict[str, Feature]) -> dict[str, tuple[str, list[int] | None]]:
    """Where each observation is: its feature, and which elements of that; None: all."""
    places: dict[str, tuple[str, list[int] | None]] = {}
    for key, feature in features.items():
        if key == STATE and (parts := _parts(feature.get("names"))):
            places |= {name: (STATE, elements) for name, elements in parts.items()}
        elif key.startswith(OBSERVATION):
            places[key.removeprefix(IMAGES).removeprefix(OBSERVATION)] = key, None
    return places


def _parts(names: Any) -> dict[str, list[int]]:
    """The vectors in a state whose elements are named as by `features_of`; of others, none."""
    parts: dict[str, list[int]] = {}
    for position, name in enumerate(names if isinstance(names, list) else []):
        vector, _, number = str(name).rpartition(".")
        if not vector or number != str(len(parts.setdefault(vector, []))):
            return {}
        parts[vector].append(position)
    return parts


def tasks_table(task: str) -> pa.Table:
    """As pandas writes a table whose index is the task."""
    index = "__index_level_0__"
    described = {"name": None, "field_name": index, "metadata": None}
    described |= {"pandas_type": "unicode", "numpy_type": "object"}
    metadata = {"index_columns": [index], "column_indexes": [], "columns": [described]}
    table = pa.table({"task_index": [0], index: [task]})
    return table.replace_schema_metadata({"pandas": json.dumps(metadata)})
