"""`serl demos export` and `import`: what LeRobot's own loader reads, and what comes back of it."""

import json
import sys
from dataclasses import replace

import gymnasium as gym
import imageio.v2 as imageio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from gymnasium import spaces
from rich.console import Console

from serl_actor.environment import EnvironmentConfig
from serl_bringup import cli, lerobot_frames
from serl_bringup.demonstrations import new_file
from serl_bringup.lerobot import places_of
from serl_bringup.lerobot_export import export_file
from serl_bringup.lerobot_import import import_file
from serl_bringup.task import Task
from serl_learner.config import ConfigError
from serl_learner.transition import Transition
from serl_learner.transition_log import load_transitions

CONSOLE = Console(quiet=True)
SHAPE = (64, 96, 3)
ACTIONS = 2


class Seen(gym.Env):
    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012

    def __init__(self, cameras=("left", "right")):
        images = [(name, spaces.Box(0, 255, SHAPE, np.uint8)) for name in cameras]
        vectors = [(name, spaces.Box(-9, 9, (n,), np.float32)) for name, n in SIZES.items()]
        self.observation_space = spaces.Dict([*vectors, *images])  # in this order
        self.action_space = spaces.Box(-1, 1, (ACTIONS,), np.float32)


SIZES = {"pose": 7, "gripper": 1}
gym.register("test/Seen-v0", Seen, max_episode_steps=10)


def task(**environment):
    return Task("seen", EnvironmentConfig("test/Seen-v0", **environment))


BLIND = task(arguments={"cameras": ()})


def observe(rng, cameras, sizes):
    vectors = {name: rng.normal(size=n).astype(np.float32) for name, n in sizes.items()}
    return vectors | {name: rng.integers(0, 256, SHAPE, np.uint8) for name in cameras}


def episode(number, length, cameras=("left", "right"), sizes=SIZES, actions=ACTIONS, **end):
    """Random steps; the last one has the fields `end` and an observation after it."""
    rng = np.random.default_rng(number)
    steps = [
        Transition(
            "agent",
            "actor",
            sequence=0,
            episode=number,
            step=step,
            observation=observe(rng, cameras, sizes),
            action=rng.uniform(-1, 1, actions).astype(np.float32),
            reward=0.25 * step,
            terminated=False,
            truncated=False,
            intervened=step % 2 == 1,
            grasp_penalty=-0.5 * (step == 1),
        )
        for step in range(length)
    ]
    if end:
        steps[-1] = replace(steps[-1], final_observation=observe(rng, cameras, sizes), **end)
    return steps


SUCCESS = {"terminated": True, "success": True}
FAILURE = {"truncated": True}


def write(path, *episodes):
    with new_file(path, "seen") as append:
        for sequence, transition in enumerate(t for e in episodes for t in e):
            append(replace(transition, sequence=sequence))
    return path


KEPT = (episode(0, 3, **SUCCESS), episode(2, 5, **FAILURE))


@pytest.fixture
def recorded(tmp_path):
    """One of four episodes is discarded, and one was cut off."""
    dropped, cut_off = episode(1, 4, truncated=True, discarded=True), episode(3, 2)
    return write(tmp_path / "demos.mcap", KEPT[0], dropped, KEPT[1], cut_off)


@pytest.fixture
def exported(recorded, tmp_path):
    export_file(recorded, tmp_path / "dataset", 10, CONSOLE)
    return tmp_path / "dataset"


def imported(folder, of_task, tmp_path):
    path = tmp_path / "imported.mcap"
    import_file(folder, of_task, path)
    return list(load_transitions(path, of_task.task))


