"""A demonstration is done again, by the simulated arm, from where it began."""

from dataclasses import replace

import imageio.v3 as imageio
import numpy as np
import pytest
from rich.console import Console

from serl_bringup.demonstrations import new_file, record_file
from serl_bringup.episodes import read_episodes
from serl_bringup.replaying import replay_file
from serl_bringup.task import load_task
from serl_learner.config import ConfigError
from serl_learner.transition_log import load_transitions


@pytest.fixture(scope="module")
def task():
    return load_task("pcb_insertion", observations="state")


@pytest.fixture(scope="module")
def recording(task, tmp_path_factory):
    path = tmp_path_factory.mktemp("demonstrations") / "demos.mcap"
    record_file(task, 2, 0, path, Console(quiet=True), base_pose=True)
    return path


@pytest.fixture
def replay(task, recording, capsys):
    """Replays; gives what is printed."""

    def replay(file=recording, episode=1, task=task, confirm=lambda question: True, video=None):
        replay_file(task, file, episode, confirm, video, Console(width=200))
        return capsys.readouterr().out

    return replay


def test_the_arm_does_it_again_from_where_it_began(replay, recording):
    steps = len(list(read_episodes(recording))[1])
    printed = replay()
    assert f"{steps} of {steps} steps, success; as recorded: success" in printed
    millimetres = float(printed.partition("at most ")[2].split()[0])
    assert 0.0 < millimetres < 2.0  # starts are centimetres apart


def test_from_another_place_it_ends_elsewhere(replay, recording, task, tmp_path):
    """What the figure means: the same actions, 20 mm aside."""
    aside = tmp_path / "aside.mcap"
    move(recording, aside, task.task, [0.02, 0.0, 0.0])
    printed = replay(aside)
    assert "no success; as recorded: success" in printed
    assert float(printed.partition("at most ")[2].split()[0]) > 10.0


def move(source, path, task, offset):
    """Says that the episodes began elsewhere."""
    with new_file(path, task) as append:
        for transition in load_transitions(source):
            if transition.step == 0:
                transition.observation["base_pose"][:3] += np.float32(offset)
            append(transition)


def test_nothing_moves_unless_a_person_says_so(replay, monkeypatch):
    asked = []
    monkeypatch.setattr("serl_bringup.replaying.make_environment", None)  # must not be called
    printed = replay(confirm=lambda question: asked.append(question))
    assert "nothing moved" in printed
    assert len(asked) == 1 and "steps of pcb_insertion" in asked[0]


def test_it_can_be_filmed(replay, recording, tmp_path):
    first = min(read_episodes(recording), key=len)
    replay(episode=first[0].episode, video=tmp_path / "replay.mp4")
    frames = imageio.imread(tmp_path / "replay.mp4")
    assert len(frames) == len(first)
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 50  # the arm has moved


def test_a_recording_that_cannot_be_done_again_is_refused_in_one_line(
    replay, recording, task, tmp_path
):
    with pytest.raises(ConfigError, match=r"--episode: expected 0 to 1, got 2$"):
        replay(episode=2)
    other = replace(task, task="peg_insertion")
    with pytest.raises(ConfigError, match=r"a recording of peg_insertion, got one of pcb_inse"):
        replay(task=other)
    placeless = tmp_path / "placeless.mcap"
    record_file(task, 1, 0, placeless, Console(quiet=True))
    with pytest.raises(ConfigError, match=r"expected observations with base_pose, as `serl demos"):
        replay(placeless, episode=0)
