"""Scripted people: they solve a task with the mistakes that a person with a SpaceMouse makes."""

import numpy as np
from scipy.spatial.transform import Rotation

from . import cable_scene, relocation_scene
from .robot import Pose

# Trembling of the hand: at rest, and as a part of the motion (fast moves are less exact).
_TREMOR = np.array([0.0002] * 3 + [0.002] * 3)  # m, rad per step
_TREMOR_OF_MOTION = 0.2


class _Person:
    """A hand that trembles smoothly and pauses now and then. Actions are in the base frame.

    It knows the true poses and sees them with an error, drawn anew at each attempt and larger from
    afar; each look is better than the one before.
    """

    _speed: tuple[float, float]  # m per step, range of a person's fastest motion
    _blur: tuple[float, float]  # m, rad: standard deviation of the first look's error, nearby
    _blur_from_afar: float  # 1/m: by how much it grows with the distance from the goal

    def __init__(self, env, seed: int):
        self._env = env.unwrapped
        self._rng = np.random.default_rng(seed)
        self.reset()

    def reset(self) -> None:
        """Draws how this person works today; lengths are per step of 0.1 s."""
        self._fastest = self._rng.uniform(*self._speed)
        self._gain = self._rng.uniform(0.15, 0.35)  # part of the seen error that one step corrects
        self._plan()
        self._tremor = np.zeros(6)
        self._pause = self._lift = self._stuck = 0
        self._lowering = False
        self._severity = 1.0
        self._look()

    def __call__(self, observation: dict[str, np.ndarray]) -> np.ndarray:  # (6,) float32
        error = self._seen_error()
        motion = np.zeros(6) if self._hesitates() else self._intention(error, observation)
        self._tremor = 0.8 * self._tremor + 0.6 * self._rng.normal(size=6)  # unit variance
        motion += self._tremor * (_TREMOR + _TREMOR_OF_MOTION * np.abs(motion))
        action = motion / np.repeat(self._env.config.action_scale, 3)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def _plan(self) -> None:
        """Draws what is particular to the task."""
        raise NotImplementedError

    def _intention(self, error: np.ndarray, observation: dict) -> np.ndarray:  # (6,) m, rad
        """Where a steady hand would move in this step."""
        raise NotImplementedError

    def _goal(self) -> Pose:
        """Of the tool."""
        return self._env.goal

    def _look(self) -> None:
        meters, radians = self._blur
        self._offset = self._severity * self._rng.normal(0, meters, 2)  # m
        self._turn = self._severity * self._rng.normal(0, radians)  # rad
        self._severity *= 0.6

    def _seen_error(self) -> np.ndarray:  # (6,) m, rad
        """From the tool to its goal, as seen."""
        pose, goal = self._env.robot.pose, self._goal()
        turn = (goal.rotation * pose.rotation.inv()).as_rotvec()
        error = np.append(goal.position - pose.position, turn)
        from_afar = 1.0 + self._blur_from_afar * np.linalg.norm(error[:3])
        error[:2] += self._offset * from_afar
        error[5] += self._turn * from_afar
        return error

    def _hesitates(self) -> bool:
        if self._pause == 0 and self._rng.random() < 0.04:
            self._pause = int(self._rng.integers(3, 8))
        self._pause = max(self._pause - 1, 0)
        return self._pause > 0

    def _unhurried(self, motion: np.ndarray) -> np.ndarray:  # (6,) m, rad
        """In the same direction, no faster than this person."""
        return motion / max(np.abs(motion[:3]).max() / self._fastest, 1.0)

    def _try_again(self, lift: int) -> None:
        """Lifts for so many steps and looks again."""
        self._stuck, self._lift, self._lowering = 0, lift, False
        self._look()


