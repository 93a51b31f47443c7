"""PlanReset <-> in-memory types. Decoding checks what came over the wire, in one line each."""

import math
import time

import numpy as np
from geometry_msgs.msg import PoseStamped

from serl_actor.reset import ResetKind, ResetPlan, ResetRequest
from serl_learner.codec import decode_observation, encode_observation, to_nanoseconds, to_time
from serl_learner.config import expect
from serl_msgs.srv import PlanReset

UNIT_TOLERANCE = 1e-3  # of a quaternion's length


def encode_request(request: ResetRequest) -> PlanReset.Request:
    return PlanReset.Request(
        agent=request.agent,
        driven=request.driven,
        observation=encode_observation(request.observation, time.time_ns()),
        solved=list(request.solved),
    )


def decode_request(message: PlanReset.Request) -> ResetRequest:
    observation = decode_observation(message.observation)
    return ResetRequest(message.agent, message.driven, observation, tuple(message.solved))


def fill_response(message: PlanReset.Response, plan: ResetPlan) -> None:
    message.kind, message.agent, message.message = int(plan.kind), plan.agent, plan.message
    message.gripper = math.nan if plan.gripper is None else plan.gripper
    message.waypoints = [_encode_waypoint(row) for row in plan.waypoints.tolist()]


def fill_refusal(message: PlanReset.Response, why: str) -> None:
    """No reset can be planned."""
    fill_response(message, ResetPlan(ResetKind.SWITCH_AGENT, message=why))


def decode_plan(message: PlanReset.Response) -> ResetPlan:
    """Raises ValueError for a refusal too."""
    expect(message.kind in list(ResetKind), "kind", "0, 1 or 2", message.kind)
    kind = ResetKind(message.kind)
    if kind is ResetKind.SWITCH_AGENT and not message.agent:
        raise ValueError(message.message or "agent: expected one with SWITCH_AGENT, got none")
    if kind is ResetKind.CONFIRM:
        expect(not message.agent, "agent", "none with CONFIRM", message.agent)
    if kind is not ResetKind.WAYPOINTS:
        count = len(message.waypoints)
        expect(count == 0, "waypoints", f"none with {kind.name}", count)
    gripper = None if math.isnan(message.gripper) else message.gripper
    expect(gripper is None or 0.0 <= gripper <= 1.0, "gripper", "0 to 1, or NaN", gripper)
    waypoints = _decode_waypoints(message.waypoints)
    return ResetPlan(kind, message.agent, waypoints, gripper, message.message)


def _encode_waypoint(row: list[float]) -> PoseStamped:
    message = PoseStamped()
    message.header.stamp = to_time(round(1e9 * row[0]))
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = row[1:4]
    orientation.x, orientation.y, orientation.z, orientation.w = row[4:]
    return message


def _decode_waypoints(messages: list[PoseStamped]) -> np.ndarray:  # (n, 8)
    rows = [_decode_waypoint(message) for message in messages]
    waypoints = np.array(rows, dtype=np.float64).reshape(-1, 8)
    late = np.diff(waypoints[:, 0], prepend=0.0) > 0.0
    for index, row in enumerate(waypoints):
        where = f"waypoints[{index}]"
        expect(np.isfinite(row).all(), where, "finite numbers", row.tolist())
        unit = abs(np.linalg.norm(row[4:]) - 1.0) < UNIT_TOLERANCE
        expect(unit, f"{where}.orientation", "unit length", row[4:].tolist())
        expect(late[index], f"{where}.stamp", "later than the one before, and than 0 s", row[0])
    return waypoints


def _decode_waypoint(message: PoseStamped) -> list[float]:
    position, orientation = message.pose.position, message.pose.orientation
    return [
        to_nanoseconds(message.header.stamp) / 1e9,
        *(position.x, position.y, position.z),
        *(orientation.x, orientation.y, orientation.z, orientation.w),
    ]
