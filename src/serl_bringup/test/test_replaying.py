"""A demonstration is done again, by the simulated arm, from where it began."""

from dataclasses import replace

import gymnasium as gym
import imageio.v3 as imageio
import numpy as np
import pytest
import yaml
from gymnasium import spaces
from rich.console import Console

from serl_actor.pacer import Pacer
from serl_bringup.demonstrations import new_file, record_file
from serl_bringup.episodes import read_episodes
from serl_bringup.replaying import replay_file
from serl_bringup.task import load_task
from serl_learner.config import ConfigError
from serl_learner.transition import Transition
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
        replay_file(task, file, episode, confirm, video, False, Console(width=200))
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


class Deaf(gym.Env):
    """An arm that ignores where a reset is to drive it."""

    metadata = {"render_fps": 1000}  # noqa: RUF012
    action_space = spaces.Box(-1.0, 1.0, (6,), np.float32)
    observation_space = spaces.Dict({"pose": spaces.Box(-np.inf, np.inf, (7,), np.float32)})
    offset = 0.0  # m, from where the recording began
    pictures = True

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        return self._observe(), {}

    def step(self, action):
        return self._observe(), 0.0, False, False, {}

    def render(self):
        if not self.pictures:
            raise NotImplementedError("no pictures here")
        return np.full((32, 64, 3), 100, np.uint8)

    def _observe(self):
        return {"pose": np.array([self.offset, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0], np.float32)}


@pytest.fixture
def deaf(tmp_path):
    """Its task, and a recording of two steps."""
    gym.register("Deaf-v0", Deaf, max_episode_steps=9)
    config = tmp_path / "deaf.yaml"
    sections = {"task": "deaf", "environment": {"id": "Deaf-v0"}}
    config.write_text(yaml.safe_dump({"/**": {"ros__parameters": sections}}))
    observation = {"base_pose": Deaf()._observe()["pose"]}
    with new_file(tmp_path / "deaf.mcap", "deaf") as append:
        for step in range(2):
            last = step == 1
            given = observation, np.zeros(6, np.float32), float(last), last, False
            final = observation if last else None
            numbers = "agent", "demonstrator", step, 0, step
            append(Transition(*numbers, *given, success=last, final_observation=final))
    yield load_task(str(config)), tmp_path / "deaf.mcap"
    del gym.registry["Deaf-v0"]


def test_an_arm_that_did_not_come_to_the_start_does_nothing(replay, deaf, monkeypatch):
    task, file = deaf
    assert "2 of 2 steps, no success; as recorded: success" in replay(file, 0, task)
    monkeypatch.setattr(Deaf, "offset", 0.02)
    with pytest.raises(ConfigError, match=r"within 10 mm and 0.1 rad of where it began, got 20 mm"):
        replay(file, 0, task)


def test_it_can_be_filmed(replay, deaf, tmp_path):
    task, file = deaf
    replay(file, 0, task, video=tmp_path / "replay.mp4")
    frames = imageio.imread(tmp_path / "replay.mp4")
    assert frames.shape == (2, 32, 64, 3)


def test_the_arm_moves_all_the_same_where_there_are_no_pictures(
    replay, deaf, tmp_path, monkeypatch
):
    monkeypatch.setattr(Deaf, "pictures", False)
    task, file = deaf
    printed = replay(file, 0, task, video=tmp_path / "none.mp4")
    assert "no picture of step 0: no pictures here" in printed and "2 of 2 steps" in printed
    assert not (tmp_path / "none.mp4").exists()


def test_steps_are_as_long_as_the_robots(replay, deaf, monkeypatch):
    task, file = deaf
    rates_hz = []

    class Told(Pacer):
        def __init__(self, rate_hz, *clock):
            rates_hz.append(rate_hz)
            super().__init__(rate_hz, *clock)

    monkeypatch.setattr("serl_actor.actor.Pacer", Told)
    replay(file, 0, task)
    assert rates_hz == [1000]
