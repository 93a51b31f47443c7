"""Paces the learner by its update-to-data ratio: transitions come in, critic steps go out."""

import math
from typing import Any


class Governor:
    """Every transition after the first `training_starts` is worth `utd_ratio` critic steps."""

    def __init__(self, training_starts: int, utd_ratio: float, free_running: bool) -> None:
        self._training_starts = training_starts
        self._utd_ratio = utd_ratio
        self._free_running = free_running
        self.env_steps = 0  # transitions, each counted once
        self._credit = 0.0  # critic steps that are still to be made
        self._next_sequence: dict[str, int] = {}  # of each actor: its first that was not counted
        self._behind: dict[str, int] = {}  # the same, of actors whose counted ones come once more

    def receive(self, actor: str, sequence: int) -> None:
        if sequence + 1 >= self._behind.get(actor, 0):
            self._behind.pop(actor, None)
        if sequence < self._next_sequence.get(actor, 0):
            return  # counted before the run was resumed
        self._next_sequence[actor] = sequence + 1
        self.env_steps += 1
        if self.env_steps > self._training_starts:
            self._credit += self._utd_ratio

    def critic_step(self) -> None:
        self._credit = max(self._credit - 1.0, 0.0)

    @property
    def waiting_for(self) -> str:
        """What training waits for, in words; empty once it may go on."""
        if self._behind:
            return f"the earlier transitions of {', '.join(sorted(self._behind))}"
        if self.env_steps < self._training_starts:
            return f"{self._training_starts - self.env_steps} more transitions"
        return ""

    @property
    def due(self) -> bool:
        """Whether a critic step is to be made now."""
        return not self.waiting_for and (self._free_running or self._credit >= 1.0)

    @property
    def learned_steps(self) -> int:
        """Transitions that were learned from as often as they are worth."""
        if self._free_running:
            return self.env_steps
        return self.env_steps - math.ceil(math.floor(self._credit) / self._utd_ratio)

    def state(self) -> dict[str, Any]:
        return {
            "env_steps": self.env_steps,
            "credit": self._credit,
            "next_sequence": dict(self._next_sequence),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from `state`; waits until every actor's earlier transitions came again."""
        self.env_steps = state["env_steps"]
        self._credit = state["credit"]
        self._next_sequence = dict(state["next_sequence"])
        self._behind = dict(self._next_sequence)
