"""A person, or a scripted one, takes over from the policy for a step."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from serl_learner.config import expect
from serl_learner.transition import Observation

HELD = ("spacemouse", "gamepad", "keyboard", "twist")  # in a person's hands
DEVICES = ("none", "scripted", *HELD)

# An action for the observation, both as the wrapped environment has them; None: the policy acts.
# A device that has a method `reset()` is told of every new episode.
Device = Callable[[Observation], np.ndarray | None]


@dataclass(frozen=True)
class InterventionConfig:
    """Who may take over from the policy, and how a person's device is read."""

    # nobody; the task's demonstrator (see corrector.py); or a person (see teleoperation.py). A
    # gamepad is any sensor_msgs/Joy, twist any geometry_msgs/Twist.
    device: str = "none"
    dead_zone: float = 0.1  # share of an axis' range within which it is at rest
    scale: tuple[float, float] = (1.0, 1.0)  # of a full action, translation and rotation
    yaw: float = 0.0  # rad, from the base frame's x axis to where the person looks
    topic: str = ""  # of a gamepad, /joy if left out; of twist, /teleoperation/twist
    # Of a Joy, by number: x, y, z, rotations about them; the buttons that close and open. These are
    # an Xbox pad's in joy_node: left stick, right stick up, cross, right stick aside; LB and RB.
    axes: tuple[int, ...] = (1, 0, 4, 6, 7, 3)
    buttons: tuple[int, int] = (4, 5)
    full_twist: tuple[float, float] = (0.2, 1.0)  # m/s and rad/s that are a full action

    def __post_init__(self) -> None:
        expect(self.device in DEVICES, "device", f"one of {', '.join(DEVICES)}", self.device)
        expect(0 <= self.dead_zone < 1, "dead_zone", "0 to below 1", self.dead_zone)
        scale = self.scale
        expect(len(scale) == 2 and min(scale) > 0, "scale", "two numbers above 0", scale)
        expect(abs(self.yaw) < 7, "yaw", "radians", self.yaw)
        numbers = self.axes, self.buttons
        counted = len(self.axes) == 6 and len(self.buttons) == 2 and min(map(min, numbers)) >= 0
        expect(counted, "axes, buttons", "six and two numbers from 0", numbers)
        full = self.full_twist
        expect(len(full) == 2 and min(full) > 0, "full_twist", "m/s and rad/s above 0", full)

    @property
    def is_held(self) -> bool:
        return self.device in HELD


class Intervention(gym.Wrapper):
    """Replaces the action by the device's, whenever that gives one.

    `info["intervene_action"]` is then the action that was executed, in the frame of the wrapped
    environment. It is absent where the policy acted. Each of its elements is in [-1, 1]; with
    `turned`, where it is also seen in other axes, they are so in all: translation and rotation are
    at most as long as 1. So what is stored is what was executed.
    """

    def __init__(self, env: gym.Env, device: Device, turned: bool = False):
        super().__init__(env)
        self._device = device
        self._turned = turned
        self._observation: Observation = {}

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._observation, info = self.env.reset(seed=seed, options=options)
        if hasattr(self._device, "reset"):
            self._device.reset()
        return self._observation, info

    def step(self, action):
        command = self._device(self._observation)
        if command is not None:
            action = self._bounded(np.array(command, dtype=np.float64))
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        if command is not None:
            info["intervene_action"] = action
        return self._observation, reward, terminated, truncated, info

    def _bounded(self, action: np.ndarray) -> np.ndarray:
        action = np.clip(action, -1.0, 1.0)
        if self._turned:
            for block in (action[:3], action[3:6]):
                block /= max(1.0, np.linalg.norm(block))
        return action
