"""Object relocation: a cube is carried from one bin to the other, and back by another agent."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from gymnasium import spaces
from scipy.spatial.transform import Rotation

from serl_actor.workspace import Workspace

from . import relocation_scene as scene
from .geometry import to_wxyz, to_xyzw
from .manipulation_env import TOOL_DOWN, ManipulationConfig, ManipulationEnv
from .robot import Pose

# Bin, as the sign of y, that an agent carries the cube to. Seen by the robot, +y is on the left.
TARGETS = {"forward": 1, "backward": -1}
CAMERAS = ("wrist_1", "side")
TOOL = Rotation.from_rotvec([0.0, 0.0, np.pi / 2]) * TOOL_DOWN  # the fingers move along base x
RELEASED = 0.65  # gripper opening from which it does not hold the cube, which is half as wide
_YAW = np.deg2rad(30)


@dataclass(frozen=True)
class ObjectRelocationConfig(ManipulationConfig):
    """SERL's values for its bin task, with rotations in radians of the rotation vector.

    As for the other tasks rotational stiffness is halved, rotational clips are doubled.
    """

    action_scale: tuple[float, float] = (0.05, 0.1)
    reset_height: float = 0.12
    random_xy: float = 0.02
    random_rz: float = 0.1
    box_low: tuple[float, ...] = (-0.06, -0.15, 0.022, -0.01, -0.01, -_YAW)
    box_high: tuple[float, ...] = (0.06, 0.15, 0.13, 0.01, 0.01, _YAW)
    # The tool never enters this one, over the ridge; m, relative to the nominal goal as well.
    keep_out_low: tuple[float, float, float] = (-0.2, -0.03, 0.0)
    keep_out_high: tuple[float, float, float] = (0.2, 0.03, 0.06)
    stiffness: tuple[float, ...] = (2000.0, 2000.0, 2000.0, 75.0, 75.0, 75.0)
    damping: tuple[float, ...] = (89.0, 89.0, 89.0, 7.0, 7.0, 7.0)
    clip_positive: tuple[float, ...] = (0.006, 0.006, 0.005, 0.1, 0.1, 0.04)
    clip_negative: tuple[float, ...] = (0.006, 0.006, 0.005, 0.1, 0.1, 0.04)

    def workspace(self, center: Pose) -> Workspace:
        keep_out = self.keep_out_low, self.keep_out_high
        return Workspace(*center, self.box_low, self.box_high, self.action_scale, keep_out)


class ObjectRelocationEnv(ManipulationEnv):
    """Carry the cube to the other bin and let go. Done: reward 1 and the end; else reward 0.

    `agent` forward carries it to the left bin (+y), backward to the right one; a reset's
    `options["agent"]` changes that, and then the cube stays where it is, unless it has left the
    bins: that ends an episode, and the next reset puts it into the bin that the agent takes it from
    (`info["rescued"]`). `info["solved"]` of a reset: the agents that have nothing to do.

    With observations="state" there is also `object_pose` (7): of a tool that holds the cube, base
    frame; where the cube lies, turned as its nearest side is.
    """

    agents: ClassVar = tuple(TARGETS)
    closeup: ClassVar = {"distance": 0.5, "azimuth": 155}

    def __init__(
        self,
        arm: str = "panda",
        observations: str = "state",
        render_mode: str | None = None,
        agent: str = "forward",
        **arguments,
    ):
        super().__init__(
            arm,
            None,
            scene.add_relocation_scene,
            goal=Pose(scene.CENTER, TOOL),
            config=ObjectRelocationConfig.from_arguments(arguments),
            observations=observations,
            render_mode=render_mode,
            cameras=CAMERAS,
            agent=agent,
        )
        first = self.robot.model.joint("cube").qposadr[0]
        self._cube = self.robot.data.qpos[first : first + 7]  # m, quaternion wxyz; a view
        self._speed = self.robot.data.qvel[self.robot.model.joint("cube").dofadr[0] :][:6]
        if self._sees_goal:
            self.observation_space["object_pose"] = spaces.Box(-np.inf, np.inf, (7,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        _, info = super().reset(seed=seed, options=options)
        info["rescued"] = bool(options) and self.is_lost()
        if not options or info["rescued"]:
            self.put_cube(self._random_place(-TARGETS[self.agent]))
        self.goal = Pose(_on_floor(0.0, TARGETS[self.agent] * scene.BIN_CENTER), TOOL)
        info["solved"] = tuple(name for name in TARGETS if self.is_solved(name))
        return self._observe(), info

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated or self.is_lost(), truncated, info

    @property
    def cube(self) -> Pose:
        return Pose(self._cube[:3].copy(), Rotation.from_quat(to_xyzw(self._cube[3:])))

    @property
    def grasp(self) -> Pose:
        """Of a tool that holds the cube. Of its four sides, the nearest: within 45 degrees."""
        cube = self.cube
        sides = cube.rotation.as_matrix().T  # (3, 3) its axes, of which two are horizontal
        x, y, _ = sides[np.argmin(np.abs(sides[:, 2]))]
        yaw = (np.arctan2(y, x) + np.pi / 4) % (np.pi / 2) - np.pi / 4
        return Pose(cube.position, Rotation.from_rotvec([0.0, 0.0, yaw]) * TOOL)

    def put_cube(self, pose: Pose) -> None:
        """At rest; it then falls to the floor."""
        self._cube[:3], self._cube[3:] = pose.position, to_wxyz(pose.rotation.as_quat())
        self._speed[:] = 0.0
        self.robot.run(200)

    def is_success(self) -> bool:
        """Ground truth: the cube lies in the agent's bin, on its floor, and nothing holds it."""
        return self.is_solved(self.agent)

    def is_solved(self, agent: str) -> bool:
        x, y, z = self._cube[:3] - scene.CENTER
        on_floor = abs(x) < scene.INNER[0] and scene.RIDGE < TARGETS[agent] * y < scene.INNER[1]
        lies = z < scene.CUBE / 2 + 0.006
        return bool(on_floor and lies and self.robot.gripper.opening > RELEASED)

    def is_lost(self) -> bool:
        """The cube is not between the slopes any more."""
        x, y, z = np.abs(self._cube[:3] - scene.CENTER) - [*(scene.INNER + scene.WALL), 0.0]
        return bool(x > 0.0 or y > 0.0 or z > 0.4)

    def _random_place(self, side: int) -> Pose:
        x, y = scene.INNER[0] - 0.035, scene.BIN / 2 - 0.03
        x, y = self.np_random.uniform([-x, -y], [x, y])
        turn = Rotation.from_rotvec([0.0, 0.0, self.np_random.uniform(-np.pi, np.pi)])
        return Pose(_on_floor(x, side * scene.BIN_CENTER + y, scene.CUBE / 2 + 0.001), turn)

    def _observe(self) -> dict[str, np.ndarray]:
        observation = super()._observe()
        if self._sees_goal:
            observation["object_pose"] = self._vector(self.grasp)
        return observation


def _on_floor(x: float, y: float, height: float = 0.0) -> np.ndarray:  # (3,) m, base frame
    return scene.CENTER + np.array([x, y, height])
