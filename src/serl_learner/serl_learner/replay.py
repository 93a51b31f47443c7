"""Replay: transitions in preallocated memory, each observation stored once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from serl_learner.config import ConfigError
from serl_learner.transition import ObservationSpec, Transition

NONE = -1


@dataclass(frozen=True)
class Batch:
    """B transitions. States are raw (not normalised)."""

    state: Tensor  # (B, S)
    action: Tensor  # (B, A)
    reward: Tensor  # (B,)
    mask: Tensor  # (B,) 1 - terminated: 0 where no value follows; a time limit keeps it at 1
    next_state: Tensor  # (B, S)

    @staticmethod
    def concatenate(first: "Batch", second: "Batch") -> "Batch":
        pairs = zip(vars(first).values(), vars(second).values(), strict=True)
        return Batch(*map(torch.cat, pairs))


class ReplayBuffer:
    """A ring of `capacity` observations, each with the action that followed it.

    A slot knows the slot of its next observation: that of the actor's following step of the same
    episode, or the episode's final observation, which takes a slot of its own. Until that one is
    known, and wherever a step is missing, the transition is not sampled. So nothing is ever paired
    across a gap, two episodes or two actors, and several actors may write in turns.
    """

    def __init__(
        self, capacity: int, spec: ObservationSpec, action_size: int, rng: np.random.Generator
    ) -> None:
        if capacity < 2:
            raise ConfigError(f"replay_capacity: expected at least 2, got {capacity}")
        slot_bytes = 4 * (spec.state_size + action_size + 2) + 3 * 8
        _check_memory(capacity, capacity * slot_bytes)
        self._spec = spec
        self._rng = rng
        self._state = np.zeros((capacity, spec.state_size), np.float32)
        self._action = np.zeros((capacity, action_size), np.float32)
        self._reward = np.zeros(capacity, np.float32)
        self._mask = np.zeros(capacity, np.float32)
        self._next = np.full(capacity, NONE)  # slot of the next observation
        self._sampleable = np.zeros(
            capacity, np.int64
        )  # the first `len(self)`: slots, in any order
        self._rank = np.full(capacity, NONE)  # where a slot stands in `_sampleable`
        self._size = 0
        self._head = 0  # slot that is written next
        self._open: dict[str, tuple[int, int, int]] = {}  # actor: its last (episode, step, slot)

    def __len__(self) -> int:
        """Number of transitions that can be sampled."""
        return self._size

    @property
    def capacity(self) -> int:
        """Number of observations held; the final one of an episode counts."""
        return len(self._state)

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))

    def add(self, transition: Transition) -> None:
        """Stores one step. Steps of one actor come in order; those left out are gaps."""
        slot = self._store(self._spec.flatten(transition.observation))
        self._action[slot] = transition.action
        self._reward[slot] = transition.reward
        self._mask[slot] = 1.0 - transition.terminated
        previous = self._open.pop(transition.actor, None)
        if previous is not None:
            episode, step, previous_slot = previous
            if (episode, step + 1) == (transition.episode, transition.step):
                self._link(previous_slot, slot)
        if transition.final_observation is not None:
            self._link(slot, self._store(self._spec.flatten(transition.final_observation)))
        else:
            self._open[transition.actor] = (transition.episode, transition.step, slot)

    def sample(self, count: int) -> Batch:
        """`count` transitions, uniformly and with replacement."""
        slots = self._sampleable[self._rng.integers(self._size, size=count)]
        following = self._next[slots]
        arrays = (
            self._state[slots],
            self._action[slots],
            self._reward[slots],
            self._mask[slots],
            self._state[following],
        )
        return Batch(*map(torch.from_numpy, arrays))

    def states(self) -> Tensor:
        """(N, S): the state of every transition that can be sampled."""
        return torch.from_numpy(self._state[self._sampleable[: self._size]])

    def _store(self, state: np.ndarray) -> int:
        """Writes an observation to the oldest slot, whose transition is forgotten."""
        slot = self._head
        self._forget(slot)
        self._state[slot] = state
        self._head = (slot + 1) % self.capacity
        return slot

    def _link(self, slot: int, following: int) -> None:
        """Makes the transition of `slot` one that can be sampled."""
        self._next[slot] = following
        self._rank[slot] = self._size
        self._sampleable[self._size] = slot
        self._size += 1

    def _forget(self, slot: int) -> None:
        """Takes a slot out of the sampleable ones: the last of them moves to its place."""
        for actor in [a for a, (_, _, open_slot) in self._open.items() if open_slot == slot]:
            del self._open[actor]  # the step that waits for its successor is overwritten
        rank = self._rank[slot]
        if rank != NONE:
            self._size -= 1
            last = self._sampleable[self._size]
            self._sampleable[rank] = last
            self._rank[last] = rank
            self._rank[slot] = NONE
            self._next[slot] = NONE


def _check_memory(capacity: int, needed: int) -> None:
    """Memory is reserved lazily by the system: without this a run would be killed hours later."""
    available = _available_memory()
    if needed > available:
        raise ConfigError(
            f"replay_capacity: {capacity} transitions need {needed / 1e9:.1f} GB, "
            f"{available / 1e9:.1f} GB are available"
        )


def _available_memory() -> int:
    """Bytes that the system can give without swapping."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
