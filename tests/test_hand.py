"""A person at a terminal shows a task, and corrects the policy, by the keyboard."""

import itertools
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from running import Process, wait_until
from serl_command import command, environment, serl
from terminal import Terminal

from serl_actor.robot_link import RobotLink
from serl_bringup.config_files import find_file
from serl_bringup.processes import ros_arguments
from serl_bringup.task import load_task
from serl_learner.domain import acquire_domain
from serl_learner.transition_log import load_transitions
from serl_reward.config import RewardConfig

pytestmark = pytest.mark.ros


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    started = []

    def start(*arguments, variables: dict[str, str] | None = None) -> Terminal:
        started.append(Terminal(command(*arguments), environment() | (variables or {})))
        return started[-1]

    yield start
    for each in started:
        each.close()


def pointer(tmp_path, environment: dict | None = None, **sections) -> Path:
    """A task file."""
    path = tmp_path / "pointer.yaml"
    task = {"task": "pointer", "environment": {"id": "pointer:Pointer-v0"} | (environment or {})}
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": task | sections}}))
    return path


@pytest.fixture
def record(tmp_path, terminal):
    """Starts the recording of a pointer by keyboard; `sections` are of its task file."""

    def start(episodes: int, **sections) -> Terminal:
        path = pointer(tmp_path, **sections)
        arguments = ("demos", "record", path, "--device", "keyboard", "--episodes", episodes)
        return terminal(*arguments, "--output", tmp_path / "demos.mcap")

    return start


def recorded(tmp_path) -> list[list]:
    episodes: dict[int, list] = {}
    for t in load_transitions(tmp_path / "demos.mcap", "pointer"):
        episodes.setdefault(t.episode, []).append(t)
    return list(episodes.values())


def test_a_person_shows_a_task_and_drops_what_went_wrong(record, tmp_path):
    terminal = record(episodes=2)
    terminal.shows("F drops the episode")
    terminal.shows("kept: 1 of 2", keys=b"w")
    terminal.shows("dropped: 1 of 2", keys=b"sf")
    terminal.shows("kept: 2 of 2", keys=b"w")
    assert terminal.ends() == 0, terminal.text
    assert "recorded 2 demonstrations (1 failed ones dropped)" in terminal.text
    for episode in recorded(tmp_path):
        assert episode[0].intervened  # it began when the person moved
        assert episode[-1].success and episode[-1].terminated
        moved = np.array([t.action for t in episode if t.intervened])
        assert not moved[:, 1:].any() and np.abs(moved[:, 0]).tolist() == [1.0] * len(moved)
        assert moved.sum() == 4.0  # steps to the goal, whatever was taken back
        assert not any(t.action.any() for t in episode if not t.intervened)
        stamps = np.array([t.stamp_ns for t in episode])  # before each step; it takes no time
        assert np.diff(stamps[1:]).min() > 20e6  # at the robot's rate, of 50 ms


def test_where_nobody_knows_the_success_space_says_it(record, tmp_path):
    terminal = record(1, environment={"arguments": {"knows": False}}, reward={"source": "human"})
    terminal.shows("SPACE is a success")
    terminal.press(b" ")  # about no step: the episode begins with the first motion
    terminal.shows("kept: 1 of 1", keys=b"d ")
    assert terminal.ends() == 0, terminal.text
    (episode,) = recorded(tmp_path)
    assert [t.success for t in episode] == [False] * (len(episode) - 1) + [True]
    assert episode[-1].reward == 1.0