def assert_same(found, expected):
    """But for what a frame has no place for: who acted, and what was seen after the last step."""
    expected = [t for steps in expected for t in steps]
    assert len(found) == len(expected)
    numbers = {number: n for n, number in enumerate(dict.fromkeys(t.episode for t in expected))}
    for sequence, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert (a.sequence, a.episode, a.step) == (sequence, numbers[b.episode], b.step)
        assert list(a.observation) == list(b.observation)
        for name in b.observation:
            np.testing.assert_array_equal(a.observation[name], b.observation[name])
            assert a.observation[name].dtype == b.observation[name].dtype
        np.testing.assert_array_equal(a.action, b.action)
        for field in (
            "reward",
            "terminated",
            "truncated",
            "success",
            "intervened",
            "grasp_penalty",
        ):
            assert getattr(a, field) == getattr(b, field), field
        assert (a.final_observation is None) == (b.final_observation is None)
        if a.final_observation is not None:
            for name, value in b.observation.items():
                np.testing.assert_array_equal(a.final_observation[name], value)


def test_what_was_exported_comes_back(exported, tmp_path):
    assert_same(imported(exported, task(), tmp_path), KEPT)


def test_vectors_and_actions_of_one_element_come_back(tmp_path):
    shown = episode(0, 4, cameras=(), sizes={"gripper": 1}, actions=1, **SUCCESS)
    export_file(write(tmp_path / "one.mcap", shown), tmp_path / "one", 10, CONSOLE)
    row = frames(tmp_path / "one")[2]
    assert row["observation.state"] == shown[2].observation["gripper"].item()
    assert row["action"] == shown[2].action.item()

    class One(gym.Env):
        observation_space = spaces.Dict(gripper=spaces.Box(-9, 9, (1,), np.float32))
        action_space = spaces.Box(-1, 1, (1,), np.float32)

    gym.register("test/One-v0", One, max_episode_steps=10)
    one = Task("one", EnvironmentConfig("test/One-v0"))
    assert_same(imported(tmp_path / "one", one, tmp_path), [shown])


def test_where_the_tool_was_is_taken_along_though_the_environment_does_not_observe_it(tmp_path):
    shown = episode(0, 3, sizes=SIZES | {"base_pose": 7}, **SUCCESS)
    export_file(write(tmp_path / "posed.mcap", shown), tmp_path / "posed", 10, CONSOLE)
    found = imported(tmp_path / "posed", task(locator="not there yet"), tmp_path)
    np.testing.assert_array_equal(
        found[1].observation["base_pose"], shown[1].observation["base_pose"]
    )


def test_a_locator_needs_to_know_where_the_tool_was(exported, tmp_path):
    with pytest.raises(ConfigError, match=r"observations: expected .*, base_pose, got left, right"):
        imported(exported, task(locator="some.safetensors"), tmp_path)


def load_json(folder, name):
    return json.loads((folder / "meta" / name).read_text())


