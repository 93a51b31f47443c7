"""The reset agent as a process, and the actor's questions to it, over real middleware."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest
import yaml
from rclpy.node import Node
from running import wait_until
from std_msgs.msg import Empty

from serl_actor.planned_reset import ResetFault
from serl_actor.reset import ResetConfig, ResetKind, ResetPlanner, ResetRequest
from serl_actor.reset_client import ResetClient
from serl_learner import qos
from serl_learner.run_node import spinning
from serl_msgs.srv import PlanReset

pytestmark = [pytest.mark.ros, pytest.mark.slow]

RESET_AGENT = "serl_actor.reset_agent_node"
START = [0.5, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0]
HERE = {"pose": np.array([0.4, 0.1, 0.1, 1.0, 0.0, 0.0, 0.0], np.float32)}
QUESTION = ResetRequest("agent", False, HERE, ())
TURNS = {"source": "agents", "agents": ["forward", "backward"]}


def task(directory, **reset):
    path = directory / "task.yaml"
    sections = {"reset": reset, "run": {"seed": 3}}
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": sections}}))
    return path


def appeared(client: ResetClient) -> ResetClient:
    client.ready(timeout_s=60.0)
    return client


def test_it_plans_as_its_configuration_says(tmp_path, start, node):
    reset = {"source": "scripted", "start_pose": START, "random_xy": 0.05, "gripper": 0.5}
    running = start(RESET_AGENT, task(tmp_path, **reset))
    plan = appeared(ResetClient(node))(QUESTION)
    expected = ResetPlanner(ResetConfig(**reset), seed=3).plan(QUESTION)
    assert (plan.kind, plan.agent, plan.gripper) == (ResetKind.WAYPOINTS, "agent", 0.5)
    np.testing.assert_allclose(plan.waypoints, expected.waypoints, rtol=0, atol=1e-9)
    assert running.interrupt() == 0, running.text


def test_it_says_why_it_cannot_plan(tmp_path, start, node):
    start(RESET_AGENT, task(tmp_path, source="scripted", start_pose=START))
    with pytest.raises(ResetFault, match=r"^reset: observation.pose: expected x, y, z \(m\)"):
        appeared(ResetClient(node))(ResetRequest("agent", False, {}, ()))


def test_a_person_confirms_by_a_topic(tmp_path, start, node):
    start(RESET_AGENT, task(tmp_path, source="person"))
    client = appeared(ResetClient(node))
    assert client(QUESTION).kind is ResetKind.CONFIRM
    confirm = node.create_publisher(Empty, "reset/confirm", qos.COMMAND)
    wait_until(lambda: confirm.get_subscription_count() > 0, lambda: "a reset agent")
    confirm.publish(Empty())
    wait_until(lambda: client(QUESTION).kind is ResetKind.SWITCH_AGENT, lambda: "a plan")
    assert client(QUESTION).kind is ResetKind.CONFIRM  # the next one is asked for anew


def test_without_a_reset_agent_it_is_said(node):
    with pytest.raises(ResetFault) as error:
        ResetClient(node).ready(timeout_s=0.1)
    expected = "reset: expected a node that serves /agent/reset/plan, found none"
    assert str(error.value) == expected


def test_killed_and_started_again_it_goes_on(tmp_path, start, node):
    first = start(RESET_AGENT, task(tmp_path, **TURNS))
    client = appeared(ResetClient(node))
    solved = ResetRequest("forward", False, HERE, ("forward",))
    assert client(solved).agent == "backward"
    first.kill()
    with pytest.raises(ResetFault, match=r"^reset: expected a (plan within 2 s|node that serves)"):
        client(solved)
    start(RESET_AGENT, task(tmp_path, **TURNS))

    def planned() -> bool:
        try:
            return client(solved).agent == "backward"
        except ResetFault:  # the dead one is still believed to be there
            return False

    wait_until(planned, lambda: "a plan of the new one")


def test_there_is_one_reset_agent(tmp_path, start, node):
    start(RESET_AGENT, task(tmp_path, **TURNS))
    appeared(ResetClient(node))
    second = start(RESET_AGENT, task(tmp_path, **TURNS))
    assert second.wait() == 2
    assert "agent /agent already has a reset agent in ROS domain" in second.text


@pytest.mark.parametrize(
    ("reset", "expected"),
    [
        (
            {"source": "environment"},
            "reset.source: expected one that is planned, got environment\n",
        ),
        ({"source": "agents"}, "reset.agents: expected 2 or more for source: agents, got []\n"),
    ],
)
def test_a_mistake_in_the_task_is_one_line(tmp_path, start, reset, expected):
    running = start(RESET_AGENT, task(tmp_path, **reset))
    assert (running.wait(), running.text) == (2, expected)


@pytest.fixture
def impostor(node):
    """Serves `reset/plan` with what it is told to answer."""

    def serve(answer: Callable[[PlanReset.Response], None]) -> None:
        def on_plan(request, response):
            answer(response)
            return response

        other = Node("impostor", namespace="agent", context=node.context)
        other.create_service(PlanReset, "reset/plan", on_plan)
        spins.enter_context(spinning(other, threading.Event()))

    with ExitStack() as spins:
        yield serve


def test_garbage_is_refused(impostor, node):
    def answer(response):
        response.kind = 9

    impostor(answer)
    with pytest.raises(ResetFault, match=r"^reset: kind: expected 0, 1 or 2, got 9$"):
        appeared(ResetClient(node))(QUESTION)


def test_an_answer_that_comes_too_late_is_none(impostor, node, monkeypatch):
    late = threading.Event()
    impostor(lambda response: late.wait(60.0))
    monkeypatch.setattr("serl_actor.reset_client.ANSWER_S", 0.5)
    with pytest.raises(ResetFault, match=r"^reset: expected a plan within"):
        appeared(ResetClient(node))(QUESTION)
    late.set()
