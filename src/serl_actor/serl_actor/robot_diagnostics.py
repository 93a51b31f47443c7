"""How a robot over topics is doing: controller and cameras, in words that say what to do."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from serl_actor.cameras import MAX_AGE_S
from serl_learner.diagnostics import Diagnostic, Level, Rate
from serl_msgs.msg import ControllerState

if TYPE_CHECKING:
    from serl_actor.robot_link import CameraPulse, RobotLink, RobotState

SLOW_HZ = 10.0  # of a camera: not every observation has a new picture
SLOWER = 0.7  # of its own fastest rate
LATE_STATE_S, SILENT_S = 0.1, 1.0
IDLE_S = 0.5  # since the last target: five steps at 10 Hz
AHEAD_S = 0.02  # a stamp so far in the future is another machine's clock
CLOCKS = "set both machines' clocks by chrony"
REASONS = {
    ControllerState.OK: (Level.OK, "follows its target"),
    ControllerState.HOLDING: (Level.OK, "holds: no target yet"),
    ControllerState.TARGET_NOT_FINITE: (Level.WARN, "refuses a target that is no number"),
    ControllerState.TARGET_NOT_UNIT: (Level.WARN, "refuses a target whose rotation is none"),
    ControllerState.TARGET_JUMP: (Level.WARN, "refuses a target too far from the tool"),
    ControllerState.TARGET_STALE: (Level.WARN, "holds: targets come too late"),
    ControllerState.SECOND_PUBLISHER: (
        Level.ERROR,
        "two publish target_pose: find them with ros2 topic info -v, and stop one",
    ),
    ControllerState.WORKSPACE_LIMIT: (Level.WARN, "target moved onto the workspace box"),
    ControllerState.JOINT_LIMIT: (Level.WARN, "a joint is close to its end and pushed back"),
    ControllerState.TORQUE_LIMIT: (Level.WARN, "a torque is at its limit"),
    ControllerState.TORQUE_RATE_LIMIT: (Level.WARN, "a torque changes at its limit"),
    ControllerState.HARDWARE_ERROR: (
        Level.ERROR,
        "fault, no torque: look at the robot, then docs/robots.md, When it stops",
    ),
}


class RobotDiagnostics:
    """Remembers how fast each camera was."""

    def __init__(self, cameras: Iterable[str]):
        self._rates = {name: Rate() for name in cameras}
        self._usual_hz = dict.fromkeys(cameras, 0.0)  # the fastest so far

    def look(self, link: "RobotLink", now_ns: int) -> Iterator[Diagnostic]:
        is_led = time.monotonic() - link.moved_at < IDLE_S
        yield controller(link.newest_state(), now_ns, is_led)
        for name, rate in self._rates.items():
            pulse = link.camera_pulse(name)
            rate_hz = rate(pulse.taken)
            self._usual_hz[name] = max(self._usual_hz[name], rate_hz)
            yield camera(name, pulse, rate_hz, self._usual_hz[name], now_ns)


def controller(state: "RobotState | None", now_ns: int, is_led: bool) -> Diagnostic:
    """`is_led`: targets are being sent."""
    if state is None:
        advice = "says nothing: bring it up, ros2 launch launch/robot.launch.py"
        return Diagnostic("controller", Level.STALE, advice)
    age_s = 1e-9 * (now_ns - state.stamp_ns)
    level, message = REASONS.get(state.reason, (Level.WARN, f"unknown reason {state.reason}"))
    if state.reason == ControllerState.TARGET_STALE and not is_led:
        level, message = Level.OK, "holds: nothing is asked of it"
    if age_s > SILENT_S:
        level, message = Level.ERROR, f"silent for {age_s:.1f} s: see what ros2_control says"
    elif age_s < -AHEAD_S:
        level, message = Level.WARN, f"its clock is {-age_s:.2f} s ahead: {CLOCKS}"
    elif age_s > LATE_STATE_S and level is Level.OK:
        level, message = Level.WARN, f"its state is {age_s:.2f} s old: a busy machine or network"
    return Diagnostic(
        "controller", level, message, {"state age (s)": age_s, "reason": state.reason}
    )


def camera(
    name: str, pulse: "CameraPulse", rate_hz: float, usual_hz: float, now_ns: int
) -> Diagnostic:
    """`rate_hz` of its pictures in the last second; `usual_hz` at its best."""
    age_s = 1e-9 * (now_ns - pulse.newest_ns) if pulse.newest_ns is not None else float("nan")
    level, message = _judge(pulse, age_s, rate_hz, usual_hz)
    values = {
        "newest picture's age (s)": age_s,
        "rate (Hz)": rate_hz,
        "usual rate (Hz)": usual_hz,
        "pictures (count)": pulse.taken,
        "refused (count)": pulse.refused,
        "topic": pulse.topic,
    }
    return Diagnostic(f"camera {name}", level, message, values)


def _judge(
    pulse: "CameraPulse", age_s: float, rate_hz: float, usual_hz: float
) -> tuple[Level, str]:
    if pulse.wrong:
        return Level.ERROR, f"refused: {pulse.wrong}"
    if pulse.newest_ns is None:
        return Level.STALE, f"no picture on {pulse.topic}: start its driver"
    if pulse.late_s > MAX_AGE_S:
        return Level.ERROR, f"arrives {pulse.late_s:.2f} s late: a slow network, or {CLOCKS}"
    if age_s > MAX_AGE_S:
        return Level.ERROR, f"no picture for {age_s:.1f} s: look at its driver and cable"
    if pulse.late_s < -AHEAD_S:
        return Level.WARN, f"its clock is {-pulse.late_s:.2f} s ahead: {CLOCKS}"
    if rate_hz < max(SLOW_HZ, SLOWER * usual_hz):
        usual = f", it had {usual_hz:.0f}" if usual_hz > rate_hz else ""
        return Level.WARN, f"{rate_hz:.0f} Hz{usual}: look at exposure time, USB and network"
    return Level.OK, f"{rate_hz:.0f} Hz"