def frames(folder):
    paths = sorted(folder.glob("data/*/*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def scalar(dtype):
    return {"dtype": dtype, "shape": [1], "names": None}


def test_the_metadata_are_what_lerobot_reads(exported):
    image = {"dtype": "image", "shape": [64, 96, 3], "names": ["height", "width", "channels"]}
    state = [*(f"pose.{i}" for i in range(7)), "gripper.0"]
    assert load_json(exported, "info.json") == {
        "codebase_version": "v3.0",
        "robot_type": None,
        "total_episodes": 2,
        "total_frames": 8,
        "total_tasks": 1,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": 10,
        "splits": {"train": "0:2"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": {
            "observation.images.left": image,
            "observation.images.right": image,
            "observation.state": {"dtype": "float32", "shape": [8], "names": state},
            "action": {"dtype": "float32", "shape": [2], "names": ["action.0", "action.1"]},
            "next.reward": scalar("float32"),
            "next.done": scalar("bool"),
            "next.success": scalar("bool"),
            "complementary_info.is_intervention": scalar("bool"),
            "complementary_info.discrete_penalty": scalar("float32"),
            "timestamp": scalar("float32"),
            "frame_index": scalar("int64"),
            "episode_index": scalar("int64"),
            "index": scalar("int64"),
            "task_index": scalar("int64"),
        },
    }
    episodes = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet")
    rows = episodes.select([n for n in episodes.column_names if not n.startswith("stats/")])
    same = {"tasks": ["seen"], "data/chunk_index": 0, "data/file_index": 0}
    same |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
    assert rows.to_pylist() == [
        same | {"episode_index": 0, "length": 3, "dataset_from_index": 0, "dataset_to_index": 3},
        same | {"episode_index": 1, "length": 5, "dataset_from_index": 3, "dataset_to_index": 8},
    ]
    tasks = pq.read_table(exported / "meta/tasks.parquet")
    assert tasks.to_pylist() == [{"task_index": 0, "__index_level_0__": "seen"}]
    assert tasks.schema.field("task_index").type == pa.int64()
    assert tasks.schema.pandas_metadata["index_columns"] == ["__index_level_0__"]


def test_the_frames_have_the_types_that_datasets_reads(exported):
    path = exported / "data/chunk-000/file-000.parquet"
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [3, 5]
    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pq.read_schema(path)
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "observation.images.left": picture,
        "observation.images.right": picture,
        "observation.state": pa.list_(pa.float32(), 8),
        "action": pa.list_(pa.float32(), 2),
        "next.reward": pa.float32(),
        "next.done": pa.bool_(),
        "next.success": pa.bool_(),
        "complementary_info.is_intervention": pa.bool_(),
        "complementary_info.discrete_penalty": pa.float32(),
        "timestamp": pa.float32(),
        "frame_index": pa.int64(),
        "episode_index": pa.int64(),
        "index": pa.int64(),
        "task_index": pa.int64(),
    }
    told = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(told) == schema.names
    assert told["observation.images.left"] == {"_type": "Image"}
    assert told["action"] == {
        "feature": {"dtype": "float32", "_type": "Value"},
        "length": 2,
        "_type": "List",
    }
    assert told["next.done"] == {"dtype": "bool", "_type": "Value"}


def test_the_frames_are_numbered_and_timed_and_have_what_was_recorded(exported):
    rows, steps = frames(exported), [t for e in KEPT for t in e]
    assert [row["index"] for row in rows] == list(range(8))
    assert [row["episode_index"] for row in rows] == [0] * 3 + [1] * 5
    assert [row["frame_index"] for row in rows] == [0, 1, 2, 0, 1, 2, 3, 4]
    assert {row["task_index"] for row in rows} == {0}
    np.testing.assert_allclose(
        [row["timestamp"] for row in rows], [0, 0.1, 0.2, 0, 0.1, 0.2, 0.3, 0.4], atol=1e-7
    )
    assert [row["next.done"] for row in rows] == [False, False, True] + [False] * 5
    assert [row["next.success"] for row in rows] == [False, False, True] + [False] * 5
    for row, t in zip(rows, steps, strict=True):
        seen = np.concatenate([t.observation["pose"], t.observation["gripper"]])
        assert row["observation.state"] == seen.tolist()
        assert row["action"] == t.action.tolist() and row["next.reward"] == t.reward
        assert row["complementary_info.is_intervention"] == t.intervened
        assert row["complementary_info.discrete_penalty"] == t.grasp_penalty
        stored = row["observation.images.right"]
        assert stored["path"] == f"frame-{t.step:06d}.png"
        assert stored["bytes"].startswith(b"\x89PNG")
        np.testing.assert_array_equal(imageio.imread(stored["bytes"]), t.observation["right"])


def test_statistics_are_of_the_whole_and_of_each_episode(exported):
    actions = [np.stack([t.action for t in e]).astype(float) for e in KEPT]
    every = np.concatenate(actions)
    stats = load_json(exported, "stats.json")
    assert stats.keys() == load_json(exported, "info.json")["features"].keys()
    for name, expected in {
        "min": every.min(0),
        "max": every.max(0),
        "mean": every.mean(0),
        "std": every.std(0),
        "q01": np.quantile(every, 0.01, axis=0),
        "q10": np.quantile(every, 0.1, axis=0),
        "q50": np.median(every, axis=0),
        "q90": np.quantile(every, 0.9, axis=0),
        "q99": np.quantile(every, 0.99, axis=0),
        "count": [8],
    }.items():
        np.testing.assert_allclose(stats["action"][name], expected, atol=1e-7)
    assert stats["next.done"]["min"] == [False] and stats["next.done"]["mean"] == [1 / 8]
    assert stats["index"]["max"] == [7] and stats["index"]["mean"] == [3.5]
    image = {name: np.array(value) for name, value in stats["observation.images.left"].items()}
    assert image.pop("count").tolist() == [8]
    assert all(value.shape == (3, 1, 1) for value in image.values())
    pixels = np.stack([t.observation["left"] for e in KEPT for t in e]) / 255
    np.testing.assert_allclose(image["mean"].ravel(), pixels.mean((0, 1, 2)), atol=0.05)
    np.testing.assert_allclose(image["std"].ravel(), pixels.std((0, 1, 2)), atol=0.05)
    assert (image["min"] >= 0).all() and (image["max"] > 0.9).all() and (image["max"] <= 1).all()
    rows = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    for row, own in zip(rows, actions, strict=True):
        np.testing.assert_allclose(row["stats/action/mean"], own.mean(0), atol=1e-7)
        assert row["stats/action/count"] == [len(own)]
        assert np.shape(row["stats/observation.images.left/q50"]) == (3, 1, 1)


def test_files_are_followed_by_others_where_they_are_large(tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_frames, "FILE_MB", 0.15)  # of some 0.11 per episode
    monkeypatch.setattr(lerobot_frames, "FILES_IN_FOLDER", 2)
    shown = [episode(number, 3, **SUCCESS) for number in range(5)]
    folder = tmp_path / "split"
    export_file(write(tmp_path / "five.mcap", *shown), folder, 10, CONSOLE)
    files = ["chunk-000/file-000", "chunk-000/file-001", "chunk-001/file-000"]
    rows = [pq.read_metadata(folder / f"data/{name}.parquet").num_rows for name in files]
    assert rows == [6, 6, 3]
    told = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    places = [(row["data/chunk_index"], row["data/file_index"]) for row in told]
    assert places == [(0, 0), (0, 0), (0, 1), (0, 1), (1, 0)]
    assert_same(imported(folder, task(), tmp_path), shown)


def test_a_folder_appears_whole_or_not_at_all(recorded, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match=r"there exists: expected the name of a new folder$"):
        export_file(recorded, tmp_path / "there", 10, CONSOLE)
    unfinished = write(tmp_path / "cut_off.mcap", episode(0, 2))
    with pytest.raises(ConfigError, match=r"cut_off.mcap: expected a finished episode, got none$"):
        export_file(unfinished, tmp_path / "new", 10, CONSOLE)
    other = episode(1, 2, sizes={"pose": 6, "gripper": 1}, **SUCCESS)
    mixed = write(tmp_path / "mixed.mcap", KEPT[0], other)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"observation pose: expected shape \(7,\), got \(6,\)"):
        export_file(mixed, tmp_path / "new", 10, CONSOLE)
    assert sorted(tmp_path.iterdir()) == before