def test_an_interrupted_recording_keeps_what_is_finished(record, tmp_path):
    terminal = record(episodes=5)
    terminal.shows("kept: 1 of 5", keys=b"w")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.ends() == 0, terminal.text
    assert "recorded 1 demonstrations" in terminal.text
    assert len(recorded(tmp_path)) == 1
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
def test_a_person_corrects_the_policy_while_it_trains(terminal, tmp_path):
    learner = {"batch_size": 16, "training_starts": 20}
    path = pointer(tmp_path, actor={"max_steps": 150, "random_steps": 20}, learner=learner)
    run = tmp_path / "run"
    settings = ("--demos", 0, "--evaluate", 0, "--run-dir", run)
    training = terminal("train", path, "--intervene", "keyboard", *settings)
    training.shows("W S away and back")
    while training.process.poll() is None:
        training.press(b"w")
        time.sleep(0.05)  # as fast as a terminal repeats a key
        training.take()
    assert training.ends() == 0, training.text
    steps = [t for file in run.glob("transitions/*.mcap") for t in load_transitions(file)]
    corrected = [t for t in steps if t.intervened]
    assert len(steps) == 150 and len(corrected) > 20
    assert all(t.action.tolist() == [1.0, 0, 0, 0, 0, 0] for t in corrected)
    assert any(t.success for t in corrected)
    share = json.loads((run / "result.json").read_text())["intervened_share"]
    assert share == pytest.approx(len(corrected) / 150, abs=1e-4)
    stamps = np.array([t.stamp_ns for t in steps])
    assert np.median(np.diff(stamps)) == pytest.approx(50e6, rel=0.2)  # at the robot's rate


def test_mistakes_are_told_in_one_line(tmp_path):
    output = ("--output", tmp_path / "demos.mcap")
    nowhere = {"start_new_session": True}  # without a terminal
    for device, message in (
        ("keyboard", "keys: expected a terminal to press them in"),
        ("mouse", "device: expected one of none, scripted, spacemouse, gamepad"),
        ("none", "--device: expected scripted, or one that a person holds, got none"),
    ):
        done = serl("demos", "record", "pcb_insertion", "--device", device, *output, **nowhere)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert message in done.stderr
    assert not list(tmp_path.iterdir())
    left = tmp_path / "demos.part"
    left.write_bytes(b"what a person has shown")
    done = serl("demos", "record", "pcb_insertion", "--device", "keyboard", *output, **nowhere)
    assert done.returncode == 2 and "is what a killed recording left: filter it" in done.stderr
    assert left.read_bytes() == b"what a person has shown"


@pytest.fixture
def robot_task(tmp_path) -> Path:
    """PCB insertion over topics, solved where the tool is 5 mm below its start."""
    sections = yaml.safe_load(find_file("tasks", "pcb_insertion").read_text())
    on_robot = sections["/**"]["ros__parameters"]["with_robot"]
    on_robot["reset"] |= {"random_xy": 0.0, "random_rz": 0.0, "lift": 0.0}
    on_robot["reward"]["pose"]["position_tolerance"] = [0.1, 0.1, 0.035]
    path = tmp_path / "robot_task.yaml"
    path.write_text(yaml.safe_dump(sections))
    return path


@pytest.mark.slow
def test_a_person_shows_a_robot_what_to_do_and_its_pose_says_when_it_is_done(
    terminal, robot_task, tmp_path
):
    arguments = ("demos", "record", robot_task, "--robot", "sim_node", "--device", "keyboard")
    file = tmp_path / "demos.mcap"
    recording = terminal(*arguments, "--episodes", 2, "--output", file)
    recording.shows("kept: 2 of 2", keys=b"e")
    assert recording.ends() == 0, recording.text
    first, second = (
        [t for t in load_transitions(file, "pcb_insertion") if t.episode == n] for n in (0, 1)
    )
    for episode in (first, second):
        assert episode[-1].success and episode[-1].terminated
        before, after = episode[0].observation, episode[-1].final_observation
        assert before["base_pose"][2] == pytest.approx(0.0706, abs=0.004)  # m: it was driven there
        assert after["base_pose"][2] < 0.0656
        assert before["wrist_1"].shape == (128, 128, 3)


