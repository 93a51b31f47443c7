"""`serl train` as a user types it: real nodes, a real run folder, Ctrl-C, resume, and mistakes."""

import contextlib
import json
import os
import signal
import subprocess

import numpy as np
import pytest
import reach
import yaml
from running import wait_until
from serl_command import command, environment, node_processes, serl

from serl_actor.corrector import PATIENCE
from serl_bringup.assessment import open_agents
from serl_bringup.records import read_episodes
from serl_bringup.run_folder import RunFolder
from serl_learner.codec import decode_transition
from serl_learner.transition_log import read_transitions

pytestmark = [pytest.mark.ros, pytest.mark.slow]

TASK = {
    "task": "reach",
    "environment": {"id": "reach:Reach-v0", "demonstrator": "reach:Demonstrator"},
    "rlpd": {  # quicker than the defaults, as a way of ten steps allows
        "hidden": [64, 64],
        "ensemble": 4,
        "discount": 0.9,
        "target_update_rate": 0.02,
        "learning_rate": 1e-3,
        "return_range": [0.0, 1.0],
    },
    "learner": {
        "batch_size": 128,
        "utd_ratio": 2.0,
        "training_starts": 100,
        "checkpoint_period": 200,
    },
    "actor": {"max_steps": 1500},
}


def newest_policy(run):
    (agent,) = open_agents(RunFolder.open(run), {}).values()
    return agent.policy()


@pytest.fixture
def task(tmp_path):
    """Writes the task with a section changed, and returns its path."""

    def write(**sections):
        merged = {
            key: {**TASK[key], **sections.pop(key, {})}
            if isinstance(TASK[key], dict)
            else TASK[key]
            for key in TASK
        } | sections
        path = tmp_path / "reach.yaml"
        path.write_text(yaml.safe_dump({"/**": {"ros__parameters": merged}}))
        return str(path)

    return write


def episodes(run):
    """How many a run has recorded so far."""
    path = run / "episodes.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def test_a_run_learns_over_real_nodes_and_leaves_everything_behind(task, tmp_path):
    run = tmp_path / "run"
    done = serl("train", task(), "--run-dir", run, "--evaluate", 50, "--demos", 10)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((run / "result.json").read_text())
    # See test_reach_needs_learning for what a policy reaches that has not learned.
    assert result["success_rate"] > 0.9
    assert result["env_steps"] == 1500
    assert result["transitions_missing"] == 0
    assert result["demos"] == 10
    assert result["utd_ratio"] == pytest.approx(2.0, abs=0.1)
    assert result["critic_steps"] == 2 * (1500 - 100)
    wanted = {
        "task",
        "observations",
        "seed",
        "robot_minutes",
        "wall_minutes",
        "episodes",
        "cycle_time_s",
    }
    assert wanted <= result.keys()
    transitions = list(
        map(decode_transition, read_transitions(run / "transitions/actor.mcap", "reach"))
    )
    assert [t.sequence for t in transitions] == list(range(1500))
    for name in ("learning_curve.png", "policy.mp4", "report.md", "config.yaml", "episodes.csv"):
        assert (run / name).stat().st_size > 100, name
    assert list((run / "tensorboard").iterdir())
    assert not node_processes(run)

    one_step = "environment.max_episode_steps=1"  # too few to get there
    evaluated = serl("evaluate", run, "--episodes", 20, "--set", one_step)
    assert evaluated.returncode == 0, evaluated.stderr
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["success_rate"] < 0.5
    assert evaluation["evaluation_set"] == [one_step]
    refused = serl("evaluate", run, "--set", "learner.batch_size=3")
    assert refused.returncode == 2
    assert "expected gains or a key of environment" in refused.stderr


