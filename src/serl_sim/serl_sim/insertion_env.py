"""What insertion tasks share: what the gripper holds goes into a socket, which may move."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from gymnasium import spaces

from .arms import HeldObject
from .manipulation_env import TOOL_DOWN, ManipulationConfig, ManipulationEnv
from .robot import Pose

# A perturbation comes before one of these steps, drawn uniformly: the tool is on its way, and even
# one that goes straight at 70 mm/s, and is seated after 10 steps, has rarely reached the rim.
PERTURBED_STEPS = (2, 6)
PERTURBATION_HEIGHT = 0.003  # m of the tool above the rim, below which nothing is moved
MAX_PERTURBATION = 0.05  # m, that of the workspace box


@dataclass(frozen=True)
class InsertionConfig(ManipulationConfig):
    """A task derives from this and gives every field a default."""

    success_tolerance: tuple[float, ...] = (0.0,) * 4  # m, rad, from the goal: x, y, z, rotation
    start_tolerance: tuple[float, float] = (0.006, 0.1)  # m, rad, of where `backward` goes
    perturbation: float = 0.0  # m, by up to which the socket moves once per episode

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.perturbation <= MAX_PERTURBATION:
            raise ValueError(
                f"perturbation: expected 0 to {MAX_PERTURBATION} m, got {self.perturbation}"
            )


class InsertionEnv(ManipulationEnv):
    """Insert what is held into its socket. Seated: reward 1 and the end; else reward 0.

    With a `perturbation` the socket, with all that it is fixed to, moves once per episode, before a
    random step, by a random vector of the horizontal plane: uniform direction, length uniform up
    to that. The goal moves along, the workspace box does not. If the tool is at the rim or below,
    it happens before the next step at which it is above.

    With an `agent` two take turns, so that nothing else has to reset: forward inserts; backward
    pulls out what is held and takes it to a start, which is drawn at each of its resets, and is
    successful there. `start_pose` (7) tells that pose, base frame.
    """

    agents: ClassVar = ("forward", "backward")

    def __init__(
        self,
        arm: str,
        held: HeldObject,
        add_scene: Callable[[mujoco.MjSpec], None],
        seat: np.ndarray,
        depth: float,
        config: InsertionConfig,
        observations: str,
        render_mode: str | None,
        agent: str,
    ):
        """`seat` (3,) m, base frame: of the tip when seated, `depth` m below the socket's rim.

        The scene's mocap body `fixture` holds the socket, with its origin at the seat.
        """
        super().__init__(
            arm,
            held,
            add_scene,
            goal=Pose(seat, TOOL_DOWN),
            config=config,
            observations=observations,
            render_mode=render_mode,
            agent=agent,
        )
        self.depth = depth
        self.start = self.goal
        if agent:
            self.observation_space["start_pose"] = spaces.Box(-np.inf, np.inf, (7,), np.float32)
        fixture = self.robot.model.body("fixture").mocapid[0]
        self._fixture_position = self.robot.data.mocap_pos[fixture]  # (3,) m, a view
        self._steps_to_perturbation = 0
        self._pending: np.ndarray | None = None  # (3,) m, of this episode's perturbation

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        _, info = super().reset(seed=seed, options=options)
        self._pending = None
        if self.config.perturbation > 0.0:
            self._draw_perturbation()
        if self.agent == "backward":
            if not options:
                self.place(self.goal)  # what it undoes
            self.start = self._random_start()
        return self._observe(), info

    def step(self, action):
        self._steps_to_perturbation -= 1
        if self._pending is not None and self._steps_to_perturbation <= 0 and self._is_clear():
            self._perturb()
        return super().step(action)

    def is_success(self) -> bool:
        """Ground truth: the tool is within tolerance of the agent's goal."""
        if self.agent == "backward":
            return self.is_at_start()
        pose, tolerance = self.robot.pose, np.array(self.config.success_tolerance)
        turn = (pose.rotation * self.goal.rotation.inv()).magnitude()
        error = np.append(np.abs(pose.position - self.goal.position), turn)
        return bool((error < tolerance).all())

    def is_at_start(self) -> bool:
        pose, (meters, radians) = self.robot.pose, self.config.start_tolerance
        turn = (pose.rotation * self.start.rotation.inv()).magnitude()
        return bool(np.linalg.norm(pose.position - self.start.position) < meters and turn < radians)

    def _observe(self) -> dict[str, np.ndarray]:
        observation = super()._observe()
        if self.agent:
            observation["start_pose"] = self._vector(self.start)
        return observation

    def _draw_perturbation(self) -> None:
        first, last = PERTURBED_STEPS
        self._steps_to_perturbation = self.np_random.integers(first, last, endpoint=True)
        length = self.np_random.uniform(0.0, self.config.perturbation)
        angle = self.np_random.uniform(-np.pi, np.pi)
        self._pending = length * np.array([np.cos(angle), np.sin(angle), 0.0])

    def _is_clear(self) -> bool:
        """Whether the socket can be moved without moving into the tool."""
        rim = self.goal.position[2] + self.depth
        return self.robot.pose.position[2] > rim + PERTURBATION_HEIGHT

    def _perturb(self) -> None:
        self._fixture_position += self._pending
        self.goal = Pose(self.goal.position + self._pending, self.goal.rotation)
        self._pending = None