@pytest.mark.slow
def test_a_person_labels_what_a_robots_cameras_see(terminal, robot_task, tmp_path):
    arguments = ("reward", "collect", robot_task, "--robot", "sim_node", "--device", "keyboard")
    file = tmp_path / "frames.mcap"
    wanted = ("--positives", 3, "--negatives", 4)
    collecting = terminal(*arguments, *wanted, "--output", file)
    polls = itertools.count()

    def ended() -> bool:
        collecting.take()
        if next(polls) % 15 == 0:  # of 20 ms: some steps in between have no key
            collecting.press(b" ")
        return collecting.process.poll() is not None

    wait_until(ended, lambda: f"an end of:\n{collecting.text}")
    assert collecting.ends() == 0, collecting.text
    labels = [t.success for t in load_transitions(file, "pcb_insertion")]
    assert sum(labels) >= 3 and len(labels) - sum(labels) >= 4


def test_a_robot_is_not_trained_without_demonstrations(robot_task, tmp_path):
    result = serl("train", robot_task, "--robot", "fr3", "--run-dir", "run", cwd=tmp_path)
    assert result.returncode == 2 and not (tmp_path / "run").exists()
    assert "--demos: expected a file of `serl demos record --robot fr3`" in result.stderr


def test_a_script_does_not_show_a_robot_anything(robot_task, tmp_path):
    for command_ in ("demos", "record"), ("reward", "collect"):
        result = serl(*command_, robot_task, "--robot", "fr3", cwd=tmp_path)
        assert result.returncode == 2
        expected = "--device: expected one that a person holds, with --robot fr3, got scripted"
        assert expected in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_person_puts_back_and_judges_while_a_robot_is_evaluated(
    terminal, robot_task, tmp_path, monkeypatch
):
    run, quick = tmp_path / "run", ("--demos", 0, "--observations", "state", "--evaluate", 0)
    small = {
        "environment.arguments.cameras": {},
        "learner.observation_keys": ["pose", "force"],
        "environment.max_episode_steps": 15,
        "actor.random_steps": 20,
        "actor.max_steps": 20,
        "learner.training_starts": 20,
    }
    settings = [part for key, value in small.items() for part in ("--set", f"{key}={value}")]
    done = serl("train", robot_task, "--robot", "sim_node", "--run-dir", run, *quick, *settings)
    assert done.returncode == 0, done.stdout + done.stderr

    task = load_task(str(run / "config.yaml"))
    simulated = tmp_path / "simulated.yaml"
    task.save(simulated)
    by_hand = {
        "robot": "fr3",  # whoever stands behind the topics
        "world": None,
        "reset": replace(task.reset, source="person"),
        "reward": RewardConfig(source="human"),
    }
    replace(task, **by_hand).save(run / "config.yaml")
    with acquire_domain() as domain:
        variables = {"ROS_DOMAIN_ID": str(domain.number)}
        monkeypatch.setenv("ROS_DOMAIN_ID", variables["ROS_DOMAIN_ID"])
        command_line = [sys.executable, "-m", "serl_sim.robot_node"]
        command_line += ros_arguments("", simulated)
        robot = Process(command_line, tmp_path / "robot.log", env=environment() | variables)
        try:
            link = RobotLink({}, {}, 8)
            wait_until(lambda: link.newest_state() is not None, lambda: f"it: {robot.text}")
            link.close()
            evaluating = terminal("evaluate", run, "--episodes", 2, variables=variables)
            evaluating.shows("press SPACE for a success, F for a failure")
            for key in b" ", b"f":
                evaluating.shows("put it back, then press SPACE")
                evaluating.text = ""
                evaluating.press(b" ")  # it is put back: the arm drives
                while "put it back" not in evaluating.text and evaluating.process.poll() is None:
                    evaluating.press(key)  # of the drive no step; then the first step's
                    evaluating.take()
                    time.sleep(0.1)
            assert evaluating.ends() == 0, evaluating.text
        finally:
            robot.kill()
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["success_rate"] == 0.5
