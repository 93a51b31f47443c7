"""What a task says about its reward: the section `reward` of its file."""

from dataclasses import dataclass

from serl_learner.config import expect
from serl_learner.reward import RewardForm
from serl_reward.pose_reward import PoseRewardConfig

SOURCES = ("environment", "pose", "classifier", "vice", "human")


@dataclass(frozen=True)
class GuardConfig:
    """A bound on one element of a measured vector, without which nothing is a success."""

    vector: str  # a name of the observation, for example pose
    element: int  # of it, from 0
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        expect(self.element >= 0, "element", "at least 0", self.element)
        bounds = self.at_least, self.at_most
        expect(bounds != (None, None), "at_least, at_most", "one of them", "neither")


@dataclass(frozen=True)
class ClassifierRewardConfig(RewardForm):
    file: str = ""  # of `serl reward train`
    # A success that is missed costs a step. One that is made up is what a policy learns to repeat.
    threshold: float = 0.9
    guard: GuardConfig | None = None  # beside it

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self.file, "file", "a classifier, as `serl reward train` writes it", "none")


@dataclass(frozen=True)
class RewardConfig:
    """Who judges the steps. VICE is configured in the section `vice`, for its learner trains it."""

    source: str = "environment"  # the task itself; or pose, classifier, vice, human
    pose: PoseRewardConfig | None = None
    classifier: ClassifierRewardConfig | None = None

    def __post_init__(self) -> None:
        expect(self.source in SOURCES, "source", f"one of {', '.join(SOURCES)}", self.source)
        for name in ("pose", "classifier"):
            given = getattr(self, name) is not None
            expect(given or self.source != name, name, f"a section for source: {name}", "none")
