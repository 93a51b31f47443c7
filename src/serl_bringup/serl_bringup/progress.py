"""What an agent has done so far, from the messages of its actor and learner."""

import math
import time
from collections import deque
from dataclasses import dataclass, field

RECENT_EPISODES = 20


@dataclass
class Progress:
    """Figures of an agent. `status` takes a LearnerStatus, `episode` an EpisodeSummary."""

    control_period_s: float
    has_success: bool  # the task says when it is solved; else episodes are judged by their return
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None  # what comes after the training is not counted
    env_steps: int = 0
    episodes: int = 0  # that count, so without those discarded
    discarded: int = 0  # episodes in which a sensor failed
    rescues: int = 0  # episodes before which something was put back from outside
    intervened_steps: int = 0
    learner: object | None = None
    recent: deque = field(default_factory=lambda: deque(maxlen=RECENT_EPISODES))
    on_time_shares: deque = field(default_factory=lambda: deque(maxlen=1000))
    observation_ages_s: deque = field(default_factory=lambda: deque(maxlen=1000))
    policy_latencies_s: deque = field(default_factory=lambda: deque(maxlen=1000))
    drives_back: bool = False  # a reset takes the robot's time
    reset_s: float = 0.0

    def go_on(self, episodes: list[dict[str, float]]) -> None:
        """Takes in the recorded episodes of an earlier part of the run."""
        self.episodes = len(episodes)
        self.rescues = int(sum(e["rescued"] for e in episodes))
        self.intervened_steps = int(sum(e["intervened_steps"] for e in episodes))
        self.reset_s = sum(e["reset_s"] for e in episodes)
        if episodes:
            self.env_steps = int(episodes[-1]["env_steps"])
            self.started -= 60 * episodes[-1]["wall_minutes"]

    def status(self, message) -> None:
        self.learner = message
        self.env_steps = max(self.env_steps, message.env_steps)

    def episode(self, message) -> None:
        self.env_steps = max(self.env_steps, message.last_sequence + 1)
        self.rescues += message.rescued
        self.reset_s += message.reset_s
        if message.discarded:
            self.discarded += 1
            return
        self.episodes += 1
        self.has_success = self.has_success or message.success
        self.intervened_steps += message.intervened_steps
        self.recent.append(message)
        if not math.isnan(message.policy_latency_s):  # before the first policy
            self.policy_latencies_s.append(message.policy_latency_s)
        if not math.isnan(message.on_time_share):  # where no rate is held
            self.on_time_shares.append(message.on_time_share)
            self.observation_ages_s.append(message.observation_age_s)

    @property
    def wall_minutes(self) -> float:
        now = time.monotonic() if self.ended is None else self.ended
        return (now - self.started) / 60

    @property
    def robot_minutes(self) -> float:
        """Environment steps times the control period, and on a robot what its resets took."""
        resets_s = self.reset_s if self.drives_back else 0.0
        return (self.env_steps * self.control_period_s + resets_s) / 60

    @property
    def intervened_share(self) -> float:
        """Of all steps: those that a person commanded."""
        return self.intervened_steps / max(self.env_steps, 1)

    @property
    def recent_success_rate(self) -> float:
        return mean([float(e.success) for e in self.recent])

    @property
    def recent_length(self) -> float:
        return mean([float(e.length) for e in self.recent])

    @property
    def recent_return(self) -> float:
        return mean([e.episode_return for e in self.recent])


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