# A dataset as others make them: vectors by themselves, elements with names of their own.

FEATURES = {
    "observation.pose": {"dtype": "float32", "shape": [7], "names": {"axes": list("xyzabcd")}},
    "observation.gripper": {"dtype": "float32", "shape": [1], "names": ["width"]},
    "observation.state": {"dtype": "float32", "shape": [2], "names": ["elbow.pos", "wrist.pos"]},
    "action": {"dtype": "float32", "shape": [2], "names": None},
}


def dataset(folder, episodes, changes=(), features=FEATURES, **info):
    """Of lists of rows; `changes`: of single values, ((episode, frame), feature, value)."""
    rows = []
    for number, steps in enumerate(episodes):
        for frame, row in enumerate(steps):
            rows.append(
                row | {"episode_index": number, "timestamp": frame / 10, "index": len(rows)}
            )
            for place, feature, value in changes:
                if place == (number, frame):
                    rows[-1][feature] = value
    (folder / "data/chunk-000").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data/chunk-000/file-000.parquet")
    (folder / "meta").mkdir()
    told = {"codebase_version": "v3.0", "fps": 10, "total_frames": len(rows), "video_path": None}
    told |= {"features": features} | info
    (folder / "meta/info.json").write_text(json.dumps(told))
    return folder


def row(value=0.0, **outcome):
    return {
        "observation.pose": [value] * 7,
        "observation.gripper": value,
        "observation.state": [5.0, 5.0],
        "action": [value / 10, -value / 10],
    } | {f"next.{name}": told for name, told in outcome.items()}


