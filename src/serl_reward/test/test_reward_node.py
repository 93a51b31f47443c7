import threading

import numpy as np
import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from serl_learner.codec import encode_observation
from serl_learner.discovery import local_discovery
from serl_learner.domain import acquire_domain
from serl_learner.run_node import spinning
from serl_msgs.srv import ComputeReward
from serl_reward.reward_node import RewardNode

pytestmark = pytest.mark.ros


@pytest.fixture
def ask(monkeypatch):
    """Asks a reward node whose target is at (0.5, 0, 0.2), upright, to judge an observation."""
    context = rclpy.Context()
    with acquire_domain() as domain:
        for name, value in local_discovery().items():
            monkeypatch.setenv(name, value)
        rclpy.init(context=context, domain_id=domain.number)
        overrides = [
            Parameter("reward.source", value="pose"),
            Parameter("reward.pose.position", value=[0.5, 0.0, 0.2]),
            Parameter("reward.pose.quaternion_xyzw", value=[0.0, 0.0, 0.0, 1.0]),
        ]
        node = RewardNode(context=context, parameter_overrides=overrides)
        asking = Node("asking", namespace="agent", context=context)
        client = asking.create_client(ComputeReward, "reward/compute")
        with spinning(node, threading.Event()), spinning(asking, threading.Event()):
            assert client.wait_for_service(timeout_sec=30.0)

            def ask(observation):
                message = encode_observation(observation, stamp_ns=0)
                return client.call(ComputeReward.Request(observation=message), timeout_sec=30.0)

            yield ask
        rclpy.try_shutdown(context=context)


def pose(x):
    return {"pose": np.array([x, 0.0, 0.2, 0.0, 0.0, 0.0, 1.0], np.float32)}


def test_judges_the_pose(ask):
    reply = ask(pose(0.501))
    assert (reply.reward, reply.success, reply.confidence, reply.error) == (1.0, True, 1.0, "")
    reply = ask(pose(0.51))
    assert (reply.reward, reply.success, reply.confidence, reply.error) == (0.0, False, 0.0, "")


def test_says_why_it_cannot_judge(ask):
    assert "pose: expected 7" in ask({"twist": np.zeros(6, np.float32)}).error
    assert "finite" in ask(pose(np.nan)).error
