import imageio.v3 as imageio
import numpy as np
import pytest
from rich.console import Console

from serl_bringup.demonstrations import new_file
from serl_bringup.episodes import filter_file, picture_file
from serl_learner.config import ConfigError
from serl_learner.transition import Transition
from serl_learner.transition_log import load_transitions

CONSOLE = Console(quiet=True)


def episode(number, length, success, seen=True, ends=True):
    steps = []
    for step in range(length):
        shade = np.full((4, 5, 3), 10 * number + step, np.uint8)
        observation = {"pose": np.full(6, step, np.float32)} | ({"wrist": shade} if seen else {})
        last = step == length - 1 and ends
        steps.append(
            Transition(
                "agent",
                "actor",
                sequence=0,
                episode=number,
                step=step,
                observation=observation,
                action=np.zeros(6, np.float32),
                reward=float(success and last),
                terminated=success and last,
                truncated=last and not success,
                success=success and last,
                final_observation=observation if last else None,
            )
        )
    return steps


def write(path, *episodes):
    with new_file(path, "task") as append:
        for sequence, transition in enumerate(t for e in episodes for t in e):
            transition.sequence = sequence
            append(transition)
    return path


@pytest.fixture
def recorded(tmp_path):
    """Lengths 3, 2, 5, 4, 2; the second failed, the last was cut off."""
    cut_off = episode(4, 2, success=False, ends=False)
    episodes = [episode(0, 3, True), episode(1, 2, False), episode(2, 5, True), episode(3, 4, True)]
    return write(tmp_path / "demos.mcap", *episodes, cut_off)


def lengths(path):
    found = {}
    for sequence, t in enumerate(load_transitions(path, "task")):
        assert t.sequence == sequence
        found[t.episode] = found.get(t.episode, 0) + 1
    assert list(found) == list(range(len(found)))
    return list(found.values())


@pytest.mark.parametrize(
    ("drop", "longest", "kept"),
    [((), None, [3, 5, 4]), ({0}, None, [5, 4]), ((), 4, [3, 4]), ({1, 3}, 4, [3])],
)
def test_successful_episodes_are_kept_and_numbered_anew(recorded, tmp_path, drop, longest, kept):
    filter_file(recorded, tmp_path / "some.mcap", drop, longest, CONSOLE)
    assert lengths(tmp_path / "some.mcap") == kept


def test_a_file_without_a_transition_is_none(tmp_path):
    path = tmp_path / "none.mcap"
    told = r"none.mcap: expected a transition to write, got none$"
    with pytest.raises(ConfigError, match=told), new_file(path, "task"):
        pass
    assert not list(tmp_path.iterdir())


def test_mistakes_are_told_in_one_line(recorded, tmp_path):
    new = tmp_path / "some.mcap"
    with pytest.raises(ConfigError, match=r"--drop: expected numbers from 0 to 4, got \[5\]$"):
        filter_file(recorded, new, {5}, None, CONSOLE)
    with pytest.raises(ConfigError, match="expected a successful episode, 5 have none"):
        filter_file(recorded, new, (), 2, CONSOLE)
    with pytest.raises(ConfigError, match="cannot be read"):
        filter_file(tmp_path / "none.mcap", new, (), None, CONSOLE)
    assert not new.exists()
    blind = write(tmp_path / "blind.mcap", episode(0, 2, True, seen=False))
    with pytest.raises(ConfigError, match="expected observations with images"):
        picture_file(blind, tmp_path / "blind.png")


def test_a_picture_shows_each_episode_from_its_first_to_its_last_frame(recorded, tmp_path):
    picture_file(recorded, tmp_path / "demos.png")
    image = imageio.imread(tmp_path / "demos.png")
    assert image.shape == (5 * 4, 4 + 6 * 5, 3)
    frames = image[2::4, 6::5, 0]  # (episodes, frames)
    assert frames.tolist() == [
        [0, 0, 0, 1, 1, 2],
        [10, 10, 10, 10, 10, 11],
        [20, 20, 21, 22, 23, 24],
        [30, 30, 31, 31, 32, 33],
        [40, 40, 40, 40, 40, 41],
    ]
    red = image[::4, 0, 0] > image[::4, 0, 1]
    assert red.tolist() == [False, True, False, False, True]
