"""Checkpoints: whole or not there."""

import errno
import os

import pytest
import torch

from serl_learner import checkpoint
from serl_learner.checkpoint import CheckpointStore
from serl_learner.config import ConfigError

TENSORS = {"a": torch.arange(3.0), "b": torch.zeros(2, 2, dtype=torch.uint8)}


def save(store: CheckpointStore, step: int) -> None:
    store.save(step, TENSORS, b"policy", {"env_steps": step, "big": 2**100})


def test_what_is_saved_comes_back(tmp_path):
    store = CheckpointStore(tmp_path / "checkpoints")
    assert store.latest() is None
    save(store, 7)
    latest = CheckpointStore(tmp_path / "checkpoints").latest()
    assert latest.path == tmp_path / "checkpoints" / "00000007"
    assert latest.policy == b"policy"
    assert latest.counters == {"env_steps": 7, "big": 2**100}
    assert all(torch.equal(latest.tensors[name], TENSORS[name]) for name in TENSORS)


def test_the_newest_are_kept(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    for step in (9, 10, 200, 1000):
        save(store, step)
    assert store.steps() == [200, 1000]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000200", "00001000"]


def test_a_step_that_is_there_is_left_as_it_is(tmp_path):
    store = CheckpointStore(tmp_path)
    save(store, 1)
    store.save(1, {}, b"other", {})
    assert store.latest().policy == b"policy"


@pytest.mark.parametrize("write", range(3))
def test_a_kill_while_saving_leaves_the_previous_one(tmp_path, monkeypatch, write):
    store = CheckpointStore(tmp_path)
    save(store, 1)
    writes = iter(range(3))

    class Killed(BaseException):
        pass

    def killed_at(path, data):
        if next(writes) == write:
            path.write_bytes(data[: len(data) // 2])
            raise Killed
        path.write_bytes(data)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(checkpoint, "_write", killed_at)
        save(store, 2)
    assert store.latest().counters["env_steps"] == 1
    save(store, 2)  # what was left behind is not in the way
    assert store.latest().counters["env_steps"] == 2


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path)
    save(store, 1)

    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(checkpoint, "_write", full)
    message = r"^.*/00000002: checkpoint not written: No space left on device \(\d+ MB free\); .*$"
    with pytest.raises(OSError, match=message) as error:
        save(store, 2)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["00000001"]


def test_everything_is_synced_before_it_has_its_name(tmp_path, monkeypatch):
    events = []
    sync, rename = os.fsync, type(tmp_path).rename
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("sync"), sync(fd)))
    monkeypatch.setattr(
        type(tmp_path), "rename", lambda self, to: (events.append("rename"), rename(self, to))[1]
    )
    save(CheckpointStore(tmp_path), 1)
    # three files and their directory, then the name, then the directory that holds the name
    assert events == ["sync"] * 4 + ["rename", "sync"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("state.safetensors", b"\x00" * 5),
        ("state.safetensors", None),
        ("policy.safetensors", None),
        ("state.json", b'{"env_steps": '),
    ],
)
def test_a_damaged_checkpoint_is_named(tmp_path, name, content):
    store = CheckpointStore(tmp_path)
    save(store, 3)
    path = tmp_path / "00000003" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match="00000003: not a whole checkpoint: ") as error:
        store.latest()
    assert "\n" not in str(error.value)
