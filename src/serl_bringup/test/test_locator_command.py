"""`serl locator`: from a task to a file that its environment takes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation

from serl_actor.environment import make_environment
from serl_bringup import locating
from serl_bringup.assessment import open_agents
from serl_bringup.comparison import settings_in, settings_of
from serl_bringup.demonstrations import new_file
from serl_bringup.episodes import read_episodes
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import load_task, load_tasks
from serl_bringup.train import TrainOptions, train
from serl_learner.config import ConfigError
from serl_learner.locator import Locator, save_locator
from serl_learner.locator_training import label
from serl_learner.transition_log import load_transitions

QUIET = Console(quiet=True)
CUBE = np.array([0.5, -0.1, 0.02])  # m


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("locator") / "a.mcap"
    task = load_task("object_relocation/forward", observations="vision")
    locating.collect_file(task, 10, 0, path, "scripted", QUIET)
    return path


def test_labels_are_where_the_cube_lies_in_its_bin(recording):
    data = label(read_episodes(recording))
    assert data.images.shape[1:] == (2, 128, 128, 3)
    first = np.array([np.argmax(data.episodes == n) for n in range(10)])
    x, y, z = data.places[first].T
    assert np.abs(x - 0.5).max() < 0.07 and (y > -0.15).all() and (y < -0.04).all()
    assert np.ptp(x) > 0.05 and np.ptp(z) < 0.02  # at ten places, on one floor
    there = np.linalg.norm(data.places - data.poses[:, :3], axis=1) < 1e-6
    assert there.sum() == 10  # at the end of each


def test_before_each_demonstration_the_arm_wanders(recording):
    episodes = list(read_episodes(recording))
    wandered = [sum(not t.intervened for t in episode) for episode in episodes]
    assert len(episodes) == 10 and len(set(wandered)) > 5 and 30 < max(wandered) <= locating.WANDER
    assert all(episode[-1].success for episode in episodes)


@pytest.fixture
def everywhere(recording, tmp_path):
    """A file of a locator for which the cube is always at CUBE."""
    locator = Locator(label(read_episodes(recording)).spec)
    locator.fit(np.tile([0.5, 0, 0.2, 1, 0, 0, 0], (2, 1)), np.tile(CUBE, (2, 1)))
    for parameter in locator.head[-1].parameters():
        parameter.data.zero_()
    save_locator(locator, {}, tmp_path / "everywhere.safetensors")
    return str(tmp_path / "everywhere.safetensors")


def located(recording, path, **changes):
    """The episodes of the recording as demonstrations, beside those that were recorded."""
    task = load_task("object_relocation/forward", observations="vision")
    locating.located_file(recording, replace(task.environment, **changes), path)
    assert not locating.has_base_pose(path)
    return list(zip(read_episodes(recording), read_episodes(path), strict=True))


def test_the_same_recording_demonstrates_without_the_wandering(recording, tmp_path):
    assert locating.has_base_pose(recording)
    for before, after in located(recording, tmp_path / "a.mcap", locator=""):
        wandered = sum(not t.intervened for t in before)
        assert [t.step for t in after] == list(range(len(before) - wandered))
        np.testing.assert_array_equal(after[0].action, before[wandered].action)
        same = before[wandered].observation
        assert after[0].observation.keys() == same.keys() - {"base_pose"}
        np.testing.assert_array_equal(after[0].observation["pose"], same["pose"])


def test_only_a_demonstrators_recording_loses_what_was_before_it(recording, tmp_path):
    """A run's steps are of its policy too."""
    run = tmp_path / "run.mcap"
    with new_file(run, "object_relocation/forward") as append:
        for transition in load_transitions(recording):
            append(replace(transition, actor="actor", intervened=False))
    for before, after in located(run, tmp_path / "a.mcap", locator=""):
        assert len(after) == len(before)


def test_the_policy_sees_the_position_from_the_tool_or_from_the_base(
    recording, everywhere, tmp_path
):
    for before, after in located(recording, tmp_path / "a.mcap", locator=everywhere):
        pose = before[-1].final_observation["base_pose"].astype(float)
        offset = Rotation.from_quat(pose[3:]).inv().apply(CUBE - pose[:3])
        seen = after[-1].final_observation["object_position"]
        np.testing.assert_allclose(seen, offset, atol=1e-5)
    base = located(recording, tmp_path / "b.mcap", locator=everywhere, relative_frame=False)
    for _, after in base:
        np.testing.assert_allclose(after[0].observation["object_position"], CUBE, atol=1e-6)


