"""How the learner is doing: what serl_msgs/LearnerStatus says, without the messages."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

REPORT_PERIOD_S = 1.0
MEANS = ("critic_loss", "actor_loss", "q_mean", "entropy", "temperature", "reward_loss")


class TrainerState(IntEnum):
    """The constants of serl_msgs/LearnerStatus."""

    WAITING_FOR_DATA = 0
    TRAINING = 1
    PACED = 2
    STOPPED = 3


@dataclass(frozen=True)
class TrainerStatus:
    state: TrainerState
    message: str  # in one line, what it waits for or why it stopped; otherwise empty
    env_steps: int  # transitions received, each counted once
    critic_steps: int
    actor_steps: int
    utd_ratio: float  # critic steps per transition since training began, as made
    critic_steps_per_s: float  # over the last period
    online_size: int
    prior_size: int
    reward_version: int  # steps of the classifier that learns beside the policy; 0 without one
    critic_loss: float  # this and what follows: means over the last period, NaN without training
    actor_loss: float
    q_mean: float
    entropy: float  # nats
    temperature: float
    reward_loss: float  # of that classifier


class StatusReporter:
    """Collects figures and reports about once a second, and at each change of state."""

    def __init__(self, report: Callable[[TrainerStatus], None], clock: Callable[[], float]) -> None:
        self._report = report
        self._clock = clock
        self._values: defaultdict[str, list[float]] = defaultdict(list)
        self._critic_steps = 0  # in this period
        self._state: TrainerState | None = None
        self._reported_at = clock()

    def add(self, figures: Mapping[str, float]) -> None:
        """Takes the figures of one critic step."""
        self._critic_steps += 1
        for name, value in figures.items():
            self._values[name].append(value)

    def is_due(self, state: TrainerState) -> bool:
        return state != self._state or self._clock() - self._reported_at >= REPORT_PERIOD_S

    def report(self, state: TrainerState, message: str, **counts: float) -> None:
        """Reports the period that ends now. `counts` are the fields that only the trainer knows."""
        now = self._clock()
        elapsed = now - self._reported_at
        lists = {name: self._values[name] for name in MEANS}
        means = {n: math.fsum(v) / len(v) if v else math.nan for n, v in lists.items()}
        rate = self._critic_steps / elapsed if elapsed > 0 else 0.0
        self._report(TrainerStatus(state, message, critic_steps_per_s=rate, **means, **counts))
        self._state, self._reported_at = state, now
        self._values.clear()
        self._critic_steps = 0
