"""What a source of rewards is: a function of a step. Implementations live in serl_reward."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from serl_learner.transition import Observation


@dataclass(frozen=True)
class Judgement:
    """What a reward source says of a step, as in serl_msgs/ComputeReward."""

    reward: float
    success: bool
    confidence: float  # probability of success; 0 or 1 where the reward is exact
    version: int = 0  # of what judged; 0 where it never changes


class Reward(Protocol):
    """Judges a step. Observations are those of the environment, before any relative frame.

    Raises ValueError, one line, where it cannot: a reward is never invented.
    """

    def __call__(
        self, previous: Observation, action: np.ndarray, observation: Observation
    ) -> Judgement: ...