def with_outcome(*names):
    return FEATURES | {f"next.{name}": scalar("float32") for name in names}


def test_a_dataset_without_rewards_is_of_demonstrations_that_succeed(tmp_path):
    shown = [[row(1.0), row(2.0)], [row(3.0), row(4.0), row(5.0)]]
    found = imported(dataset(tmp_path / "a", shown), BLIND, tmp_path)
    assert [(t.episode, t.step) for t in found] == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    ends = [False, True, False, False, True]
    assert [t.terminated for t in found] == [t.success for t in found] == ends
    assert [t.reward for t in found] == [0.0, 1.0, 0.0, 0.0, 1.0]
    assert not any(t.truncated for t in found) and all(t.intervened for t in found)
    assert {t.grasp_penalty for t in found} == {0.0}
    for value, t in enumerate(found, 1):
        assert t.observation.keys() == {"pose", "gripper"}  # what the environment does not observe
        np.testing.assert_array_equal(t.observation["pose"], np.full(7, value))
        np.testing.assert_array_equal(t.observation["gripper"], [value])
        np.testing.assert_allclose(t.action, [value / 10, -value / 10], rtol=1e-6)


@pytest.mark.parametrize(
    ("outcome", "reward", "success", "terminated"),
    [
        ({"reward": 0.0}, 0.0, False, False),
        ({"reward": 0.5}, 0.5, True, True),
        ({"success": False}, 0.0, False, False),
        ({"success": True}, 1.0, True, True),
        ({"done": False}, 1.0, True, False),
        ({"done": True}, 1.0, True, True),
        ({"reward": 0.0, "done": True}, 0.0, False, True),
        ({"reward": 0.5, "success": False, "done": True}, 0.5, False, True),
        ({"reward": 0.0, "success": True, "done": False}, 0.0, True, False),
    ],
)
def test_what_a_dataset_tells_of_an_end_is_taken(outcome, reward, success, terminated, tmp_path):
    before = dict.fromkeys(outcome, 0.0) | {k: False for k in outcome if k != "reward"}
    features = with_outcome(*outcome)
    folder = dataset(tmp_path / "a", [[row(**before), row(**outcome)]], features=features)
    first, last = imported(folder, BLIND, tmp_path)
    assert (first.reward, first.success, first.terminated, first.truncated) == (0, 0, 0, 0)
    assert (last.reward, last.success, last.terminated) == (reward, success, terminated)
    assert last.truncated == (not terminated)


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (
            ["a.0", "b.0", "a.1"],
            {"a": ("observation.state", [0, 2]), "b": ("observation.state", [1])},
        ),
        (["0", "1"], {"state": ("observation.state", None)}),
        (["a.1", "a.0"], {"state": ("observation.state", None)}),
        (["elbow.pos", "wrist.pos"], {"state": ("observation.state", None)}),
        ({"motors": ["a.0"]}, {"state": ("observation.state", None)}),
        (None, {"state": ("observation.state", None)}),
    ],
)
def test_a_state_is_taken_apart_where_its_names_tell_how(names, places):
    assert places_of({"observation.state": {"dtype": "float32", "names": names}}) == places


