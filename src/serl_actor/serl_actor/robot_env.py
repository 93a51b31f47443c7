"""A robot as a Gymnasium environment: small steps of its tool at 10 Hz, over ROS topics."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from scipy.spatial.transform import Rotation

from serl_actor.gripper import CLOSE, OPEN
from serl_actor.pacer import Pacer
from serl_actor.reset_path import PRECISION
from serl_actor.robot_diagnostics import RobotDiagnostics
from serl_actor.robot_link import RobotFault, RobotLink, RobotState
from serl_actor.workspace import Workspace
from serl_learner.diagnostics import Diagnostic
from serl_msgs.msg import ControllerState

PERIOD_S = 0.1
FRESH_NS = 300_000_000  # an observation older than this is of another moment: a step from here
LATE, NOTICED_S = 0.005, 0.002  # share of steps that may begin later than this
LEAD_STEP_S, LEADS_S = 0.002, (0.01, 0.07)  # by which it moves at most; its bounds
ARRIVED_M, ARRIVED_RAD = 0.003, 0.03
ARRIVE_S = 2.0  # at most, for the arm to come to the last way-point
GRIP_S = 1.0  # in which a gripper opens or closes
STOPPED = (ControllerState.SECOND_PUBLISHER, ControllerState.HARDWARE_ERROR)


class Lead:
    """How long before a step it is observed: as short as leaves time to decide in 199 of 200.

    What deciding takes is the machine's, and what else runs on it. Late steps lengthen it, by so
    much that it comes to rest where their share is LATE (a quantile, by stochastic approximation).
    """

    def __init__(self):
        self.seconds = 0.04

    def learn(self, late_s: float) -> None:
        """A step began so much later than it should have; -inf: nothing is known of it."""
        if late_s == -math.inf:
            return
        late = late_s > NOTICED_S
        moved = self.seconds + LEAD_STEP_S * (late - LATE)
        self.seconds = float(np.clip(moved, *LEADS_S))


class RobotEnv(gym.Env):
    """An arm with the Cartesian impedance controller, or one that is simulated behind its topics.

    Action (6,) in [-1, 1]: translation, then rotation vector, base frame, times `action_scale`: the
    controller's target is the observed pose moved by that and kept in the box, wherever the arm has
    come to since: it goes where it was decided to. With a gripper, a seventh element: from -0.5
    down it closes, from 0.5 up it opens.
    Observation, float32: pose (7: xyz, quaternion xyzw) and twist (6) of the tool, base frame;
    force (3) and torque (3) in the sensor's frame; gripper (1: 0 closed to 1 open); the cameras'
    uint8 images. All are of the time of the oldest of the newest images: `stamp_ns` of the info,
    which also tells their ages. Steps begin 0.1 s apart; it is observed as late as the time to
    decide allows. It does not know whether the task is solved: a reward has to be asked.
    Raises RobotFault where the robot or a camera is silent or has stopped.
    """

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        center: tuple[float, ...],
        action_scale: tuple[float, float],
        box_low: tuple[float, ...],
        box_high: tuple[float, ...],
        cameras: Mapping[str, str] | None = None,
        crops: Mapping[str, tuple[int, ...]] | None = None,
        image_size: int = 128,
        has_gripper: bool = False,
        keep_out_low: tuple[float, ...] | None = None,
        keep_out_high: tuple[float, ...] | None = None,
        render_mode: str | None = None,
        link: Callable[..., RobotLink] = RobotLink,
        **gains: float | tuple[float, ...],
    ):
        """`center` (7): m, quaternion x-y-z-w, base frame; the box is relative to it, six-vectors.

        The tool never enters the box between the corners `keep_out`, m, likewise relative to it.
        `cameras`: name to topic; `crops`: left, top, width, height in px. The rest are gains of the
        controller.
        """
        _expect_numbers("center", center, 7)
        for name, value, count in (
            ("action_scale", action_scale, 2),
            ("box_low", box_low, 6),
            ("box_high", box_high, 6),
        ):
            _expect_numbers(name, value, count)
        keep_out = None
        if keep_out_low is not None or keep_out_high is not None:
            _expect_numbers("keep_out_low", keep_out_low, 3)
            _expect_numbers("keep_out_high", keep_out_high, 3)
            keep_out = keep_out_low, keep_out_high
        middle = np.array(center[:3]), Rotation.from_quat(center[3:])
        self._workspace = Workspace(*middle, box_low, box_high, action_scale, keep_out)
        self._cameras, self._gains = dict(cameras or {}), gains
        self._has_gripper, self.render_mode = has_gripper, render_mode
        self._seen: list[np.ndarray] = []  # the newest pictures
        self._pacer, self._lead = Pacer(1.0 / PERIOD_S), Lead()
        self._observed: RobotState | None = None  # what the newest observation is of
        self._due_s = math.inf  # when the next step should begin, monotonic
        self.action_space = spaces.Box(-1.0, 1.0, (7 if has_gripper else 6,), np.float32)
        sizes = {"pose": 7, "twist": 6, "force": 3, "torque": 3, "gripper": 1}
        box = {name: spaces.Box(-np.inf, np.inf, (n,), np.float32) for name, n in sizes.items()}
        shape = (image_size, image_size, 3)
        box |= {name: spaces.Box(0, 255, shape, np.uint8) for name in self._cameras}
        self.observation_space = spaces.Dict(OrderedDict(box))  # a plain dict would be sorted
        self._link = link(self._cameras, crops or {}, image_size, has_gripper)
        self._diagnostics = RobotDiagnostics(self._cameras)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """The robot stays where it is, or with options drives, with the task's gains afterwards.

        `options["gripper"]`, an opening, is taken first, unless it is None; then the way-points
        `options["waypoints"]` (n, 8) are driven: time from now (s), and the tool's pose (7,), base
        frame.
        """
        super().reset(seed=seed)
        self._check(self._link.state())
        if options:
            self._drive(options.get("waypoints", ()), options.get("gripper"))
        if self._gains:  # whatever a drive that failed, or a new controller, has left there
            self._link.set_gains(self._gains)
        self._pacer.restart()
        self._due_s = math.inf
        return self._observe()

    def step(self, action):
        began_s = self._pacer.wait()
        self._lead.learn(began_s - self._due_s)
        self._due_s = began_s + PERIOD_S
        newest = self._link.state()
        self._check(newest)
        seen = self._observed  # the action was decided from it, and is a step from there
        is_fresh = newest.stamp_ns - seen.stamp_ns < FRESH_NS
        self._link.move(self._target(seen if is_fresh else newest, action))
        if self._has_gripper and not CLOSE < action[6] < OPEN:
            self._link.grip(float(action[6] > 0.0))
        time.sleep(max(self._due_s - self._lead.seconds - time.monotonic(), 0.0))
        observation, info = self._observe()
        return observation, 0.0, False, False, info

    def render(self) -> np.ndarray | None:
        """What the cameras saw last, side by side; None without one."""
        return np.hstack(self._seen) if self._seen else None

    def diagnose(self) -> Iterator[Diagnostic]:
        """How controller and cameras are; called from another thread than the others."""
        return self._diagnostics.look(self._link, time.time_ns())

    def close(self) -> None:
        self._link.close()

    def _target(self, state: RobotState, action: np.ndarray) -> np.ndarray:  # (7,)
        rotation = Rotation.from_quat(state.pose[3:])
        position, turned = self._workspace.target(state.pose[:3], rotation, action)
        return np.concatenate([position, turned.as_quat()])

    def _check(self, state: RobotState) -> None:
        if state.reason in STOPPED:
            names = {getattr(ControllerState, n): n for n in ("SECOND_PUBLISHER", "HARDWARE_ERROR")}
            raise RobotFault(
                f"robot: expected a controller that follows, got {names[state.reason]}"
            )

    def _observe(self) -> tuple[dict[str, np.ndarray], dict]:
        pictures = {name: self._link.picture(name) for name in self._cameras}
        newest = self._link.state()
        now_ns = time.time_ns()
        seen_ns = min((picture.stamp_ns for picture in pictures.values()), default=newest.stamp_ns)
        state = self._observed = self._link.state_at(seen_ns)
        opening = self._link.opening()
        observation = {
            "pose": state.pose,
            "twist": state.twist,
            "force": state.wrench[:3],
            "torque": state.wrench[3:],
            "gripper": np.array([opening]),
        }
        observation = {name: value.astype(np.float32) for name, value in observation.items()}
        observation |= {name: picture.pixels for name, picture in pictures.items()}
        self._seen = [picture.pixels for picture in pictures.values()]
        ages = {name: 1e-9 * (now_ns - picture.stamp_ns) for name, picture in pictures.items()}
        return observation, {"image_age_s": ages, "stamp_ns": seen_ns}

    def _drive(self, waypoints: np.ndarray, gripper: float | None) -> None:
        if gripper is not None and self._has_gripper:
            self._link.grip(gripper)
            time.sleep(GRIP_S)
        if len(waypoints) == 0:
            return
        if self._gains:  # to come back to: else it would touch things with the precise ones
            self._link.set_gains(self._gains | PRECISION)
        begin_s = time.monotonic()
        for time_s, *pose in waypoints:
            self._link.move(np.array(pose))
            time.sleep(max(begin_s + time_s - time.monotonic(), 0.0))
            self._check(self._link.state())
        self._arrive(np.array(pose))

    def _arrive(self, pose: np.ndarray) -> None:
        """Holds the last way-point until the tool is there; what is in its way may keep it off."""
        until_s = time.monotonic() + ARRIVE_S
        while time.monotonic() < until_s and not _is_at(self._link.state(), pose):
            self._link.move(pose)
            time.sleep(PERIOD_S)


def _is_at(state: RobotState, pose: np.ndarray) -> bool:
    turn = Rotation.from_quat(state.pose[3:]) * Rotation.from_quat(pose[3:]).inv()
    away_m = np.linalg.norm(state.pose[:3] - pose[:3])
    still = np.linalg.norm(state.twist[:3]) < 0.01
    return bool(away_m < ARRIVED_M and turn.magnitude() < ARRIVED_RAD and still)


def _expect_numbers(name: str, value, count: int) -> None:
    try:
        good = np.shape(value) == (count,) and np.isfinite(np.asarray(value, float)).all()
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"{name}: expected {count} finite numbers, got {value!r}")
