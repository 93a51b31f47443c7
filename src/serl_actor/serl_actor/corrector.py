"""A scripted person who watches the policy and corrects it, for simulation and for measurements."""

import numpy as np

from serl_actor.intervention import Device
from serl_learner.transition import Observation

# Steps that a person watches before helping, and between two helps, and how long a help lasts.
PATIENCE = (25, 50)
HELP = (5, 15)
NOISE = 0.15  # of a full action: hands on a device are less exact than those of a demonstration


class Corrector:
    """Helps as a person would: late, for a short while, and imprecisely.

    What the policy solves sooner is never corrected, so that the share of corrected steps falls as
    it learns. `demonstrator` knows the way from wherever the policy has led.
    """

    def __init__(self, demonstrator: Device, seed: int):
        self._demonstrator = demonstrator
        self._rng = np.random.default_rng(seed)
        self.reset()

    def reset(self) -> None:
        self._watches, self._helps = self._draw(PATIENCE), 0

    def __call__(self, observation: Observation) -> np.ndarray | None:
        """An action (action_size,), or None while it watches."""
        if self._watches > 0:
            self._watches -= 1
            if self._watches == 0:
                self._helps = self._draw(HELP)
                if hasattr(self._demonstrator, "reset"):
                    self._demonstrator.reset()
            return None
        self._helps -= 1
        if self._helps == 0:
            self._watches = self._draw(PATIENCE)
        command = self._demonstrator(observation)
        if command is None:
            return None
        action = np.array(command, np.float64)
        action[:6] += NOISE * self._rng.normal(size=len(action[:6]))
        return action

    def _draw(self, steps: tuple[int, int]) -> int:
        return int(self._rng.integers(*steps, endpoint=True))