class InsertionDemonstrator(_Person):
    """Hovers above the socket, aligns by eye, lowers, pushes; when stuck lifts and looks again."""

    _speed = (0.0025, 0.0055)
    _blur = (0.0007, 0.012)
    _blur_from_afar = 60.0

    def _plan(self) -> None:
        self._hover = self._env.depth + self._rng.uniform(0.004, 0.012)  # m, above the goal
        self._push = self._rng.uniform(0.002, 0.005)  # m, asked for below what stops the plug

    def _intention(self, error: np.ndarray, observation: dict) -> np.ndarray:  # (6,) m, rad
        height, aside = -error[2], np.linalg.norm(error[:2])
        aligned = aside < 0.0012 and abs(error[5]) < 0.03
        self._lowering = aligned or (self._lowering and aside < 0.004)
        self._feel(height, observation["force"])

        motion = self._gain * error
        if self._lift > 0:
            self._lift -= 1
            motion[2] = 0.003
        elif not self._lowering:
            motion[2] = self._gain * (self._hover - height)
        elif height > self._env.depth + 0.002:  # not yet at the rim
            motion[2] = max(motion[2], -0.6 * self._fastest)
        else:
            motion[2] = -self._push
        return self._unhurried(motion)

    def _feel(self, height: float, force: np.ndarray) -> None:
        """Pushing against something that is not the floor: after a moment, try again."""
        pressing = np.linalg.norm(force) > 3.0 and height > 0.001
        self._stuck = self._stuck + 1 if pressing else 0
        if self._stuck > 3:
            self._try_again(lift=int(self._rng.integers(2, 5)))


class PegInsertionDemonstrator(InsertionDemonstrator):
    """The same from farther away, and with larger moves."""

    _speed = (0.005, 0.010)
    _blur = (0.001, 0.02)
    _blur_from_afar = 30.0


class RetractionDemonstrator(_Person):
    """Pulls out what is held, straight up, and takes it to where the next insertion begins."""

    _speed = (0.003, 0.006)
    _blur = (0.0, 0.0)  # that place is nothing to look at: it is known
    _blur_from_afar = 0.0

    def _plan(self) -> None:
        clear = self._rng.uniform(0.002, 0.006)
        self._clear = self._env.depth + clear  # m, over the socket's floor

    def _goal(self) -> Pose:
        return self._env.start

    def _intention(self, error: np.ndarray, observation: dict) -> np.ndarray:  # (6,) m, rad
        motion = self._gain * error
        if self._env.robot.pose.position[2] < self._env.goal.position[2] + self._clear:
            motion[:] = [0.0, 0.0, self._fastest, 0.0, 0.0, 0.0]
        return self._unhurried(motion)


class CableRoutingDemonstrator(_Person):
    """Carries the cable over the clip, aligns it by eye, lowers; when beside the slot tries again.

    It comes down to the clip as it comes closer, so that the hanging cable passes over it.
    """

    _speed = (0.004, 0.009)
    _blur = (0.003, 0.03)
    _blur_from_afar = 20.0

    def _plan(self) -> None:
        self._hover = cable_scene.DEPTH + self._rng.uniform(0.015, 0.03)  # m, above the goal

    def _intention(self, error: np.ndarray, observation: dict) -> np.ndarray:  # (6,) m, rad
        height, (along, across) = -error[2], np.abs(error[:2])  # of the slot
        # The fingers must not come down on the clip, which is ahead.
        clear = -0.006 < error[0] < 0.02
        aligned = clear and across < 0.003 and abs(error[5]) < 0.06
        self._lowering = aligned or (self._lowering and across < 0.008)
        self._watch(height, observation["force"])

        motion = self._gain * error
        if self._lift > 0:
            self._lift -= 1
            motion[2] = 0.008
        elif not self._lowering:
            motion[2] = self._gain * (self._hover + 0.5 * (along + across) - height)
        else:
            motion[2] = -0.5 * self._fastest
        return self._unhurried(motion)

    def _watch(self, height: float, force: np.ndarray) -> None:
        """Down, or on top of the clip, and the cable is not in the slot: try again."""
        down = height < 0.003 or np.linalg.norm(force) > 3.0
        self._stuck = self._stuck + 1 if down and not self._env.is_success() else 0
        if self._stuck > 3:
            self._try_again(lift=int(self._rng.integers(4, 7)))


