"""Actor, learner and reward node in processes: who is not there judges nothing, and it is said."""

import os
import time
from pathlib import Path

import pytest
import yaml
from rclpy.node import Node
from running import Running, parameters, read_log, wait_for_log, wait_until
from std_msgs.msg import Bool

from serl_learner import qos

pytestmark = [pytest.mark.ros, pytest.mark.slow]

LEARNER = "serl_learner.learner_node"
ACTOR = "serl_actor.actor_node"
REWARD = "serl_reward.reward_node"


@pytest.fixture(autouse=True)
def own_task(monkeypatch):
    """The nodes find reach.py, which is here."""
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def reaching(
    directory, reward: dict, max_episode_steps: int = 30, reset: dict | None = None, **actor
):
    """A task whose reward is another's: the tool, a point, is judged by the pose of the plane."""
    task = parameters(directory, **actor)
    content = yaml.safe_load(task.read_text())
    sections = content["/**"]["ros__parameters"]
    sections["environment"] = {
        "id": "reach:Reach-v0",
        "arguments": {"posed": True},
        "max_episode_steps": max_episode_steps,
    }
    sections["reward"] = reward
    sections["reset"] = reset or {"source": "environment"}
    task.write_text(yaml.safe_dump(content))
    return task


# The right half of the plane is a success for the reward node, and for nobody else.
RIGHT = {
    "source": "pose",
    "pose": {
        "position": [1.0, 0.0, 0.0],
        "quaternion_xyzw": [0.0, 0.0, 0.0, 1.0],
        "position_tolerance": [1.0, 9.0, 9.0],
    },
}


DRIVEN = {"source": "scripted", "start_pose": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]}


@pytest.mark.parametrize("reset", [None, DRIVEN], ids=["teleported", "driven"])
def test_rewards_are_the_nodes_and_not_the_environments(tmp_path, start, statuses, reset):
    """Where the arm is driven to its start, the pose that it reached before counts."""
    task = reaching(tmp_path, RIGHT, reset=reset, max_steps=120, random_steps=120)
    if reset:
        start("serl_actor.reset_agent_node", task)
    nodes = [start(module, task) for module in (LEARNER, REWARD, ACTOR)]
    assert nodes[2].wait() == 0, nodes[2].text
    log = read_log(task)
    assert len(log) == 120 and not any(t.discarded for t in log)
    for step in log:
        if step.final_observation is not None:
            assert step.success == step.terminated == (step.final_observation["pose"][0] > 0.0)
            assert step.reward == float(step.success)
        else:
            assert not step.success and step.reward == 0.0
    assert any(t.success for t in log)
    assert [node.interrupt() for node in nodes[:2]] == [0, 0]


def test_without_a_reward_node_the_actor_says_so_and_does_nothing(tmp_path, start, statuses):
    task = reaching(tmp_path, RIGHT, max_steps=120, random_steps=120)
    actor = start(ACTOR, task)
    actor.wait_for_text("expected a node that serves /agent/reward/compute, found none")
    assert actor.interrupt() == 0, actor.text
    assert not read_log(task)  # no reward was invented


def test_the_reward_node_is_killed_and_comes_back(tmp_path, start, statuses):
    task = reaching(tmp_path, RIGHT, max_steps=600, random_steps=600, control_rate_hz=50.0)
    start(LEARNER, task)
    reward, actor = start(REWARD, task), start(ACTOR, task)
    wait_for_log(task, 60)
    reward.kill()
    actor.wait_for_text("is discarded at step")
    steps = len(read_log(task))
    start(REWARD, task)
    wait_until(
        lambda: any(t.success for t in read_log(task)[steps:]),
        lambda: "a success after the restart",
    )
    log = read_log(task)
    torn = [t for t in log if t.discarded]  # more than one while the death is not yet noticed
    for step in torn:
        assert step.truncated and not step.success and step.reward == 0.0
        assert all(t.episode != step.episode for t in log[step.sequence + 1 :])
    assert any(t.success for t in log[torn[-1].sequence + 1 :])  # it is judged again
    assert actor.interrupt() == 0, actor.text


def test_a_persons_key_ends_the_episode_in_the_step_after_it(tmp_path, start, statuses):
    # One episode as long as the run: at a time limit the actor would wait for the key, and a slow
    # machine may come to the limit before it comes to press.
    task = reaching(
        tmp_path,
        {"source": "human"},
        max_episode_steps=600,
        max_steps=600,
        random_steps=600,
        control_rate_hz=10.0,
    )
    for module in (LEARNER, REWARD, ACTOR):
        start(module, task)
    node = Node("person", namespace="agent")
    label = node.create_publisher(Bool, "reward/label", qos.COMMAND)
    wait_until(lambda: label.get_subscription_count() > 0, lambda: "a reward node")
    wait_for_log(task, 1)
    wait_for_log(task, len(read_log(task)) + 10)  # a second, in which the node knows of it too
    pressed_ns = time.time_ns()
    label.publish(Bool(data=True))
    wait_until(lambda: any(t.success for t in read_log(task)), lambda: "a success")
    node.destroy_node()
    log = read_log(task)
    (credited,) = [t for t in log if t.success]
    assert credited.terminated and credited.reward == 1.0
    # The step under way when the key was pressed, or the next one while the key is on its way.
    under_way = max(t.sequence for t in log if t.stamp_ns <= pressed_ns)
    assert credited.sequence - under_way in (0, 1)


def test_an_episode_without_a_label_waits_for_one(tmp_path, start, statuses):
    task = reaching(tmp_path, {"source": "human"}, max_steps=40, random_steps=40)
    for module in (LEARNER, REWARD):
        start(module, task)
    actor: Running = start(ACTOR, task)
    node = Node("person", namespace="agent")
    label = node.create_publisher(Bool, "reward/label", qos.COMMAND)
    wait_until(lambda: label.get_subscription_count() > 0, lambda: "a reward node")

    def ended() -> bool:
        label.publish(Bool(data=False))
        time.sleep(0.1)
        return actor.process.poll() is not None

    wait_until(ended, lambda: "an end")
    node.destroy_node()
    log = read_log(task)
    assert len(log) == 40 and not any(t.success or t.discarded for t in log)
    assert next(t.step for t in log if t.truncated) == 29  # the whole time limit
