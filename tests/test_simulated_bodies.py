"""An actor that simulates tells whoever listens where its bodies are."""

import numpy as np
import pytest
import yaml
from rclpy.qos import qos_profile_sensor_data
from running import parameters, read_log, wait_until
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import MultiDOFJointState

from serl_actor.body_publisher import TOPIC, decode_bodies
from serl_actor.environment import EnvironmentConfig, make_environment

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ENVIRONMENT = {
    "id": "serl_sim:serl_sim/PcbInsertion-v0",
    "max_episode_steps": 50,
    "arguments": {"observations": "state"},
}


def tool_in_link() -> np.ndarray:  # (3,) m
    """Where the tool is in the frame of the arm's last link."""
    environment = make_environment(EnvironmentConfig(**ENVIRONMENT))
    tool = environment.reset(seed=0)[0]["pose"][:3]
    link = environment.unwrapped.body_poses()["panda_link7"]
    environment.close()
    return Rotation.from_quat(link[3:]).inv().apply(tool - link[:3])


def test_the_arm_is_told_to_be_where_the_policy_sees_the_tool(tmp_path, start, node):
    task = parameters(tmp_path, control_rate_hz=10.0, random_steps=1000)
    content = yaml.safe_load(task.read_text())
    content["/**"]["ros__parameters"]["environment"] = ENVIRONMENT
    task.write_text(yaml.safe_dump(content))
    told = []
    node.create_subscription(MultiDOFJointState, TOPIC, told.append, qos_profile_sensor_data)
    actor = start("serl_actor.actor_node", task)
    wait_until(lambda: len(told) >= 5, lambda: f"five messages: {actor.text}")
    actor.kill()
    links = np.array([decode_bodies(message)["panda_link7"] for message in told])  # (n, 7)
    tools = links[:, :3] + Rotation.from_quat(links[:, 3:]).apply(tool_in_link())
    seen = np.array([step.observation["pose"][:3] for step in read_log(task)])  # (m, 3)
    apart = np.linalg.norm(tools[:, None] - seen, axis=2).min(axis=1)  # m, from the nearest step
    assert apart[:4].max() < 1e-5  # the step after the last one may not have been made
    assert np.ptp(tools, axis=0).max() > 1e-4
