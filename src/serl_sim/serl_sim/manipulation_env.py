"""What every manipulation task shares: observations, delta-pose actions, workspace box."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium import spaces
from scipy.spatial.transform import Rotation

from franka_impedance_controller import Gains
from serl_actor.gripper import CLOSE, OPEN
from serl_actor.reset_path import PRECISION
from serl_actor.workspace import Workspace

from .arms import ARMS, HeldObject, arm_spec, arm_urdf, robot_description
from .body_poses import body_poses
from .geometry import canonical
from .rendering import CAMERA_SIZE, CameraRenderer, OverviewRenderer
from .robot import Pose, SimulatedRobot, impedance_controller
from .visuals import add_backdrop, add_visual_meshes

OBSERVATIONS = ("state", "vision")
CAMERAS = ("wrist_1", "wrist_2")
TICKS_PER_STEP = 100  # 1 kHz law, 10 Hz policy
SETTLE_TICKS = 50
ARRIVAL_STEPS = 2  # with the last way-point as the target, until the arm has come to it
GRIPPER_TICKS = 300  # in which the gripper opens or closes
TOOL_DOWN = Rotation.from_quat([1.0, 0.0, 0.0, 0.0])  # tool z against base z, tool x along base x
_LAW = Gains()  # its defaults


@dataclass(frozen=True)
class ManipulationConfig:
    """Numbers of a task, which derives from this and gives every field a default.

    Six-vectors: x, y, z in m, then rotations about x, y, z in rad; base frame. From `stiffness` on
    they are the law's gains.
    """

    action_scale: tuple[float, float]  # m, rad of a full action; per step of 0.1 s
    reset_height: float  # m above the nominal goal
    random_xy: float  # m, start is uniform within +- this, and within the box
    random_rz: float  # rad, likewise
    box_low: tuple[float, ...]  # (6,) of the commanded pose relative to the nominal goal
    box_high: tuple[float, ...]  # (6,)
    stiffness: tuple[float, ...]  # (6,) N/m, Nm/rad
    damping: tuple[float, ...]  # (6,) Ns/m, Nms/rad
    clip_positive: tuple[float, ...]  # (6,) m, rad: bounds the pull towards plus
    clip_negative: tuple[float, ...]  # (6,) m, rad: towards minus, as positive numbers
    integral: tuple[float, ...] = tuple(_LAW.integral.tolist())  # (6,) N/(m s), Nm/(rad s)
    target_period: float = _LAW.target_period  # s
    max_linear_velocity: float = _LAW.max_linear_velocity  # m/s
    max_angular_velocity: float = _LAW.max_angular_velocity  # rad/s
    nullspace_stiffness: float = _LAW.nullspace_stiffness  # Nm/rad
    nullspace_damping: float = _LAW.nullspace_damping  # Nms/rad

    def __post_init__(self) -> None:
        for field in fields(self):
            value, shape = getattr(self, field.name), np.shape(field.default)
            expected = f"{shape[0]} finite numbers" if shape else "a finite number"
            try:
                good = np.shape(value) == shape and np.isfinite(np.asarray(value, float)).all()
            except (TypeError, ValueError):  # not numbers at all
                good = False
            if not good:
                raise ValueError(f"{field.name}: expected {expected}, got {value!r}")

    @classmethod
    def from_arguments(cls, arguments: dict[str, Any]) -> "ManipulationConfig":
        """Raises ValueError, one line, for an unknown name or a bad value."""
        known = [field.name for field in fields(cls)]
        for name in arguments:
            if name not in known:
                raise ValueError(f"unknown argument {name!r}: expected one of {', '.join(known)}")
        return cls(**arguments)

    def workspace(self, center: Pose) -> Workspace:
        return Workspace(*center, self.box_low, self.box_high, self.action_scale)

    def gains(self) -> Gains:
        names = [field.name for field in fields(self) if hasattr(Gains, field.name)]
        return Gains(**{name: getattr(self, name) for name in names})


class ManipulationEnv(gym.Env):
    """A torque-controlled arm that moves by small pose increments.

    Action (6,) in [-1, 1]: translation, then rotation vector, base frame, times `action_scale`.
    The law's target is the measured pose moved by that and kept in the workspace box. Where nothing
    is held, a seventh element is the gripper's: from -0.5 down it closes, from 0.5 up it opens. A
    task may move `goal` within an episode; each starts relative to the nominal one.
    Observation, float32: pose (7: xyz, quaternion xyzw) and twist (6) of the tool, base frame;
    force (3) and torque (3) on it, tool frame; gripper (1: 0 closed to 1 open); with `state`
    socket_pose (7: the tool's goal, base frame); with `vision` the cameras' uint8 images.
    """

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}
    agents: ClassVar[tuple[str, ...]] = ()  # whose tasks this world has, where they take turns

    # From where the picture's inset looks at the goal: m, degrees.
    closeup: ClassVar = {"distance": 0.14, "azimuth": 150}

    def __init__(
        self,
        arm: str,
        held: HeldObject | None,
        add_scene: Callable[[mujoco.MjSpec], None],
        goal: Pose,
        config: ManipulationConfig,
        observations: str,
        render_mode: str | None,
        cameras: tuple[str, ...] = CAMERAS,
        agent: str = "",
    ):
        """`add_scene` adds what surrounds the arm, whose gripper holds `held`, or moves.

        `agent` is the first of those that take turns; with none, there is one task alone.
        """
        if arm not in ARMS:
            raise ValueError(f"arm: expected one of {', '.join(ARMS)}, got {arm!r}")
        if observations not in OBSERVATIONS:
            raise ValueError(
                f"observations: expected one of {', '.join(OBSERVATIONS)}, got {observations!r}"
            )
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode: expected 'rgb_array', got {render_mode!r}")
        self.arm, self.goal, self.config = ARMS[arm], goal, config
        self._urdf, self._add_scene = arm_urdf(self.arm, held), add_scene
        controller = impedance_controller(self._urdf, self.arm, config.gains())
        self.robot = SimulatedRobot(self._scene().compile(), self.arm, controller)
        self._nominal_goal = goal
        self._workspace = config.workspace(goal)  # it stays where it is
        self.render_mode = render_mode
        self.agent = self._known(agent) if agent else ""
        self._held = held
        self._sees_goal = observations == "state"
        self.cameras = (
            CameraRenderer(self.robot.model, cameras) if observations == "vision" else None
        )
        self._overview: OverviewRenderer | None = None

        self.action_space = spaces.Box(-1.0, 1.0, (6 if held else 7,), np.float32)
        sizes = {"pose": 7, "twist": 6, "force": 3, "torque": 3, "gripper": 1}
        if observations == "state":
            sizes["socket_pose"] = 7
        box = {name: spaces.Box(-np.inf, np.inf, (n,), np.float32) for name, n in sizes.items()}
        if observations == "vision":
            shape = (CAMERA_SIZE, CAMERA_SIZE, 3)
            box |= {name: spaces.Box(0, 255, shape, np.uint8) for name in cameras}
        # A plain dict would be sorted by name.
        self.observation_space = spaces.Dict(OrderedDict(box))

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Everything is placed anew; or, with options, nothing is: the robot moves by itself.

        It then drives the way-points of `options["waypoints"]` (n, 8): time from now (s), and the
        tool's position (m) and quaternion (xyzw), base frame; before, its gripper takes the opening
        `options["gripper"]`, unless that is None. From then on the task is that of
        `options["agent"]`, where agents take turns and one is named.
        """
        super().reset(seed=seed)
        if self.agent and options and options.get("agent"):
            self.agent = self._known(options["agent"])
        if options:
            self._drive(options.get("waypoints", ()), options.get("gripper"))
        else:
            self.goal = self._nominal_goal
            self.place(self._random_start())
        return self._observe(), {"success": False}

    def _known(self, agent: str) -> str:
        if agent not in self.agents:
            raise ValueError(f"agent: expected one of {', '.join(self.agents)}, got {agent!r}")
        return agent

    def place(self, pose: Pose) -> None:
        """Starts from the tool at `pose`, at rest."""
        self.robot.reset(pose)
        self.robot.run(SETTLE_TICKS)

    def _drive(self, waypoints, gripper: float | None) -> None:
        """With the precision gains, as between episodes nothing is to be touched."""
        robot = self.robot
        if gripper is not None and robot.gripper is not None:
            robot.gripper.command(gripper)
            robot.run(GRIPPER_TICKS)
        if len(waypoints) == 0:
            return
        robot.controller.set_gains(Gains(**PRECISION))
        now = 0.0
        for time_s, *pose in waypoints:
            goal = Pose(np.array(pose[:3]), Rotation.from_quat(pose[3:]))
            robot.set_target(goal)
            robot.run(round(1000 * (time_s - now)))
            now = time_s
        for _ in range(ARRIVAL_STEPS):
            robot.set_target(goal)
            robot.run(TICKS_PER_STEP)
        robot.controller.set_gains(self.config.gains())

    def _random_start(self) -> Pose:
        config, random = self.config, self.config.random_xy
        low, high = np.maximum(config.box_low[:2], -random), np.minimum(config.box_high[:2], random)
        xy = self.np_random.uniform(low, high)
        rz = self.np_random.uniform(-config.random_rz, config.random_rz)
        offset = np.array([*xy, config.reset_height])
        turn = Rotation.from_rotvec([0.0, 0.0, rz])
        return Pose(self.goal.position + offset, turn * self.goal.rotation)

    def step(self, action):
        self.robot.set_target(self._target(action))
        if self.robot.gripper is not None and not CLOSE < action[6] < OPEN:
            self.robot.gripper.command(float(action[6] > 0.0))
        self.robot.run(TICKS_PER_STEP)
        success = self.is_success()
        return self._observe(), float(success), success, False, {"success": success}

    def is_success(self) -> bool:
        """Ground truth, for rewards and measurements."""
        raise NotImplementedError

    def render(self) -> np.ndarray | None:
        """The whole robot and a close-up of the goal, uint8 (720, 1280, 3)."""
        if self.render_mode is None:
            return None
        if self._overview is None:
            goal = self._nominal_goal.position
            self._overview = OverviewRenderer(self.overview_model(), goal, **self.closeup)
        return self._overview.render(self.robot.data)

    def overview_model(self) -> mujoco.MjModel:
        """The scene with the robot's full meshes, for pictures only."""
        spec = self._scene()
        add_visual_meshes(spec, self.arm)
        add_backdrop(spec)
        return spec.compile()

    def body_poses(self) -> dict[str, np.ndarray]:
        """Where each body is, as `body_poses` gives it; for whoever watches."""
        return body_poses(self.robot.model, self.robot.data)

    def robot_description(self) -> str:
        """The URDF of arm, gripper and what it holds, with their shapes."""
        return robot_description(self.arm, self._held)

    def close(self) -> None:
        for renderer in (self.cameras, self._overview):
            if renderer is not None:
                renderer.close()
        self.cameras = self._overview = None

    def _scene(self) -> mujoco.MjSpec:
        spec = arm_spec(self._urdf, self.arm)
        self._add_scene(spec)
        return spec

    def _target(self, action) -> Pose:
        return Pose(*self._workspace.target(*self.robot.pose, action))

    def _observe(self) -> dict[str, np.ndarray]:
        wrench = self.robot.wrench.astype(np.float32)
        observation = {
            "pose": self._vector(self.robot.pose),
            "twist": self.robot.twist.astype(np.float32),
            "force": wrench[:3],
            "torque": wrench[3:],
            "gripper": np.array([self.opening], np.float32),
        }
        if self._sees_goal:
            observation["socket_pose"] = self._vector(self.goal)
        if self.cameras is not None:
            observation |= self.cameras.render(self.robot.data)
        return observation

    @property
    def opening(self) -> float:
        """Of the gripper, 0 closed to 1 open."""
        return self._held.opening if self._held is not None else self.robot.gripper.opening

    @staticmethod
    def _vector(pose: Pose) -> np.ndarray:  # (7,)
        quaternion = canonical(pose.rotation.as_quat())
        return np.concatenate([pose.position, quaternion]).astype(np.float32)
