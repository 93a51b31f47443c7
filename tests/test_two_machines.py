"""A run on two machines: two sessions, each with its own copy of the folder, in one domain."""

import json
import os
import shutil

import pytest
import yaml
from running import Process, wait_until
from serl_command import command, environment, node_processes, serl

from serl_bringup.run_folder import RunFolder
from serl_learner.transition_log import read_transitions

pytestmark = [pytest.mark.ros, pytest.mark.slow]

STEPS = 400
TASK = {
    "task": "reach",
    "environment": {"id": "reach:Reach-v0", "demonstrator": "reach:Demonstrator"},
    "rlpd": {"hidden": [16, 16], "ensemble": 2},
    "learner": {"batch_size": 16, "utd_ratio": 1.0, "training_starts": 20, "checkpoint_period": 50},
    "actor": {"max_steps": STEPS},
}


@pytest.fixture
def machines(tmp_path):
    """The folder of each machine: what --prepare made, and a copy."""
    file, robot, learner = (tmp_path / name for name in ("reach.yaml", "robot", "learner"))
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": TASK}}))
    done = serl("train", file, "--prepare", "--demos", 3, "--run-dir", robot)
    assert done.returncode == 0, done.stderr
    shutil.copytree(robot, learner)
    return {"robot": robot, "learner": learner}


@pytest.fixture
def start(machines, tmp_path):
    """Starts a machine's part of the run, with what the shell says of domain and discovery."""
    started = []

    def start(machine):
        arguments = ("--resume", "--machine", machine, "--run-dir", machines[machine])
        variables = {**environment(), "ROS_DOMAIN_ID": os.environ["ROS_DOMAIN_ID"]}
        log = tmp_path / f"{machine}_{len(started)}.log"
        process = Process(command("train", *arguments, "--evaluate", 5), log, env=variables)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def test_each_machine_runs_its_part_and_the_learner_s_may_die(machines, start):
    robot = start("robot")
    robot.wait_for_text("the learner is not there: on its machine, serl train --resume --machine")
    learner = start("learner")
    checkpoints = RunFolder(machines["learner"]).checkpoints
    wait_until(lambda: list(checkpoints.glob("[0-9]*/policy.safetensors")), lambda: "a checkpoint")
    assert "the learner is there" in robot.text and "the actor is there" in learner.text
    for number in [learner.process.pid, *node_processes(machines["learner"], "learner_node")]:
        os.kill(number, 9)
    learner.wait()
    learner = start("learner")
    assert (robot.wait(), learner.wait()) == (0, 0), robot.text + learner.text
    for folder in machines.values():
        result = json.loads((folder / "result.json").read_text())
        assert (result["env_steps"], result["transitions_missing"]) == (STEPS, 0)
        assert result["critic_steps"] == STEPS - 20  # nothing was learned twice
    result = json.loads((machines["learner"] / "result.json").read_text())
    assert result["success_rate"] is not None  # it has the policy, and evaluated it
    transitions = read_transitions(machines["robot"] / "transitions/actor.mcap", "reach")
    assert [t.sequence for t in transitions] == list(range(STEPS))
    assert not (machines["learner"] / "transitions").exists()
    assert not (machines["robot"] / "checkpoints").exists()


def test_a_machine_s_part_needs_a_prepared_folder(tmp_path):
    done = serl("train", "pcb_insertion", "--machine", "learner", "--run-dir", tmp_path / "run")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--machine: expected --resume" in done.stderr