LEFT, TOP = "observation.images.left", "observation.images.top"
COLOURS = [[(250, 10, 10), (10, 250, 10)], [(10, 10, 250)] * 3, [(240, 240, 20), (20, 240, 240)]]
LEFT_ALONE = task(arguments={"cameras": ["left"]})


def filmed(folder, codec="libx264", shape=SHAPE):
    """Three episodes, of which two share a file, the second before the first.

    Of the camera on top there is none.
    """
    video = {"dtype": "video", "shape": list(SHAPE), "names": ["height", "width", "channels"]}
    dataset(
        folder,
        [[row() for _ in colours] for colours in COLOURS],
        features=FEATURES | {LEFT: video, TOP: video},
        video_path="videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    )
    places = {"chunk_index": [0, 0, 0], "file_index": [0, 0, 1], "from_timestamp": [0.3, 0.0, 0.0]}
    told = {f"videos/{key}/{name}": v for key in (LEFT, TOP) for name, v in places.items()}
    (folder / "meta/episodes/chunk-000").mkdir(parents=True)
    table = pa.table({"episode_index": [0, 1, 2]} | told)
    pq.write_table(table, folder / "meta/episodes/chunk-000/file-000.parquet")
    (folder / f"videos/{LEFT}/chunk-000").mkdir(parents=True)
    for number, colours in enumerate([COLOURS[1] + COLOURS[0], COLOURS[2]]):
        path = folder / f"videos/{LEFT}/chunk-000/file-00{number}.mp4"
        with imageio.get_writer(path, fps=10, codec=codec, macro_block_size=2) as film:
            for colour in colours:
                film.append_data(np.full(shape, colour, np.uint8))
    return folder


@pytest.mark.parametrize("codec", ["libx264", "libsvtav1"])
def test_images_may_be_in_videos(codec, tmp_path):
    found = imported(filmed(tmp_path / "a", codec), LEFT_ALONE, tmp_path)
    for t, colour in zip(found, [c for colours in COLOURS for c in colours], strict=True):
        assert t.observation["left"].shape == SHAPE
        np.testing.assert_allclose(t.observation["left"].mean((0, 1)), colour, atol=15)


def test_what_is_wrong_with_a_video_is_told_in_one_line(tmp_path):
    with pytest.raises(
        ConfigError, match=r"left: expected uint8 \(64, 96, 3\), got uint8 \(64, 64"
    ):
        imported(filmed(tmp_path / "small", shape=(64, 64, 3)), LEFT_ALONE, tmp_path)
    film = filmed(tmp_path / "short") / f"videos/{LEFT}/chunk-000/file-000.mp4"
    film.write_bytes((film.parent / "file-001.mp4").read_bytes())
    with pytest.raises(ConfigError, match=r"file-000.mp4: expected a frame at 0.30 s, got none$"):
        imported(tmp_path / "short", LEFT_ALONE, tmp_path)
    film.write_bytes(b"no video")
    with pytest.raises(ConfigError, match=r"^[^\n]*file-000.mp4: no video: [^\n]*$"):
        imported(tmp_path / "short", LEFT_ALONE, tmp_path)
    film.unlink()
    with pytest.raises(ConfigError, match=r"^[^\n]*file-000.mp4: no video: [^\n]*$"):
        imported(tmp_path / "short", LEFT_ALONE, tmp_path)


@pytest.mark.parametrize(
    ("feature", "value", "expected"),
    [
        ("action", [0.0, 1.5], r"transition 2 of .*: action: expected values in \[-1, 1\], got"),
        ("action", [0.0, np.nan], r"transition 2 of .*: action: expected values in \[-1, 1\], got"),
        ("action", [0.0], r"action: expected shape \(2,\), got \(1,\)$"),
        ("observation.pose", [0.0] * 6, r"observation pose: expected shape \(7,\), got \(6,\)$"),
        ("observation.pose", [np.inf] + [0.0] * 6, "observation pose: expected finite values, got"),
        ("observation.gripper", np.nan, "observation gripper: expected finite values, got"),
        ("next.reward", np.inf, "reward: expected a finite value, got inf$"),
        (
            "next.done",
            True,
            "transition 2: next.done: expected none before an episode's last frame, got one$",
        ),
    ],
)
def test_a_value_that_must_not_be_learned_from_is_refused(feature, value, expected, tmp_path):
    end = {"reward": 0.0, "done": False}
    shown = [[row(**end)], [row(**end), row(**end), row(**end)]]
    features = with_outcome("reward", "done")
    folder = dataset(tmp_path / "a", shown, [((1, 1), feature, value)], features)
    with pytest.raises(ConfigError, match=f"^{folder}: [^\n]*{expected}[^\n]*$"):
        imported(folder, BLIND, tmp_path)
    assert not (tmp_path / "imported.mcap").exists()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"codebase_version": "v2.1"}, r"version: expected v3.0, which LeRobot's own .* got v2.1$"),
        ({"fps": 30}, r"a: fps: expected 10, the rate of seen, got 30$"),
        ({"total_frames": 3}, r"a/data: expected 3 frames, and at least one, got 2$"),
        (
            {"features": {k: f for k, f in FEATURES.items() if k != "observation.pose"}},
            r"a: observations: expected pose, gripper, got gripper, state$",
        ),
        (
            {"features": {k: f for k, f in FEATURES.items() if k != "action"}},
            r"a: features: expected an action, got none$",
        ),
        (
            {"features": with_outcome("reward")},
            r"file-000.parquet: expected columns .*, got no next.reward$",
        ),
    ],
)
def test_a_dataset_that_does_not_fit_the_task_is_refused(told, expected, tmp_path):
    folder = dataset(tmp_path / "a", [[row(), row()]], **told)
    with pytest.raises(ConfigError, match=expected):
        imported(folder, BLIND, tmp_path)


