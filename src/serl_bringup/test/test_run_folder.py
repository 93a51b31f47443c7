import pytest

from serl_bringup.run_folder import RunFolder
from serl_bringup.train import _kept
from serl_learner.config import ConfigError


def test_a_folder_that_holds_something_is_not_touched(tmp_path):
    (tmp_path / "precious").write_text("x")
    with pytest.raises(ConfigError, match=r"exists: expected a new one, or --resume"):
        RunFolder.create(tmp_path, "task")
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


def test_resume_needs_a_run(tmp_path):
    with pytest.raises(ConfigError, match="not a run folder"):
        RunFolder.open(tmp_path)
    with pytest.raises(ConfigError, match="--resume needs --run-dir"):
        RunFolder.open(None)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made: Not a directory"):
        RunFolder.create(tmp_path / "file" / "run", "task")


def test_the_newest_checkpoint_is_the_policy(tmp_path):
    folder = RunFolder.create(tmp_path / "run", "task")
    with pytest.raises(ConfigError, match="no checkpoint"):
        folder.latest_policy()
    for step in ("00000200", "00001000"):
        (folder.checkpoints / step).mkdir(parents=True)
        (folder.checkpoints / step / "policy.safetensors").write_bytes(b"")
    assert folder.latest_policy().parent.name == "00001000"


def test_a_result_is_replaced_whole(tmp_path):
    folder = RunFolder.create(tmp_path / "run", "task")
    folder.write_result({"env_steps": 1})
    folder.write_result({"env_steps": 2})
    assert folder.read_result() == {"env_steps": 2}
    assert not folder.result.with_suffix(".tmp").exists()


def test_a_run_keeps_its_reward_and_takes_another_when_asked(tmp_path):
    place, first, other = tmp_path / "kept", tmp_path / "first", tmp_path / "other"
    first.write_text("1")
    other.write_text("2")
    assert _kept(str(first), place) == str(place) and place.read_text() == "1"
    _kept(str(place), place)  # resumed
    _kept(str(tmp_path / "moved" / "kept"), place)  # resumed where the folder is now
    assert place.read_text() == "1"
    _kept(str(other), place)  # resumed with another one
    assert place.read_text() == "2"
