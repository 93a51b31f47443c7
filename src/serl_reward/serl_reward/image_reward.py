"""Rewards from camera images: a success classifier, alone or together with a measured bound."""

from dataclasses import dataclass, replace
from pathlib import Path

from serl_learner.classifier import SuccessClassifier, from_bytes
from serl_learner.config import ConfigError
from serl_learner.reward import Judgement, Reward, RewardForm, Step
from serl_reward.config import GuardConfig


def load_classifier(path: str | Path) -> SuccessClassifier:
    """Raises ConfigError, one line, where the file is none."""
    try:
        return from_bytes(Path(path).read_bytes())[0]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


@dataclass
class ClassifierReward:
    """The binary classifier of SERL, section 4.2, and the one that VICE trains.

    The latter is replaced while it learns; one that has not been trained yet (version 0) judges
    nothing to be a success.
    """

    classifier: SuccessClassifier | None  # None: none has come yet
    form: RewardForm

    def __call__(self, step: Step) -> Judgement:
        if self.classifier is None or self.classifier.version == 0:
            return Judgement(0.0, False, 0.0)
        probability = self.classifier.probability(step.observation)
        return self.form.judge(probability, self.classifier.version)


class GuardedReward:
    """A conjunction: a success that the bound contradicts is none."""

    def __init__(self, reward: Reward, guard: GuardConfig, form: RewardForm):
        self._reward, self._guard, self._form = reward, guard, form

    def __call__(self, step: Step) -> Judgement:
        judgement = self._reward(step)
        if self._holds(step):
            return judgement
        no = self._form.judge(0.0, judgement.version)
        return replace(no, confidence=judgement.confidence)

    def _holds(self, step: Step) -> bool:
        guard = self._guard
        vector = step.observation.get(guard.vector, ())
        if len(vector) <= guard.element:
            raise ValueError(
                f"guard: expected observation {guard.vector} with element {guard.element}, "
                f"got {len(vector)} elements"
            )
        value = vector[guard.element]
        low = guard.at_least is None or value >= guard.at_least
        return low and (guard.at_most is None or value <= guard.at_most)