class ObjectRelocationDemonstrator(_Person):
    """Takes the cube, carries it over the ridge, and lets it go above the other bin.

    What slips out of the fingers, or is not between them after all, is tried again.
    """

    _speed = (0.007, 0.014)
    _blur = (0.003, 0.06)
    _blur_from_afar = 10.0
    _closing = 4  # steps until the fingers have closed

    def _plan(self) -> None:
        self._above = self._rng.uniform(0.06, 0.09)  # m, over the cube, before coming down to it
        self._carry = self._rng.uniform(0.085, 0.11)  # m, of the tool over the floor
        self._drop = self._rng.uniform(0.04, 0.06)  # m, of the tool over the floor
        self._aside = np.append(self._rng.uniform(-0.03, 0.03, 2), 0.0)  # m, of the bin's middle
        self._grip = 0.0  # the gripper's action
        self._gripped = 0  # steps since it began to close
        self._begins = True

    def __call__(self, observation: dict[str, np.ndarray]) -> np.ndarray:  # (7,) float32
        self._holds = 0.4 < observation["gripper"][0] < 0.6
        self._is_shut = observation["gripper"][0] <= 0.4
        if self._begins and self._holds:  # takes over from somebody who has the cube in hand
            self._gripped = self._closing
        self._begins = False
        return np.append(super().__call__(observation), np.float32(self._grip))

    def _goal(self) -> Pose:
        """The cube, as far as the tool can turn; or, with it in hand, the other bin."""
        env = self._env
        if self._gripped:
            return Pose(env.goal.position + self._aside, env.goal.rotation)
        turn = (env.grasp.rotation * env.goal.rotation.inv()).as_rotvec()
        limit = 0.75 * env.config.box_high[5]  # within reach, also where it is seen with an error
        nearest = Rotation.from_rotvec(np.clip(turn, -limit, limit))
        return Pose(env.grasp.position, nearest * env.goal.rotation)

    def _intention(self, error: np.ndarray, observation: dict) -> np.ndarray:  # (6,) m, rad
        floor, position = relocation_scene.CENTER[2], self._env.robot.pose.position
        motion = self._gain * error
        motion[3:5] = 0.0
        height = position[2] - floor
        if self._gripped == 0:
            self._reach(motion, error, height)
        elif self._gripped < self._closing:
            self._gripped += 1
            motion[:] = 0.0
        elif not self._holds:
            self._grip, self._gripped, self._lowering = 1.0, 0, False
            self._look()
        else:
            self._carry_over(motion, error, height)
        return self._unhurried(motion)

    def _reach(self, motion: np.ndarray, error: np.ndarray, height: float) -> None:
        across, along = np.abs(error[:2])  # of the fingers' way: between them there is room
        aligned = across < 0.012 and along < 0.006 and abs(error[5]) < 0.2
        self._lowering = aligned or (self._lowering and max(across, along) < 0.018)
        self._grip = 1.0 if self._is_shut or self._grip < 0.0 else 0.0
        wanted = relocation_scene.CUBE / 2 + 0.004 if self._lowering else self._above
        motion[2] = 0.5 * (wanted - height)
        if self._lowering and height < wanted + 0.004:
            self._grip, self._gripped = -1.0, 1
            motion[:] = 0.0

    def _carry_over(self, motion: np.ndarray, error: np.ndarray, height: float) -> None:
        self._grip = 0.0
        arrived = np.linalg.norm(error[:2]) < 0.02
        motion[2] = 0.5 * ((self._drop if arrived else self._carry) - height)
        if height < self._carry - 0.02 and not arrived:
            motion[:2] = 0.0  # up first: the ridge is in the way
        if arrived and height < self._drop + 0.008:
            self._grip = 1.0
            self._gripped = 0