def test_ctrl_c_keeps_everything_and_resume_goes_on(task, tmp_path):
    run = tmp_path / "run"
    process = subprocess.Popen(
        command("train", task(), "--run-dir", run, "--demos", 5),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wait_until(lambda: episodes(run) > 3, lambda: "four episodes")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert not node_processes(run)
    stopped_at = json.loads((run / "result.json").read_text())["env_steps"]
    assert 0 < stopped_at < 1500
    done = serl(
        "train", "--resume", "--run-dir", run, "--max-steps", stopped_at + 100, "--evaluate", 5
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((run / "result.json").read_text())
    assert result["env_steps"] == stopped_at + 100
    sequences = [m.sequence for m in read_transitions(run / "transitions/actor.mcap", "reach")]
    assert sequences == list(range(stopped_at + 100))


def test_a_killed_learner_is_started_again_and_nothing_is_lost(task, tmp_path):
    run = tmp_path / "run"
    process = subprocess.Popen(
        command("train", task(actor={"max_steps": 600}), "--run-dir", run, "--demos", 5),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    checkpoints = RunFolder(run).checkpoints
    wait_until(lambda: list(checkpoints.glob("[0-9]*/policy.safetensors")), lambda: "a checkpoint")
    for number in node_processes(run, "learner_node"):
        os.kill(number, signal.SIGKILL)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert "learner_node was killed: started again" in output
    result = json.loads((run / "result.json").read_text())
    assert (result["env_steps"], result["transitions_missing"]) == (600, 0)
    newest_policy(run)


def test_nan_from_the_environment_stops_the_run_with_one_line(task, tmp_path):
    run = tmp_path / "run"
    path = task(
        environment={"demonstrator": "", "arguments": {"nan_at": 50}}, actor={"random_steps": 500}
    )
    done = serl("train", path, "--run-dir", run, "--demos", 0)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "position" in done.stderr and "nan" in done.stderr.lower()
    assert len(done.stderr.strip().splitlines()) == 1
    assert not node_processes(run)
    sequences = [m.sequence for m in read_transitions(run / "transitions/actor.mcap", "reach")]
    assert sequences == list(range(len(sequences))) and len(sequences) >= 40


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with 520 MB, a little more than a run asks for."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=520m", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_disk_that_fills_up_stops_the_run_with_one_line(task, small_disk):
    run = small_disk / "run"
    process = subprocess.Popen(
        command("train", task(), "--run-dir", run, "--demos", 5),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: episodes(run) > 3, lambda: "four episodes")
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(1 << 20))
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 2, output + errors
    assert len(errors.strip().splitlines()) == 1
    assert "No space left on device" in errors or "(0 MB free)" in errors
    assert not node_processes(run)
    sequences = [m.sequence for m in read_transitions(run / "transitions/actor.mcap", "reach")]
    assert sequences == list(range(len(sequences))) and sequences


MISTAKES = {
    "unknown task": (["nonsense"], "unknown task 'nonsense'"),
    "no task": ([], "expected a TASK"),
    "unknown environment": (["--env", "gymnasium:Pendulm-v1"], "Pendulum"),
    "discrete actions": (["--env", "gymnasium:CartPole-v1"], "expected a Box"),
    "no such demonstrations": (["pcb_insertion", "--demos", "none.mcap"], "no such file"),
    "bad override": (
        ["pcb_insertion", "--set", "learner.batch_size=many"],
        "expected int, got 'many'",
    ),
    "unknown override": (["pcb_insertion", "--set", "learner.batch=1"], "learner.batch: unknown"),
    "unknown argument": (["pcb_insertion", "--set", "environment.arguments.speed=1"], "speed"),
    "unknown gains": (["pcb_insertion", "--set", "gains=none"], "unknown gains 'none'"),
    "no gripper to decide on": (
        ["pcb_insertion", "--set", "rlpd.gripper=discrete"],
        "rlpd.gripper: expected continuous with 6 actions, got discrete",
    ),
    "resume to prepare": (["--resume", "--run-dir", "nowhere", "--prepare"], "no prepare"),
    "unknown arm": (["pcb_insertion", "--set", "environment.arguments.arm=scara"], "panda, ur5"),
    "nothing to act by": (["pcb_insertion", "--demos", "0"], "actor.random_steps: expected at"),
    "nothing to compress images by": (
        ["pcb_insertion", "--demos", "0", "--set", "actor.random_steps=100"],
        "encoder.channels: expected demonstrations to choose 64 of 512 by",
    ),
    "nobody to help": (
        ["--env", "gymnasium:Pendulum-v1", "--intervene", "scripted"],
        "intervention.device: expected none without environment.demonstrator, got scripted",
    ),
    "helpers that differ": (
        ["pcb_insertion_reset_free", "--intervene", "scripted"],
        "intervention.device: expected none, as the agents' demonstrators differ, got scripted",
    ),
    "an unknown helper": (["pcb_insertion", "--intervene", "mouse"], "one of none, scripted"),
    "resume with a seed": (["--resume", "--run-dir", "nowhere", "--seed", "0"], "no seed"),
    "resume in real time": (["--resume", "--run-dir", "nowhere", "--real-time"], "no real_time"),
    "nothing to resume": (["--resume", "--run-dir", "nowhere"], "not a run folder"),
}


@pytest.mark.parametrize("arguments, says", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gets_one_line_and_exit_code_2(arguments, says, tmp_path):
    done = serl("train", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("config.yaml"))  # no half-made run is left in the way


def test_corrections_are_logged_and_counted(task, tmp_path):
    run = tmp_path / "run"
    few = ("--demos", 2, "--max-steps", 400, "--evaluate", 0)
    # A policy that never learns, and long episodes: a helper always has to come.
    helpless = task(environment={"max_episode_steps": 100}, learner={"training_starts": 10_000})
    done = serl("train", helpless, "--intervene", "scripted", *few, "--run-dir", run)
    assert done.returncode == 0, done.stdout + done.stderr
    logged = read_transitions(run / "transitions/actor.mcap", "reach")
    transitions = list(map(decode_transition, logged))
    corrected = [t for t in transitions if t.intervened]
    assert 20 <= len(corrected) < 200
    assert min(t.step for t in corrected) >= PATIENCE[0]  # the policy had tried
    rows = read_episodes(run / "episodes.csv")
    assert sum(row["intervened_steps"] for row in rows) == len(corrected)
    assert json.loads((run / "result.json").read_text())["intervened_share"] == pytest.approx(
        len(corrected) / len(transitions), abs=1e-4
    )


def test_a_run_from_cameras_stores_features_logs_images_and_can_be_watched(tmp_path):
    run = tmp_path / "run"
    few = ("--demos", 1, "--max-steps", 60, "--set", "learner.training_starts=20")
    wanted = ("--run-dir", run, "--evaluate", 0, "--view")
    done = serl("train", "pcb_insertion", *few, *wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "watch at http://127.0.0.1:" in done.stdout
    assert "viewer has failed" not in done.stdout + done.stderr
    assert "replay of 200,000 observations: 1.67 GB" in " ".join(done.stdout.split())
    result = json.loads((run / "result.json").read_text())
    assert (result["observations"], result["env_steps"]) == ("vision", 60)
    assert result["critic_steps"] == 160 and result["transitions_missing"] == 0
    logged = read_transitions(run / "transitions/actor.mcap", "pcb_insertion")
    transitions = list(map(decode_transition, logged))
    assert [t.sequence for t in transitions] == list(range(60))
    assert all(t.observation["wrist_2"].shape == (128, 128, 3) for t in transitions)
    assert transitions[-1].policy_version > 0  # it acted with what was learned
    policy = newest_policy(run)
    assert policy.act(transitions[0].observation, deterministic=True).shape == (6,)


def test_a_run_folder_that_exists_and_demonstrations_of_another_task_are_refused(task, tmp_path):
    demonstrations = tmp_path / "demos.mcap"
    recorded = serl("demos", "record", task(), "--episodes", 2, "--output", demonstrations)
    assert recorded.returncode == 0, recorded.stderr
    again = serl("demos", "record", task(), "--episodes", 2, "--output", demonstrations)
    assert again.returncode == 2 and "exists" in again.stderr
    other = serl(
        "train", task(task="other"), "--run-dir", tmp_path / "run", "--demos", demonstrations
    )
    assert other.returncode == 2 and "'reach'" in other.stderr and "'other'" in other.stderr
    assert not (tmp_path / "run").exists()  # nothing has been started
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("x")
    taken = serl("train", task(), "--run-dir", tmp_path / "taken")
    assert taken.returncode == 2 and "exists" in taken.stderr


def test_a_domain_in_use_is_refused(task, tmp_path):
    domain = os.environ["ROS_DOMAIN_ID"]  # held by this process
    arguments = command("train", task(), "--run-dir", tmp_path / "run", "--demos", 2)
    variables = {**environment(), "ROS_DOMAIN_ID": domain}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=variables)
    assert done.returncode == 2
    assert f"ROS domain {domain} is in use" in done.stderr


def test_reach_needs_learning():
    """The threshold above means something: neither a resting nor a random policy gets near it."""
    rng = np.random.default_rng(0)
    for choose in (lambda: np.zeros(2), lambda: rng.uniform(-1, 1, 2)):
        solved = 0
        for seed in range(200):
            env = reach.gym.make("Reach-v0")
            env.reset(seed=seed)
            ended = False
            while not ended:
                _, _, terminated, ended, _ = env.step(choose())
                solved += terminated
                ended = ended or terminated
        assert solved < 40
