"""The environment over topics and the simulated robot behind them, over real middleware."""

import signal
import sys
from itertools import pairwise
from pathlib import Path

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import yaml
from rclpy.qos import qos_profile_sensor_data
from running import Process, wait_until
from sensor_msgs.msg import JointState, MultiDOFJointState
from serl_command import serl

from serl_actor.body_publisher import TOPIC, decode_bodies
from serl_actor.robot_env import RobotEnv
from serl_actor.robot_link import RobotFault
from serl_bringup.processes import node_environment
from serl_bringup.task import load_task
from serl_learner.domain import acquire_domain
from serl_learner.transition_log import load_transitions

TASK = str(Path(__file__).parents[1] / "config/tasks/pcb_insertion.yaml")
pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture
def domain(monkeypatch):
    with acquire_domain(None) as domain:
        for name, value in node_environment(domain.number).items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture
def start(domain, tmp_path):
    """Starts the robot node."""
    task = load_task(TASK, robot="sim_node")
    world = {"id": task.world.id, "arguments": task.world.arguments}
    file = tmp_path / "world.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": {"world": _plain(world)}}}))
    started = []

    def start():
        arguments = ["--ros-args", "--params-file", str(file)]
        command = [sys.executable, "-m", "serl_sim.robot_node", *arguments]
        log = tmp_path / f"robot_{len(started)}.log"
        started.append(Process(command, log))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def env(domain):
    task = load_task(TASK, robot="sim_node")
    env = RobotEnv(**task.environment.arguments)
    yield env
    env.close()


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def appear(env):
    """The first observation, as soon as there is a robot."""

    def reset():
        try:
            seen.append(env.reset()[0])
        except RobotFault:
            return False
        return True

    seen = []
    wait_until(reset, lambda: "a robot")
    return seen[-1]


def test_the_tool_goes_where_it_is_sent_and_the_cameras_see_it(start, env):
    start()
    before = appear(env)
    assert env.observation_space.contains(before)
    for _ in range(10):
        after, *_ = env.step(np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    moved = after["pose"][:3] - before["pose"][:3]
    assert moved[0] > 0.02 and np.abs(moved[1:]).max() < 0.005  # m
    assert np.abs(after["wrist_1"].astype(int) - before["wrist_1"]).max() > 30


def test_a_drive_ends_where_the_waypoints_do(start, env):
    start()
    pose = appear(env)["pose"].astype(float)
    ways = np.array([[0.1 * i, *pose] for i in range(1, 11)])
    ways[:, 1] += np.linspace(0.0, 0.02, 10)  # m
    observation, _ = env.reset(options={"waypoints": ways, "gripper": None})
    np.testing.assert_allclose(observation["pose"][:3], ways[-1, 1:4], atol=0.004)


def test_a_robot_that_is_killed_is_a_fault_and_one_that_comes_back_is_none(start, env):
    robot = start()
    appear(env)
    robot.kill()
    with pytest.raises(RobotFault, match=r"^robot: expected a (publisher of|message on) /cartes"):
        for _ in range(50):
            env.step(np.zeros(6))
    start()
    assert env.observation_space.contains(appear(env))


def test_a_script_that_knows_the_place_shows_it_what_to_do(tmp_path):
    file = tmp_path / "shown.mcap"
    recording = serl(
        "demos", "record", TASK, "--robot", "sim_node", "--episodes", 1, "--output", file
    )
    assert recording.returncode == 0, recording.stderr
    shown = list(load_transitions(file, "pcb_insertion"))
    assert shown[-1].success and shown[-1].reward == 1.0 and len(shown) > 10
    seated = shown[-1].final_observation["base_pose"]
    np.testing.assert_allclose(seated[:3], [0.5, 0.0, 0.0306], atol=0.003)
    apart_s = [1e-9 * (after.stamp_ns - before.stamp_ns) for before, after in pairwise(shown)]
    assert np.median(apart_s) == pytest.approx(0.1, abs=0.02)  # in real time


def test_a_robot_ends_in_order_when_it_is_told_to(start, env):
    robot = start()
    appear(env)
    robot.process.send_signal(signal.SIGINT)
    assert robot.wait() == 0, robot.text


def test_who_listens_is_told_where_the_bodies_are(start, node):
    heard = {}

    def hear(kind, topic):
        node.create_subscription(kind, topic, heard.setdefault(kind, []).append, sensor)

    sensor = qos_profile_sensor_data
    hear(JointState, "/joint_states")
    hear(MultiDOFJointState, TOPIC)
    start()
    wait_until(lambda: all(len(messages) >= 3 for messages in heard.values()), lambda: "messages")
    poses = decode_bodies(heard[MultiDOFJointState][-1])
    world = load_task(TASK, robot="sim_node", observations="state").world
    env = gym.make(world.id, disable_env_checker=True, **world.arguments).unwrapped
    robot = env.robot
    robot.q[:] = heard[JointState][-1].position[: len(robot.q)]  # where it holds
    mujoco.mj_kinematics(robot.model, robot.data)
    expected = env.body_poses()
    env.close()
    assert list(poses) == list(expected) and "fixture" in poses
    for link in ("panda_link1", "panda_link7"):
        np.testing.assert_allclose(poses[link], expected[link], atol=1e-3)