def test_a_trained_one_is_taken_by_the_environment(recording, tmp_path, monkeypatch):
    monkeypatch.setattr(locating, "STEPS", 2)
    output = tmp_path / "new" / "a.safetensors"
    locating.train_file(["object_relocation/forward"], [recording], 0, output, QUIET)
    task = load_task("object_relocation/forward", observations="vision")
    environment = make_environment(replace(task.environment, locator=str(output)))
    observation, _ = environment.reset(seed=0)
    environment.close()
    assert environment.observation_space["object_position"].shape == (3,)
    assert np.isfinite(observation["object_position"]).all()


def test_recordings_of_another_task_are_refused(recording, tmp_path):
    with pytest.raises(ConfigError, match=r"a recording of peg_insertion, got one of object_relo"):
        locating.train_file(["peg_insertion"], [recording], 0, tmp_path / "a.safetensors", QUIET)


def test_too_few_episodes_are_refused_before_the_training(tmp_path):
    task = load_task("object_relocation/backward", observations="vision")
    locating.collect_file(task, 2, 0, tmp_path / "a.mcap", "scripted", QUIET)
    with pytest.raises(ConfigError, match=r"^episodes: expected at least 10, got 2$"):
        locating.train_file([task.task], [tmp_path / "a.mcap"], 0, tmp_path / "a", QUIET)


def test_a_task_without_cameras_is_refused_before_anybody_demonstrates(tmp_path):
    task = load_task("object_relocation/forward", observations="state")
    with pytest.raises(ConfigError, match=r"/forward: observations: expected cameras, gripper and"):
        locating.collect_file(task, 1, 0, tmp_path / "a.mcap", "scripted", QUIET)
    assert not list(tmp_path.iterdir())


def test_agents_in_one_world_have_one_locator(everywhere):
    own = {"agents.backward.environment.locator": everywhere}
    with pytest.raises(ConfigError, match=r"environment.locator: expected one of all agents"):
        load_tasks("object_relocation", observations="vision", overrides=own)


def test_a_run_keeps_its_locator_wherever_its_folder_goes(recording, everywhere, tmp_path):
    """Prepared with the recorded demonstrations, gone on with and opened in another place."""
    first, second = tmp_path / "first", tmp_path / "second"
    options = TrainOptions(
        "object_relocation/forward",
        environment_id="",
        observations="vision",
        overrides={"environment.locator": everywhere},
        seed=0,
        run_directory=first,
        resume=False,
        demonstrations=str(recording),
        algorithm="rlpd",
        real_time=False,
        evaluation_episodes=0,
        prepare=True,
    )
    train(options, QUIET)
    shown = next(load_transitions(first / "demonstrations.mcap"))
    assert shown.step == 0 and shown.intervened and "object_position" in shown.observation
    Path(everywhere).unlink()
    first.rename(second)
    kept = str(second / "locator.safetensors")
    (trained,) = open_agents(RunFolder.open(second), {}).values()
    assert trained.task.environment.locator == kept
    make_environment(trained.task.environment).close()
    another = {"environment.locator": str(tmp_path / "another.safetensors")}
    (trained,) = open_agents(RunFolder.open(second), another).values()
    assert trained.task.environment.locator == another["environment.locator"]
    train(replace(options, overrides={}, resume=True, run_directory=second), QUIET)
    assert load_task(str(second / "config.yaml")).environment.locator == kept
    # Runs differ in no setting because each has a copy.
    task = load_task("object_relocation/forward", observations="vision")
    assert settings_in(RunFolder.open(second)) == {"agent": settings_of(task)}


def test_a_task_without_its_locator_says_how_to_get_one():
    task = load_task("object_relocation/forward", observations="vision")
    with pytest.raises(
        ConfigError, match="No such file or directory: expected a file that `serl locator`"
    ):
        make_environment(replace(task.environment, locator="none.safetensors"))
