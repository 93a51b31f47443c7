"""A tool without an arm: a kinematic environment with the conventions of the manipulation tasks."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from scipy.spatial.transform import Rotation

SCALE = (0.02, 0.2)  # m, rad of a full action
TOLERANCE = 0.005  # m
# Tool pointing down (half a turn about x), 40 mm above the socket and 30 mm beside it.
SOCKET = np.array([0.5, 0.1, 0.2, 1.0, 0.0, 0.0, 0.0])
START = np.array([0.53, 0.1, 0.24, 1.0, 0.0, 0.0, 0.0])


class ToolEnv(gym.Env):
    """Moves exactly as commanded, in the base frame; solved close to the socket."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(self, start=START, socket=SOCKET, action_size=6, render_mode=None):
        sizes = {"pose": 7, "twist": 6, "force": 3, "gripper": 1, "socket_pose": 7}
        vector = {k: spaces.Box(-np.inf, np.inf, (n,), np.float32) for k, n in sizes.items()}
        self.observation_space = spaces.Dict(list(vector.items()))
        self.action_space = spaces.Box(-1.0, 1.0, (action_size,), np.float32)
        self.render_mode = render_mode
        self.start, self.socket = np.asarray(start), np.asarray(socket)
        self.seeds, self.actions, self.broken = [], [], {}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.position, self.rotation = self.start[:3].copy(), Rotation.from_quat(self.start[3:])
        return self._observe(np.zeros(6)), {}

    def step(self, action):
        self.actions.append(np.array(action))
        displacement = np.repeat(SCALE, 3) * action[:6]
        self.position = self.position + displacement[:3]
        self.rotation = Rotation.from_rotvec(displacement[3:]) * self.rotation
        solved = bool(np.linalg.norm(self.position - self.socket[:3]) < TOLERANCE)
        info = {"success": solved, "grasp_penalty": -0.1 if len(action) == 7 else 0.0}
        return self._observe(displacement), float(solved), solved, False, info

    def render(self):
        return None if self.render_mode is None else np.zeros((4, 6, 3), np.uint8)

    def _observe(self, displacement):
        pose = np.concatenate([self.position, self.rotation.as_quat()])
        observation = {
            "pose": pose,
            "twist": 10.0 * displacement,
            "force": np.array([1.0, 2.0, 3.0]),
            "gripper": np.array([0.5]),
            "socket_pose": self.socket,
        }
        observation = {k: v.astype(np.float32) for k, v in observation.items()}
        return observation | self.broken


class TowardsSocket:
    """Drives straight to the socket; in the episodes of `fails` (counted from 0) it goes away."""

    fails: tuple[int, ...] = ()

    def __init__(self, environment, seed):
        self.environment, self.seed, self.episode = environment, seed, -1

    def reset(self):
        self.episode += 1

    def __call__(self, observation):
        offset = observation["socket_pose"][:3] - observation["pose"][:3]
        sign = -1.0 if self.episode in self.fails else 1.0
        return np.concatenate([np.clip(sign * offset / SCALE[0], -1, 1), np.zeros(3)])


class Resting:
    """A policy that does not move, and notes what it is asked for."""

    def __init__(self):
        self.asked = []
        self.episodes = []  # how often it had been asked when each began

    def begin_episode(self):
        self.episodes.append(len(self.asked))

    def act(self, observation, deterministic):
        self.asked.append(deterministic)
        return np.zeros(6)


gym.register("test/Tool-v0", ToolEnv, max_episode_steps=10)
