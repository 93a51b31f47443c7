"""What a classifier is worth, by frames of episodes that it has not learned from."""

import math
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np

from serl_learner.statistics import wilson_interval
from serl_reward.dataset import Dataset

THRESHOLD = 0.5  # from here on it is success
# HIL-SERL's rule: below it, what a policy learns is how to deceive the classifier.
TRUSTED = 0.95  # balanced accuracy


@dataclass(frozen=True)
class Rate:
    """A share, and its 95 % interval; NaN of nothing.

    The interval takes frames as independent. Those of an episode are not: it is rather too narrow.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, right: int, trials: int) -> "Rate":
        if trials == 0:
            return cls(math.nan, math.nan, math.nan)
        return cls(right / trials, *wilson_interval(right, trials))

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


@dataclass(frozen=True)
class Confusion:
    """Frames by what they are (positive: success) and whether they are judged so."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int

    @classmethod
    def of(cls, labels: np.ndarray, probabilities: np.ndarray) -> "Confusion":
        """labels (M,) bool, probabilities (M,)"""
        said = probabilities >= THRESHOLD
        masks = (labels & said, labels & ~said, ~labels & said, ~labels & ~said)
        return cls(*(int(mask.sum()) for mask in masks))

    @property
    def accuracy(self) -> Rate:
        right = self.true_positives + self.true_negatives
        return Rate.of(right, right + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> Rate:
        """Of what is judged a success, how much is one."""
        return Rate.of(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> Rate:
        """Of the successes, how many are judged so."""
        return Rate.of(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> Rate:
        """Of the others, how many are judged so."""
        return Rate.of(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def balanced_accuracy(self) -> Rate:
        """Mean of recall and specificity.

        Its interval comes from both of theirs, as Newcombe (1998) has it for a difference.
        """
        parts = self.recall, self.specificity
        value = sum(part.value for part in parts) / 2
        below = math.hypot(*(part.value - part.low for part in parts)) / 2
        above = math.hypot(*(part.high - part.value for part in parts)) / 2
        return Rate(value, value - below, value + above)

    def rates(self) -> dict[str, Rate]:
        names = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity")
        return {name: getattr(self, name) for name in names}

    def figures(self) -> dict[str, Any]:
        """For JSON: the counts, and the rates as [value, low, high]; null of nothing."""
        rates = {
            name: None if math.isnan(rate.value) else astuple(rate)
            for name, rate in self.rates().items()
        }
        return {"threshold": THRESHOLD, "confusion": asdict(self)} | rates

    def matrix(self) -> np.ndarray:
        """(2, 2): rows what they are, columns what they are judged to be; no success first."""
        return np.array(
            [
                [self.true_negatives, self.false_positives],
                [self.false_negatives, self.true_positives],
            ]
        )


def figures(learned: Dataset, held_out: Dataset, confusion: Confusion) -> dict[str, Any]:
    """For the file of a classifier that has learned from both parts.

    They say how the same training on `learned` alone judged what was held out.
    """
    counts = {"learned_from": learned.counts(), "held_out": held_out.counts()}
    return counts | confusion.figures()


def hardest(labels: np.ndarray, probabilities: np.ndarray, count: int) -> tuple[str, np.ndarray]:
    """A title, and the indices of the worst mistakes; without one, of the least sure frames."""
    margin = np.where(labels, probabilities, 1 - probabilities)  # below one half: a mistake
    order = np.argsort(margin, kind="stable")[:count]
    mistakes = (probabilities >= THRESHOLD) != labels
    if mistakes.any():
        return "worst mistakes", order[mistakes[order]]
    return "no mistakes; least sure of", order
