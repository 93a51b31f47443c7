"""Scripted people: they solve a task with the mistakes that a person with a SpaceMouse makes."""

import numpy as np

from .pcb_scene import DEPTH

# Trembling of the hand: at rest, and as a part of the motion (fast moves are less exact).
_TREMOR = np.array([0.0002] * 3 + [0.002] * 3)  # m, rad per step
_TREMOR_OF_MOTION = 0.2


class PcbInsertionDemonstrator:
    """Hovers above the socket, aligns by eye, lowers, pushes; when stuck lifts and looks again.

    It knows the true poses and sees them with an error, drawn anew at each attempt and larger from
    afar. Its hand trembles smoothly and pauses now and then. Actions are in the base frame.
    """

    def __init__(self, env, seed: int):
        self._env = env.unwrapped
        self._rng = np.random.default_rng(seed)
        self.reset()

    def reset(self) -> None:
        """Draws how this person works today; lengths are per step of 0.1 s."""
        rng = self._rng
        self._fastest = rng.uniform(0.0025, 0.0055)  # m
        self._gain = rng.uniform(0.15, 0.35)  # part of the seen error that one step corrects
        self._hover = DEPTH + rng.uniform(0.004, 0.012)  # m, of the tool above its goal
        self._push = rng.uniform(0.002, 0.005)  # m, asked for below what stops the plug
        self._tremor = np.zeros(6)
        self._pause = self._lift = self._stuck = 0
        self._lowering = False
        self._severity = 1.0
        self._look()

    def __call__(self, observation: dict[str, np.ndarray]) -> np.ndarray:  # (6,) float32
        error = self._seen_error()
        motion = np.zeros(6) if self._hesitates() else self._intention(error, observation["force"])
        self._tremor = 0.8 * self._tremor + 0.6 * self._rng.normal(size=6)  # unit variance
        motion += self._tremor * (_TREMOR + _TREMOR_OF_MOTION * np.abs(motion))
        action = motion / np.repeat(self._env.config.action_scale, 3)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def _look(self) -> None:
        """Each look is better than the one before."""
        self._offset = self._severity * self._rng.normal(0, 0.0007, 2)  # m
        self._turn = self._severity * self._rng.normal(0, 0.012)  # rad
        self._severity *= 0.6

    def _seen_error(self) -> np.ndarray:  # (6,) m, rad
        """From the tool to its goal, as seen."""
        pose, goal = self._env.robot.pose, self._env.goal
        turn = (goal.rotation * pose.rotation.inv()).as_rotvec()
        error = np.append(goal.position - pose.position, turn)
        from_afar = 1.0 + 60.0 * np.linalg.norm(error[:3])
        error[:2] += self._offset * from_afar
        error[5] += self._turn * from_afar
        return error

    def _hesitates(self) -> bool:
        if self._pause == 0 and self._rng.random() < 0.04:
            self._pause = int(self._rng.integers(3, 8))
        self._pause = max(self._pause - 1, 0)
        return self._pause > 0

    def _intention(self, error: np.ndarray, force: np.ndarray) -> np.ndarray:  # (6,) m, rad
        """Where a steady hand would move in this step."""
        height, aside = -error[2], np.linalg.norm(error[:2])
        aligned = aside < 0.0012 and abs(error[5]) < 0.03
        self._lowering = aligned or (self._lowering and aside < 0.004)
        self._feel(height, force)

        motion = self._gain * error
        if self._lift > 0:
            self._lift -= 1
            motion[2] = 0.003
        elif not self._lowering:
            motion[2] = self._gain * (self._hover - height)
        elif height > DEPTH + 0.002:  # not yet at the rim
            motion[2] = max(motion[2], -0.6 * self._fastest)
        else:
            motion[2] = -self._push
        too_fast = max(np.abs(motion[:3]).max() / self._fastest, 1.0)
        return motion / too_fast

    def _feel(self, height: float, force: np.ndarray) -> None:
        """Pushing against something that is not the floor: after a moment, lift and look again."""
        pressing = np.linalg.norm(force) > 3.0 and height > 0.001
        self._stuck = self._stuck + 1 if pressing else 0
        if self._stuck > 3:
            self._stuck, self._lift, self._lowering = 0, int(self._rng.integers(2, 5)), False
            self._look()
