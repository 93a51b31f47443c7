"""The robot over topics that a task drives: whether it is there, and as it has to be."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from serl_actor.camera_image import CHANNELS
from serl_actor.cameras import MAX_AGE_S
from serl_actor.robot_diagnostics import AHEAD_S, CLOCKS, REASONS, SLOW_HZ
from serl_actor.robot_link import CONTROLLER
from serl_bringup.doctor.check import Check, ProbeError, probe
from serl_learner.diagnostics import Level

SLOW_STATE_HZ, JITTER_MS, LATE_MS = 80.0, 10.0, 100.0  # of 100 Hz
SLOW_ANSWER_MS = 50.0  # half a step at 10 Hz
# Of a topic that nobody is heard on.
FIND = "ros2 topic info -v"
ABSENT = "ros2 launch launch/robot.launch.py robot:=ROBOT; same ROS_DOMAIN_ID in both shells?"


def topics(cameras: Mapping[str, str]) -> Iterator[Check]:
    """`cameras`: name to topic."""
    command = [sys.executable, "-m", "serl_bringup.doctor.topics_node", CONTROLLER]
    try:
        heard = json.loads(probe([*command, *cameras.values()]))
    except ProbeError as error:
        yield Check("robot", "fail", str(error), "see the row middleware")
        return
    yield controller(heard)
    yield target(heard["target_publishers"])
    yield round_trip(heard["round_trip_ms"])
    yield gripper(heard["gripper"])
    for name, topic in cameras.items():
        yield camera(name, topic, heard["cameras"][topic])


def controller(heard: Mapping[str, Any]) -> Check:
    state = heard["controller"]
    if state["reason"] is None:
        found = f"no {CONTROLLER}/controller_state in ROS domain {heard['domain']}"
        return Check("controller", "fail", found, ABSENT)
    if not state["messages"]:
        return Check("controller", "fail", "fell silent", "see what ros2_control says")
    rate_hz, jitter_ms = state.get("rate_hz", 0.0), state.get("jitter_ms", 0.0)
    level, words = REASONS.get(state["reason"], (Level.WARN, f"reason {state['reason']}"))
    found = f"{rate_hz:.0f} Hz, jitter {jitter_ms:.1f} ms, {state['age_ms']:.1f} ms old; {words}"
    if level is Level.ERROR:
        return Check("controller", "fail", found, "docs/robots.md, When it stops")
    if state["age_ms"] < -1000.0 * AHEAD_S:
        return Check("controller", "warn", f"{found}: stamps in the future", CLOCKS)
    if rate_hz < SLOW_STATE_HZ or jitter_ms > JITTER_MS or state["age_ms"] > LATE_MS:
        return Check("controller", "warn", found, "a busy machine or a slow network: rows above")
    return Check("controller", "ok", found)


def target(publishers: list[str]) -> Check:
    """Of two that publish, the controller follows the first alone."""
    if not publishers:
        return Check("target_pose", "ok", "nobody publishes yet")
    advice = f"stop it, unless it is a run of yours: {FIND} {CONTROLLER}/target_pose"
    return Check("target_pose", "fail", f"taken by {', '.join(publishers)}", advice)


def round_trip(trip_ms: float | None) -> Check:
    name = "answers"
    if trip_ms is None:
        found = f"no {CONTROLLER}/get_parameters"
        return Check(name, "fail", found, "gains cannot be set: ros2 control list_controllers")
    if trip_ms > SLOW_ANSWER_MS:
        return Check(name, "warn", f"after {trip_ms:.1f} ms", "a busy machine or a slow network")
    return Check(name, "ok", f"after {trip_ms:.1f} ms")


def gripper(state: Mapping[str, Any]) -> Check:
    """Not every task needs one."""
    if state["opening"] is None:
        return Check("gripper", "warn", "no /gripper/state", "only for tasks that use a gripper")
    return Check("gripper", "ok", f"{100 * state['opening']:.0f} % open")


def camera(name: str, topic: str, seen: Mapping[str, Any]) -> Check:
    row = f"camera {name}"
    if "width" not in seen:
        return Check(row, "fail", f"no picture on {topic}", f"start its driver; {FIND} {topic}")
    if not seen["messages"]:
        return Check(row, "fail", f"{topic} fell silent", "look at its driver and cable")
    rate_hz, age_ms = seen.get("rate_hz", 0.0), seen["age_ms"]
    found = (
        f"{rate_hz:.0f} Hz, {seen['width']} x {seen['height']} {seen['encoding']},"
        f" {age_ms:.0f} ms old"
    )
    if seen["encoding"] not in CHANNELS:
        return Check(row, "fail", found, f"set its driver to one of {', '.join(CHANNELS)}")
    if age_ms < -1000.0 * AHEAD_S:
        return Check(row, "warn", f"{found}: stamps in the future", CLOCKS)
    if age_ms > 1000.0 * MAX_AGE_S:
        return Check(row, "fail", found, f"clocks or network: {CLOCKS}; smaller pictures")
    if rate_hz < SLOW_HZ:
        return Check(row, "warn", found, "look at exposure time, USB, network: UDP buffers above")
    return Check(row, "ok", found)
