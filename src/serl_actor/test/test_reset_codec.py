"""What crosses the wire for a reset, and what of it is refused."""

import math

import numpy as np
import pytest

from serl_actor.reset import ResetConfig, ResetKind, ResetPlan, ResetPlanner, ResetRequest
from serl_actor.reset_codec import (
    decode_plan,
    decode_request,
    encode_request,
    fill_refusal,
    fill_response,
)
from serl_msgs.srv import PlanReset

START = (0.5, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0)
HERE = {"pose": np.array([0.4, 0.1, 0.1, 1.0, 0.0, 0.0, 0.0], np.float32)}


def response(plan):
    message = PlanReset.Response()
    fill_response(message, plan)
    return message


def drive():
    """Two way-points."""
    rows = [[0.1, *START], [0.2, *START]]
    return response(ResetPlan(ResetKind.WAYPOINTS, "forward", np.array(rows), 0.5, "drives"))


def test_a_request_arrives_as_it_was_sent():
    sent = ResetRequest("forward", True, HERE, ("forward", "backward"))
    received = decode_request(encode_request(sent))
    assert (received.agent, received.driven, received.solved) == ("forward", True, sent.solved)
    np.testing.assert_array_equal(received.observation["pose"], HERE["pose"])


def test_a_planned_drive_arrives_as_it_was_sent():
    planner = ResetPlanner(ResetConfig("scripted", START, random_rz=0.3, gripper=0.75), seed=0)
    sent = planner.plan(ResetRequest("agent", False, HERE, ()))
    received = decode_plan(response(sent))
    assert (received.kind, received.agent, received.gripper, received.message) == (
        (sent.kind, "agent", 0.75, "drives to the start")
    )
    np.testing.assert_array_equal(received.waypoints[:, 1:], sent.waypoints[:, 1:])
    np.testing.assert_allclose(received.waypoints[:, 0], sent.waypoints[:, 0], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "plan",
    [ResetPlan(ResetKind.CONFIRM, message="wait"), ResetPlan(ResetKind.SWITCH_AGENT, "backward")],
)
def test_so_do_plans_without_way_points(plan):
    message = response(plan)
    assert math.isnan(message.gripper)
    received = decode_plan(message)
    assert (received.kind, received.agent, received.message) == (
        (plan.kind, plan.agent, plan.message)
    )
    assert received.gripper is None and received.waypoints.shape == (0, 8)


def test_a_refusal_says_why():
    message = PlanReset.Response()
    fill_refusal(message, "observation.pose: expected it, got none")
    with pytest.raises(ValueError, match=r"^observation.pose: expected it, got none$"):
        decode_plan(message)


def set_pose(message, index, part, axis, value):
    setattr(getattr(message.waypoints[index].pose, part), axis, value)


def set_stamp(message, index, second, nanosecond):
    stamp = message.waypoints[index].header.stamp
    stamp.sec, stamp.nanosec = second, nanosecond


GARBAGE = {
    "kind": (lambda m: setattr(m, "kind", 7), "kind: expected 0, 1 or 2, got 7"),
    "nobody begins": (
        lambda m: (setattr(m, "kind", 2), setattr(m, "agent", ""), setattr(m, "message", "")),
        "agent: expected one with SWITCH_AGENT, got none",
    ),
    "somebody begins": (
        lambda m: (setattr(m, "kind", 1), setattr(m, "waypoints", [])),
        "agent: expected none with CONFIRM, got forward",
    ),
    "drive instead of switch": (
        lambda m: setattr(m, "kind", 2),
        "waypoints: expected none with SWITCH_AGENT, got 2",
    ),
    "gripper": (lambda m: setattr(m, "gripper", 1.5), "gripper: expected 0 to 1, or NaN, got 1.5"),
    "infinite gripper": (
        lambda m: setattr(m, "gripper", math.inf),
        "gripper: expected 0 to 1, or NaN, got inf",
    ),
    "not finite": (
        lambda m: set_pose(m, 1, "position", "x", math.nan),
        "waypoints[1]: expected finite numbers, got [",
    ),
    "not a rotation": (
        lambda m: set_pose(m, 1, "orientation", "x", 0.99),
        "waypoints[1].orientation: expected unit length, got [0.99, ",
    ),
    "at once": (
        lambda m: set_stamp(m, 0, 0, 0),
        "waypoints[0].stamp: expected later than the one before, and than 0 s, got 0.0",
    ),
    "back in time": (
        lambda m: set_stamp(m, 1, 0, 50_000_000),
        "waypoints[1].stamp: expected later than the one before, and than 0 s, got 0.05",
    ),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused_in_one_line(name):
    spoil, expected = GARBAGE[name]
    message = drive()
    decode_plan(message)
    spoil(message)
    with pytest.raises(ValueError) as error:
        decode_plan(message)
    assert str(error.value).startswith(expected) and "\n" not in str(error.value)
