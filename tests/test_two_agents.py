"""Two agents, one world: who acts changes between episodes alone, and nothing of them is mixed."""

import csv
import json
import os
import signal
import subprocess
from itertools import pairwise

import pytest
import yaml
from running import wait_until
from serl_command import command, environment, node_processes, serl

from serl_learner.config import ConfigError
from serl_learner.transition_log import load_transitions

pytestmark = [pytest.mark.ros, pytest.mark.slow]

# The right one is judged by a node of its own, more strictly than by the environment.
JUDGED_END = 0.55
POSE_REWARD = {
    "position": [1.0, 0.0, 0.0],
    "quaternion_xyzw": [0.0, 0.0, 0.0, 1.0],
    "position_tolerance": [1.0 - JUDGED_END, 1.0, 1.0],
}
TASK = {
    "task": "shuttle",
    "environment": {"id": "shuttle:Shuttle-v0", "demonstrator": "shuttle:Demonstrator"},
    "agents": {
        "left": {"environment": {"arguments": {"agent": "left"}}},
        "right": {
            "environment": {"arguments": {"agent": "right"}},
            "reward": {"source": "pose", "pose": POSE_REWARD},
        },
    },
    "reset": {"source": "agents", "agents": ["left", "right"]},
    "rlpd": {
        "hidden": [32, 32],
        "ensemble": 2,
        "discount": 0.9,
        "target_update_rate": 0.05,
        "learning_rate": 2e-3,
        "return_range": [0.0, 1.0],
    },
    "learner": {
        "observation_keys": ["position"],
        "batch_size": 64,
        "utd_ratio": 4.0,
        "critic_actor_ratio": 2,
        "training_starts": 20,
        "checkpoint_period": 50,
    },
    "actor": {"max_steps": 500},
}
AGENTS = tuple(TASK["agents"])


@pytest.fixture
def task(tmp_path):
    path = tmp_path / "shuttle.yaml"
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": TASK}}, sort_keys=False))
    return path


def log(run, agent):
    path = run / agent / "transitions" / "actor.mcap"
    return list(load_transitions(path, f"shuttle/{agent}")) if path.exists() else []


def assert_complete(run, steps):
    """Each agent's learner has what its log has, and the logs have every step, each in order."""
    result = json.loads((run / "result.json").read_text())
    logs = {agent: log(run, agent) for agent in AGENTS}
    assert sum(map(len, logs.values())) == result["env_steps"] == steps
    for agent, transitions in logs.items():
        assert {t.agent for t in transitions} == {agent}
        assert [t.sequence for t in transitions] == list(range(len(transitions)))
        own = result["agents"][agent]
        assert own == json.loads((run / agent / "result.json").read_text())
        assert (own["env_steps"], own["transitions_missing"]) == (len(transitions), 0)
        ends = [t.final_observation["position"][0] for t in transitions if t.success]
        assert all(end <= -0.5 if agent == "left" else end >= JUDGED_END for end in ends)
        assert own["critic_steps"] == 4 * (len(transitions) - 20)  # utd_ratio, training_starts
    return result, logs


def took_turns(logs):
    """Of all episodes in the order of time: who acted, and whether it was a success."""
    steps = sorted((t for log in logs.values() for t in log), key=lambda t: t.stamp_ns)
    turns = []
    for before, after in pairwise([None, *steps]):
        ended = before is None or before.terminated or before.truncated
        assert after.step == 0 if ended else after.step == before.step + 1
        assert ended or after.agent == before.agent
        if ended:
            turns.append((after.agent, False))
        if after.success:
            turns[-1] = (after.agent, True)
    return turns


def test_two_agents_learn_in_turns_and_a_run_goes_on(task, tmp_path):
    run = tmp_path / "run"
    one_process = ("--run-dir", run, "--learners", "together")
    done = serl("train", task, "--run-dir", run, "--demos", 3, "--max-steps", 300, "--prepare")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(run.rglob("*.log"))  # no node has run
    done = serl("train", "--resume", *one_process, "--evaluate", 0)
    assert done.returncode == 0, done.stdout + done.stderr
    _, logs = assert_complete(run, 300)
    turns = took_turns(logs)
    assert {agent for agent, _ in turns} == set(AGENTS)
    against = [b for b, after in pairwise(turns) if (after[0] != b[0]) != b[1]]
    assert len(against) <= 1  # a task that is solved is the other's to undo; but for a rescue
    done = serl("train", "--resume", *one_process, "--max-steps", 500, "--evaluate", 10)
    assert done.returncode == 0, done.stdout + done.stderr
    result, _ = assert_complete(run, 500)
    rates = [result["agents"][agent]["success_rate"] for agent in AGENTS]
    assert result["success_rate"] == min(rates) >= 0.8
    rows = [list(csv.DictReader((run / a / "episodes.csv").open())) for a in AGENTS]
    rescued = sum(row["rescued"] == "1" for each in rows for row in each)
    assert rescued == result["rescues"] == 2  # the third of each process
    assert result["rescues_per_1000_steps"] == 4.0
    assert (run / "learning_curve.png").stat().st_size > 1000
    assert "put back per 1000 steps" in (run / "report.md").read_text()
    assert not node_processes(run)

    evaluated = serl("evaluate", run / "left", "--episodes", 5)
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(evaluated.stdout)["task"] == "shuttle/left"
    evaluated = serl("evaluate", run, "--episodes", 5)
    assert evaluated.returncode == 0, evaluated.stderr
    agents = json.loads(evaluated.stdout)["agents"]
    assert sum(each["evaluation_episodes"] for each in agents.values()) == 10
    assert agents["right"]["reward_errors"]["steps"] > 0  # the left one's is the environment's word
    assert agents["left"]["reward_errors"] is None
    refused = serl("plot", run)
    assert refused.returncode == 2
    assert f"expected the folder of one agent: {run}/left, {run}/right" in refused.stderr
    with pytest.raises(ConfigError, match="of task 'shuttle/right', found 'shuttle/left'"):
        list(load_transitions(run / "left" / "demonstrations.mcap", "shuttle/right"))


def test_whoever_is_killed_comes_back_and_nothing_is_lost(task, tmp_path):
    run = tmp_path / "run"
    process = subprocess.Popen(
        command("train", task, "--run-dir", run, "--demos", 3, "--evaluate", 0),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    nodes = ("left/learner_node", "actor_node", "reset_agent_node", "right/reward_node")
    for number, name in enumerate(nodes, start=1):
        wanted = 80 * number

        def steps():
            return sum(len(log(run, agent)) for agent in AGENTS)

        wait_until(lambda wanted=wanted: steps() >= wanted, lambda: f"more than {steps()} steps")
        agent, _, node = name.rpartition("/")
        (victim,) = node_processes(run, f".{node} ", f"__ns:=/{agent}")
        os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    for name in nodes:
        assert f"{name} was killed: started again" in output
    assert_complete(run, 500)
    assert not node_processes(run)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["demos", "record", "{task}"], "expected one of {task}/left, {task}/right, got {task}"),
        (["train", "{task}", "--demos", "none"], "expected a folder with left.mcap or a number"),
        (["train", "{task}/up"], "expected an agent of left, right, got up"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(task, tmp_path, arguments, says):
    done = serl(*(argument.format(task=task) for argument in arguments), cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says.format(task=task) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("config.yaml"))
