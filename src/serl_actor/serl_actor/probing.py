"""Moves a tool around a task's goal: in, out and past it, so that a classifier can learn both."""

from collections.abc import Sequence

import gymnasium as gym
import numpy as np

from serl_actor.environment import is_success
from serl_actor.intervention import Device
from serl_learner.transition import Observation

ASTRAY = 0.15  # share of the episodes that wander from the start and see all of the workspace
DISTRACTED = 0.01  # of an approach's steps begin some steps of wandering: near misses
# Ranges, both ends included, in steps of 0.1 s.
DWELL = (1, 3)  # in success: many short visits show more than a few long ones
RETREAT = (0, 10)  # further steps undone out of success: first a near miss, then further away
IN_VAIN = 30  # steps undone in success: what has been put down stays where it is
STROLL = (0, 8)  # of wandering between two approaches
TREMBLE = (0.02, 0.3)  # within success, around where the tool came to; share of a full action
MISSES = (1, 4)  # of a retreat: ways back in, each from beside the last one


class GoesOn(gym.Wrapper):
    """An episode does not end at success."""

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated and not is_success(info), truncated, info


class Resting:
    """The policy under what acts by itself: it does not move."""

    version = 0

    def __init__(self, action_size: int):
        self._action = np.zeros(action_size, np.float32)

    def begin_episode(self) -> None:
        pass

    def act(self, observation: Observation) -> np.ndarray:
        return self._action


class Probing(gym.Wrapper):
    """Acts by itself, whatever action it is given; `info["intervene_action"]` is what it did.

    The demonstrator goes to success. There the tool rests, trembles, is pulled out by the last
    actions undone, and wanders aside, from where the same actions miss: what a policy would take
    for success most easily. Then the demonstrator goes in again. Some episodes only wander. What
    success is, the `info` of the wrapped environment says. Where it outlasts the tool's going, the
    demonstrator takes the object up again.
    """

    def __init__(self, env: gym.Env, demonstrator: Device, seed: int):
        super().__init__(env)
        self.dwells = True  # False: every success is left at once, for near misses alone
        self._demonstrator = demonstrator
        self._rng = np.random.default_rng(seed)
        self._drift = np.zeros(env.action_space.shape)  # smooth noise of unit variance
        self._done: list[np.ndarray] = []  # actions towards the goal, not undone yet
        self._moves = iter(())  # of this episode
        self._observation, self._success = {}, False
        self._lasts = False  # the success, whatever the tool does

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._observation, info = self.env.reset(seed=seed, options=options)
        self._success = self._lasts = False
        self._moves = self._plan(astray=self._rng.random() < ASTRAY)
        return self._observation, info

    def step(self, action):
        action = np.clip(next(self._moves), -1.0, 1.0)
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        self._success = is_success(info)
        info["intervene_action"] = action
        return self._observation, reward, terminated, truncated, info

    def _plan(self, astray: bool):
        """Yields the actions of an episode without end."""
        while astray:
            yield self._wander(1.0)
        while True:
            yield from self._approach()
            yield from self._dwell()
            yield from self._retreat()
            if self._lasts:
                yield from self._take_up()

    def _approach(self):
        if not self._success:
            self._begin_demonstration()
        while not self._success:
            if self._rng.random() < DISTRACTED:
                yield from self._stroll(0.5)
                self._begin_demonstration()
            action = self._demonstrator(self._observation)
            self._done.append(np.zeros_like(self._drift) if action is None else np.array(action))
            yield self._done[-1]

    def _begin_demonstration(self) -> None:
        self._done.clear()
        if hasattr(self._demonstrator, "reset"):
            self._demonstrator.reset()

    def _dwell(self):
        """Rests, then trembles, for as long as that is a success."""
        size = self._rng.uniform(*TREMBLE)
        offset = np.zeros_like(self._drift)
        for step in range(self._length(DWELL) if self.dwells else 0):
            if not self._success:
                return
            before, offset = offset, self._rng.normal(size=offset.shape) if step > 0 else offset
            yield _arm_alone(size * (offset - before))

    def _retreat(self):
        """Undoes what led to success until it is none, as a cable may be tugged along, and more."""
        further, undone = self._length(RETREAT), []
        while self._done and (len(undone) < IN_VAIN if self._success else further > 0):
            further -= not self._success
            undone.append(self._done.pop())
            yield _arm_alone(-undone[-1])
        self._lasts = self._success
        if self._lasts:
            return
        for _ in range(self._length(MISSES)):
            yield from self._stroll(self._rng.uniform(0.1, 0.5), undone)
            if not self._success:
                yield from self._miss(undone)
            if self._success:
                return

    def _take_up(self):
        """Until it is no success any more."""
        self._lasts = False
        self._begin_demonstration()
        while self._success:
            yield self._demonstrator(self._observation)

    def _miss(self, undone: list[np.ndarray]):
        """The same way in, and back; a success after all is one to be undone, like the others."""
        repeated = []
        for action in reversed(undone):
            repeated.append(_arm_alone(action))
            yield repeated[-1]
            if self._success:
                self._done += repeated
                return
        for action in reversed(repeated):
            yield -action

    def _stroll(self, size: float, aside_of: Sequence[np.ndarray] = ()):
        """Wanders for a while; where there is a way in, beside it, neither in nor out."""
        way = np.sum(aside_of, axis=0)[:3] if len(aside_of) else np.zeros(3)
        way = way / max(np.linalg.norm(way), 1e-6)
        for _ in range(self._length(STROLL)):
            action = self._wander(size)
            action[:3] -= (action[:3] @ way) * way
            yield action

    def _wander(self, size: float) -> np.ndarray:
        self._drift = 0.9 * self._drift + np.sqrt(0.19) * self._rng.normal(size=self._drift.shape)
        return _arm_alone(size * self._drift)

    def _length(self, steps: tuple[int, int]) -> int:
        return int(self._rng.integers(*steps, endpoint=True))


def _arm_alone(action: np.ndarray) -> np.ndarray:
    """Leaves the gripper, a seventh element, as it is: the tool must not be lost."""
    return np.concatenate([action[:6], np.zeros_like(action[6:])])
