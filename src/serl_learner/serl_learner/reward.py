"""What a source of rewards is: a function of a step. Implementations live in serl_reward."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from serl_learner.config import expect
from serl_learner.transition import Observation

FORMS = ("binary", "log")
LEAST_PROBABILITY = 1e-3  # bounds a logarithmic reward from below, by -6.9


@dataclass(frozen=True)
class Step:
    """What is judged. Observations and action are the environment's, in the base frame."""

    previous: Observation
    action: np.ndarray  # (action_size,) in [-1, 1]
    observation: Observation
    last: bool = False  # the episode ends here whatever the judgement (time limit)
    began_ns: int = 0  # Unix time of `previous`


@dataclass(frozen=True)
class Judgement:
    """What a reward source says of a step, as in serl_msgs/ComputeReward."""

    reward: float
    success: bool
    confidence: float  # probability of success; 0 or 1 where the reward is exact
    version: int = 0  # of what judged; 0 where it never changes
    pending: bool = False  # a person has still to judge; nothing above counts yet


# Raises ValueError, one line, where it cannot judge: a reward is never invented.
Reward = Callable[[Step], Judgement]


@dataclass(frozen=True)
class RewardForm:
    """How a probability of success becomes a reward. Success ends the episode in both forms."""

    form: str = "binary"  # 1 at the threshold and above, else 0; or log: log p (SERL, section 4.2)
    threshold: float = 0.5  # on the probability, from which on the task counts as solved

    def __post_init__(self) -> None:
        expect(self.form in FORMS, "form", f"one of {', '.join(FORMS)}", self.form)
        expect(0 < self.threshold < 1, "threshold", "between 0 and 1", self.threshold)

    def of(self, probability: Tensor) -> tuple[Tensor, Tensor]:
        """Reward and success, both float32 (B,), of probabilities (B,)."""
        success = (probability >= self.threshold).float()
        if self.form == "binary":
            return success, success
        return probability.clamp(min=LEAST_PROBABILITY).log(), success

    def judge(self, probability: float, version: int) -> Judgement:
        reward, success = self.of(torch.tensor(probability))
        return Judgement(reward.item(), bool(success), probability, version)
