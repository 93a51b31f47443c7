"""What a run has done so far, from the messages of its actor and learner."""

import time
from collections import deque
from dataclasses import dataclass, field

RECENT_EPISODES = 20


@dataclass
class Progress:
    """Figures of a run. `status` takes a LearnerStatus, `episode` an EpisodeSummary."""

    task: str
    max_steps: int
    control_period_s: float
    has_success: bool = True
    started: float = field(default_factory=time.monotonic)
    env_steps: int = 0
    episodes: int = 0
    successes: int = 0
    intervened_steps: int = 0
    learner: object | None = None
    recent: deque = field(default_factory=lambda: deque(maxlen=RECENT_EPISODES))
    policy_latencies_s: deque = field(default_factory=lambda: deque(maxlen=1000))

    def status(self, message) -> None:
        self.learner = message
        self.env_steps = max(self.env_steps, message.env_steps)

    def episode(self, message) -> None:
        self.episodes += 1
        self.successes += message.success
        self.intervened_steps += message.intervened_steps
        self.env_steps = max(self.env_steps, message.last_sequence + 1)
        self.recent.append(message)
        if message.policy_latency_s == message.policy_latency_s:  # NaN before the first policy
            self.policy_latencies_s.append(message.policy_latency_s)

    @property
    def wall_minutes(self) -> float:
        return (time.monotonic() - self.started) / 60

    @property
    def robot_minutes(self) -> float:
        """Time that a robot would have moved: environment steps times the control period."""
        return self.env_steps * self.control_period_s / 60

    @property
    def recent_success_rate(self) -> float:
        return _mean([float(e.success) for e in self.recent])

    @property
    def recent_length(self) -> float:
        return _mean([float(e.length) for e in self.recent])

    @property
    def recent_return(self) -> float:
        return _mean([e.episode_return for e in self.recent])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
