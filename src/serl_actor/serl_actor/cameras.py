"""Watches the cameras: what a broken one gives must neither be acted on nor be learned from."""

import math

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from serl_actor.checks import is_image
from serl_actor.faults import Fault

BLACK = 12  # of 255: a picture without any pixel above it is black
FROZEN_M = 0.005  # a tool that moved by more than this, or
FROZEN_RAD = math.radians(2.0)  # turned by more than this, is seen in every camera
FROZEN_FRAMES = 20  # identical ones in a row, where the tool's pose is not known
MAX_AGE_S = 0.25  # of a picture when it is observed: two and a half periods at 10 Hz


class CameraFault(Fault):
    """A camera gives no usable picture; one line: which camera, what, what was expected."""


class CameraGuard(gym.Wrapper):
    """Raises CameraFault at an image that is missing, misshapen, black, frozen or late.

    It stands around the raw environment. Frozen is an image that stays the same, bit by bit, while
    the tool moves (observation "pose" (7,): m, quaternion); with the tool at rest it may stay so.
    An environment may state in `info["image_age_s"]` (camera: s) how old each image is at the
    moment of the observation. What is frozen is remembered over resets, which move the tool.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        space = env.observation_space
        self._plain = not isinstance(space, spaces.Dict)
        entries = {"image": space} if self._plain else space.spaces
        images = {name: entry for name, entry in entries.items() if isinstance(entry, spaces.Box)}
        self._cameras = {name: _Camera(box.shape) for name, box in images.items() if is_image(box)}

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        observation, info = self.env.reset(seed=seed, options=options)
        self._check(observation, info)
        return observation, info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._check(observation, info)
        return observation, reward, terminated, truncated, info

    def _check(self, observation, info: dict) -> None:
        if not self._cameras:
            return
        seen = {"image": observation} if self._plain else observation
        ages, pose = info.get("image_age_s", {}), _pose(seen)
        for name, camera in self._cameras.items():
            fault = camera.fault(seen.get(name), pose, ages.get(name, 0.0))
            if fault:
                raise CameraFault(f"camera {name}: {fault}")


class _Camera:
    """One camera, and since when its image has been the same."""

    def __init__(self, shape: tuple[int, ...]):
        self._shape = shape
        self._image = np.zeros(0, np.uint8)  # the newest
        self._pose: np.ndarray | None = None  # of the tool when that image first appeared
        self._frames = 0  # in a row that were this image

    def fault(self, image, pose: np.ndarray | None, age_s: float) -> str:
        """What is wrong, or nothing; `pose` (7,) is that of the tool, if it is known."""
        if image is None:
            return f"no image, expected uint8 {self._shape}"
        image = np.asarray(image)
        if image.shape != self._shape or image.dtype != np.uint8:
            return f"expected uint8 {self._shape}, got {image.dtype} {image.shape}"
        if image.max() <= BLACK:
            return f"black: expected a pixel above {BLACK}, got {image.max()} at most"
        if not age_s <= MAX_AGE_S:  # true for NaN too
            return f"late: expected an image of at most {MAX_AGE_S} s, got one of {age_s:.2f} s"
        return self._frozen(image, pose)

    def _frozen(self, image: np.ndarray, pose: np.ndarray | None) -> str:
        if not np.array_equal(image, self._image):
            self._image, self._pose, self._frames = image.copy(), pose, 1
            return ""
        self._frames += 1
        if pose is None or self._pose is None:
            frozen = self._frames >= FROZEN_FRAMES
            return f"frozen: expected a new image within {FROZEN_FRAMES} frames" if frozen else ""
        metres, radians = _moved(self._pose, pose)
        if metres <= FROZEN_M and radians <= FROZEN_RAD:
            return ""
        how_far = f"{1000 * metres:.0f} mm and {math.degrees(radians):.0f} degrees"
        return f"frozen: expected a new image while the tool moved {how_far}, got the same"


def _pose(observation: dict) -> np.ndarray | None:
    """A copy (7,), where there is one."""
    pose = np.array(observation.get("pose", ()), dtype=np.float64)
    return pose if pose.shape == (7,) else None


def _moved(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Distance (m) and angle (rad) between two poses (7,)."""
    size = np.linalg.norm(before[3:]) * np.linalg.norm(after[3:])
    cosine = min(abs(before[3:] @ after[3:]), size)  # of half the angle, times the size
    radians = 2.0 * math.atan2(math.sqrt(size**2 - cosine**2), cosine)
    return float(np.linalg.norm(after[:3] - before[:3])), radians