def test_cameras_that_the_task_has_and_the_dataset_has_not_are_named(tmp_path):
    folder = dataset(tmp_path / "a", [[row()]])
    with pytest.raises(ConfigError, match=r"expected .*left, right, got pose, gripper, state$"):
        imported(folder, task(), tmp_path)


def test_images_of_another_shape_are_refused(exported, tmp_path):
    """Also where the metadata tell nothing of it: what counts is the picture."""
    path = exported / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    for picture, expected in [
        (np.zeros((64, 95, 3), np.uint8), r"left: expected uint8 \(64, 96, 3\), got .* 95, 3\)$"),
        (np.zeros((64, 96), np.uint8), r"left: expected uint8 \(64, 96, 3\), got .*\(64, 96\)$"),
        (None, r"dataset: observation.images.left: no image: "),
    ]:
        stored = None
        if picture is not None:
            stored = imageio.imwrite("<bytes>", picture, format="png")
        column = pa.array([{"bytes": stored, "path": None}] * len(table), table.schema.types[0])
        pq.write_table(table.set_column(0, LEFT, column), path)
        with pytest.raises(ConfigError, match=expected):
            imported(exported, task(), tmp_path)


def test_a_folder_that_is_no_dataset_is_refused(exported, tmp_path):
    with pytest.raises(
        ConfigError, match=r"^[^\n]*none/meta/info.json: no LeRobot dataset: No such file"
    ):
        imported(tmp_path / "none", task(), tmp_path)
    (exported / "data/chunk-000/file-000.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(ConfigError, match=r"^[^\n]*file-000.parquet: cannot be read: [^\n]*$"):
        imported(exported, task(), tmp_path)
    (exported / "data/chunk-000/file-000.parquet").unlink()
    with pytest.raises(ConfigError, match=r"data: expected 8 frames, and at least one, got 0$"):
        imported(exported, task(), tmp_path)
    (exported / "meta/info.json").write_text("{")
    with pytest.raises(ConfigError, match=r"info.json: no LeRobot dataset: Expecting [^\n]*$"):
        imported(exported, task(), tmp_path)
    (exported / "meta/info.json").write_text('{"codebase_version": "v3.0", "fps": 10}')
    with pytest.raises(ConfigError, match=r"info.json: features: expected dict, got None$"):
        imported(exported, task(), tmp_path)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ([], r"info.json: expected a mapping, got list$"),
        (None, r"info.json: expected a mapping, got NoneType$"),
        ({"fps": "10"}, r"info.json: fps: expected Number, got 10$"),
        ({"fps": None}, r"info.json: fps: expected Number, got None$"),
        ({"total_frames": "8"}, r"info.json: total_frames: expected int, got 8$"),
        ({"features": ["action"]}, r"info.json: features: expected dict, got \['action'\]$"),
        ({"features": {"x": None}}, r"features: x: expected a mapping with a dtype, got None$"),
        ({"features": {"x": {}}}, r"features: x: expected a mapping with a dtype, got {}$"),
        (
            {"features": {"x": {"dtype": "video"}}, "video_path": None},
            r"info.json: video_path: expected a path, with videos, got None$",
        ),
    ],
)
def test_an_info_that_is_none_is_refused(exported, changed, expected, tmp_path):
    path = exported / "meta/info.json"
    info = changed if not changed else json.loads(path.read_text()) | changed
    path.write_text(json.dumps(info))
    with pytest.raises(ConfigError, match=expected):
        imported(exported, task(), tmp_path)


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("action", pa.array(["left"] * 8), "frame 0: could not convert string"),
        ("action", pa.array([[1.0]] * 8), r"frame 0: .*action: expected shape"),
        ("observation.state", pa.array([[1.0]] * 8), "frame 0: index 1 is out of bounds"),
        ("observation.state", pa.array([None] * 8, pa.list_(pa.float32())), "frame 0: "),
        ("next.reward", pa.array([None] * 8, pa.float32()), "next.reward: expected a number"),
        ("next.success", pa.array([[False, True]] * 8), "next.success: expected a number"),
        ("complementary_info.discrete_penalty", pa.array(["x"] * 8), "frame 0: could not convert"),
    ],
)
def test_columns_that_hold_something_else_are_refused(exported, key, values, expected, tmp_path):
    path = exported / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    column = table.schema.get_field_index(key)
    pq.write_table(table.set_column(column, key, values), path)
    with pytest.raises(ConfigError, match=rf"^[^\n]*{expected}[^\n]*$"):
        imported(exported, task(), tmp_path)


def test_the_commands_export_and_import(recorded, tmp_path, monkeypatch, capsys):
    sections = {"task": "seen", "environment": {"id": "test/Seen-v0"}}
    config = tmp_path / "seen.yaml"
    config.write_text(yaml.safe_dump({"/**": {"ros__parameters": sections}}))

    def serl(*arguments):
        monkeypatch.setattr(sys, "argv", ["serl", "demos", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr()

    folder, output = tmp_path / "dataset", tmp_path / "back.mcap"
    code, told = serl("export", recorded, folder, "--fps", 5)
    assert code == 0 and "dataset: 2 episodes, 8 frames" in told.out
    assert load_json(folder, "info.json")["fps"] == 5
    assert frames(folder)[1]["timestamp"] == pytest.approx(0.2)
    code, told = serl("import", config, folder, output)
    assert code == 2 and told.err == f"serl: {folder}: fps: expected 10, the rate of seen, got 5\n"
    assert serl("export", recorded, folder)[1].err.endswith("expected the name of a new folder\n")
    serl("export", recorded, tmp_path / "second")
    code, told = serl("import", config, tmp_path / "second", output)
    assert code == 0 and "2 (1 successful)" in told.out
    assert_same(list(load_transitions(output, "seen")), KEPT)
