"""Replay: transitions in preallocated memory, each observation stored once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from serl_learner.config import ConfigError
from serl_learner.frames import ENCODED_TOGETHER, Frames, encode
from serl_learner.transition import Observation, ObservationSpec, Transition

NONE = -1
NO_FRAMES = torch.empty(0, dtype=torch.uint8)
NO_PENALTY = torch.zeros(())  # of any batch without a gripper
NO_DEMONSTRATION = torch.zeros(())  # of any batch without prior data
ONE_STEP = torch.ones(())
CPU = torch.device("cpu")
INDEX_BYTES = 8  # of next, episode, each frame of the stack; place and rank in two `_Slots`


@dataclass(frozen=True)
class Batch:
    """B transitions, of one step or of several.

    States are raw (not normalised); frames are what `Frames` stores or gives.
    """

    state: Tensor  # (B, S)
    action: Tensor  # (B, A)
    reward: Tensor  # (B,)
    mask: Tensor  # (B,) 1 - terminated: 0 where no value follows; a time limit keeps it at 1
    next_state: Tensor  # (B, S)
    frames: Tensor = NO_FRAMES  # (B, cameras, stack, ...), the newest frame last
    next_frames: Tensor = NO_FRAMES  # (B, cameras, stack, ...)
    grasp_penalty: Tensor = NO_PENALTY  # (B,) at most 0, beside the reward and no part of it
    demonstrated: Tensor = NO_DEMONSTRATION  # (B,) 1 where the action was shown, by a person, or 0
    steps: Tensor = ONE_STEP  # (B,) or () of which reward and penalty are the discounted sums

    @staticmethod
    def concatenate(*batches: "Batch") -> "Batch":
        fields = zip(*(vars(batch).values() for batch in batches), strict=True)
        return Batch(*map(torch.cat, fields))


class _Slots:
    """Some of `capacity` slots: those that can be drawn."""

    def __init__(self, capacity: int) -> None:
        self.members = np.zeros(capacity, np.int64)  # the first `size`, in any order
        self.rank = np.full(capacity, NONE)  # where a slot stands in them
        self.size = 0

    def add(self, slot: int) -> None:
        self.rank[slot] = self.size
        self.members[self.size] = slot
        self.size += 1

    def remove(self, slot: int) -> None:
        """The last of them moves to its place; nothing where it is none of them."""
        rank = self.rank[slot]
        if rank != NONE:
            self.size -= 1
            last = self.members[self.size]
            self.members[rank] = last
            self.rank[last] = rank
            self.rank[slot] = NONE

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count,), uniformly and with replacement."""
        return self.members[rng.integers(self.size, size=count)]


class ReplayBuffer:
    """A ring of `capacity` observations, each with the action that followed it.

    A slot knows the slot of its next observation: that of the actor's following step of the same
    episode, or the episode's final observation, which takes a slot of its own. Until that one is
    known, and wherever a step is missing, the transition is not sampled. So nothing is ever paired
    across a gap, two episodes or two actors, and several actors may write in turns. An episode that
    is discarded in the end is forgotten whole.

    A slot also knows those of the frames before it, where frames are seen in stacks: each is stored
    once. An episode's first frame stands for those before it. After a gap, and where the ring has
    overwritten the oldest, transitions are not sampled for want of them.
    """

    def __init__(
        self,
        capacity: int,
        spec: ObservationSpec,
        action_size: int,
        rng: np.random.Generator,
        frames: Frames | None = None,
        device: torch.device = CPU,
    ) -> None:
        """`frames` is for observations with images."""
        if capacity < 2:
            raise ConfigError(f"replay_capacity: expected at least 2, got {capacity}")
        frames = frames or Frames(ObservationSpec(spec.vectors))
        self._spec = spec
        self._layout = frames
        self._rng = rng
        self._device = device
        _check_memory(capacity, capacity * slot_bytes(spec, action_size, frames), device)
        slot = _slot(spec, action_size, frames)
        self._data = {k: _zeros(capacity, w, dtype, device) for k, (w, dtype) in slot.items()}
        frame_size = math.prod(frames.shape)
        # A row for each view of each camera of each slot.
        self._views = self._data["frames"].view(
            capacity * frames.cameras * frames.views, frame_size
        )
        self._next = np.full(capacity, NONE)  # slot of the next observation
        self._stack = np.full((capacity, frames.stack), NONE)  # slots of the frames, newest last
        self._sampleable = _Slots(capacity)
        self._corrected = _Slots(capacity)  # of those, where a person commanded the action
        self._intervened = np.zeros(capacity, bool)
        self._episode = np.full(capacity, NONE)  # running number of the slot's episode
        self._episodes: dict[tuple[str, int], int] = {}  # (actor, episode) under way: that number
        self._episode_count = 0
        self._head = 0  # slot that is written next
        self._open: dict[str, tuple[int, int, int]] = {}  # actor: its last (episode, step, slot)

    def __len__(self) -> int:
        """Number of transitions that can be sampled."""
        return self._sampleable.size

    @property
    def corrections(self) -> int:
        """Number of those in which a person commanded the action."""
        return self._corrected.size

    @property
    def capacity(self) -> int:
        """Number of observations held; the final one of an episode counts."""
        return len(self._next)

    @property
    def nbytes(self) -> int:
        """Memory of the full buffer, which the system gives as it fills."""
        parts = vars(self), vars(self._sampleable), vars(self._corrected)
        arrays = [a for part in parts for a in part.values() if isinstance(a, np.ndarray)]
        return sum(a.nbytes for a in arrays) + sum(t.nbytes for t in self._data.values())

    def add(
        self,
        transition: Transition,
        frames: Tensor | None = None,
        final_frames: Tensor | None = None,
    ) -> None:
        """Stores one step. Steps of one actor come in order; those left out are gaps.

        Frames are one element of `Frames.encode`, of the observation and of the final one.
        """
        episode = self._number(transition)
        slot = self._store(transition.observation, frames, episode)
        if transition.step == 0:
            self._stack[slot] = slot
        self._data["action"][slot] = torch.from_numpy(np.asarray(transition.action, np.float32))
        self._data["reward"][slot] = transition.reward
        self._data["mask"][slot] = 1.0 - transition.terminated
        self._data["grasp_penalty"][slot] = transition.grasp_penalty
        self._intervened[slot] = transition.intervened
        previous = self._open.pop(transition.actor, None)
        if previous is not None:
            previous_episode, step, previous_slot = previous
            if (previous_episode, step + 1) == (transition.episode, transition.step):
                self._link(previous_slot, slot)
        if transition.final_observation is not None:
            final = self._store(transition.final_observation, final_frames, episode)
            self._link(slot, final)
        else:
            self._open[transition.actor] = (transition.episode, transition.step, slot)
        if transition.discarded:
            for member in np.flatnonzero(self._episode == episode):
                self._forget(int(member))

    def sample(
        self, count: int, n_step: int = 1, discount: float = 1.0, corrections: bool = False
    ) -> Batch:
        """`count` transitions, uniformly and with replacement; a view of each frame at random.

        Of `n_step` steps each, or as many as there are up to the end of the episode, or so far.
        With `corrections`, only those in which a person commanded the (first) action.
        """
        slots = (self._corrected if corrections else self._sampleable).draw(count, self._rng)
        last, steps = slots, np.ones(count, np.float32)
        reward, penalty = (self._take_one(name, slots) for name in ("reward", "grasp_penalty"))
        for _ in range(n_step - 1):
            goes_on = self._sampleable.rank[self._next[last]] != NONE
            last = np.where(goes_on, self._next[last], last)
            weight = torch.from_numpy(np.float32(goes_on * discount**steps)).to(self._device)
            reward = reward + weight * self._take_one("reward", last)
            penalty = penalty + weight * self._take_one("grasp_penalty", last)
            steps += goes_on
        following = self._next[last]
        return Batch(
            self._take("state", slots),
            self._take("action", slots),
            reward,
            self._take_one("mask", last),
            self._take("state", following),
            self._take_frames(slots),
            self._take_frames(following),
            penalty,
            steps=torch.from_numpy(steps).to(self._device),
        )

    def sample_next_frames(self, count: int) -> Tensor:
        """(count, cameras, stack, ...): `sample` where a batch's next_frames are all one needs."""
        return self._take_frames(self._next[self._sampleable.draw(count, self._rng)])

    def states(self) -> Tensor:
        """(N, S): the state of every transition that can be sampled."""
        return self._take("state", self._sampleable.members[: len(self)])

    def _take(self, name: str, slots: np.ndarray) -> Tensor:
        return self._data[name].index_select(0, torch.from_numpy(slots).to(self._device))

    def _take_one(self, name: str, slots: np.ndarray) -> Tensor:
        return self._take(name, slots).squeeze(-1)

    def _take_frames(self, slots: np.ndarray) -> Tensor:
        """(B, cameras, stack, *shape): a view per camera and frame, chosen independently."""
        cameras, views, stack = self._layout.cameras, self._layout.views, self._layout.stack
        shape = len(slots), cameras, stack
        view = self._rng.integers(views, size=shape) if views > 1 else 0
        rows = self._stack[slots][:, None] * cameras + np.arange(cameras)[:, None]
        index = torch.from_numpy((rows * views + view).ravel()).to(self._device)
        return self._views.index_select(0, index).view(*shape, *self._layout.shape)

    def _number(self, transition: Transition) -> int:
        """A running number for the transition's episode."""
        key = transition.actor, transition.episode
        if key not in self._episodes:
            self._episodes = {k: n for k, n in self._episodes.items() if k[0] != transition.actor}
            self._episodes[key] = self._episode_count
            self._episode_count += 1
        return self._episodes[key]

    def _store(self, observation: Observation, frames: Tensor | None, episode: int) -> int:
        """Writes an observation to the oldest slot, whose transition is forgotten."""
        slot = self._head
        self._lose_frame(slot)
        self._forget(slot)
        self._stack[slot, -1] = slot
        self._data["state"][slot] = torch.from_numpy(self._spec.flatten(observation))
        if self._layout.cameras:
            self._data["frames"][slot] = frames.flatten()
        self._episode[slot] = episode
        self._head = (slot + 1) % self.capacity
        return slot

    def _link(self, slot: int, following: int) -> None:
        """Makes the transition of `slot` one that can be sampled, if all its frames are there."""
        self._next[slot] = following
        self._stack[following, :-1] = self._stack[slot, 1:]
        if NONE in self._stack[slot]:
            return
        self._sampleable.add(slot)
        if self._intervened[slot]:
            self._corrected.add(slot)

    def _lose_frame(self, slot: int) -> None:
        """Withdraws the later transitions that see the frame of `slot`, which is overwritten."""
        later = slot
        for _ in range(self._layout.stack - 1):
            if (later := self._next[later]) == NONE:
                return
            stack = self._stack[later]
            stack[stack == slot] = NONE
            self._withdraw(later)

    def _forget(self, slot: int) -> None:
        """Nothing leads to the slot, or on from it, any more."""
        for actor in [a for a, (_, _, open_slot) in self._open.items() if open_slot == slot]:
            del self._open[actor]  # the step that waits for its successor is overwritten
        self._withdraw(slot)
        self._next[slot] = NONE
        self._stack[slot] = NONE

    def _withdraw(self, slot: int) -> None:
        """Takes a slot out of those that can be drawn."""
        self._sampleable.remove(slot)
        self._corrected.remove(slot)


def slot_bytes(spec: ObservationSpec, action_size: int, frames: Frames) -> int:
    """Memory of one observation with its transition."""
    widths = _slot(spec, action_size, frames).values()
    index = INDEX_BYTES * (6 + frames.stack) + 1  # whether a person intervened
    return sum(width * dtype.itemsize for width, dtype in widths) + index


def _slot(
    spec: ObservationSpec, action_size: int, frames: Frames
) -> dict[str, tuple[int, torch.dtype]]:
    """What one slot holds: number and type of the elements, by name."""
    return {
        "state": (spec.state_size, torch.float32),
        "action": (action_size, torch.float32),
        "reward": (1, torch.float32),
        "mask": (1, torch.float32),
        "grasp_penalty": (1, torch.float32),
        "frames": (frames.cameras * frames.views * math.prod(frames.shape), frames.dtype),
    }


def filled_replay(
    transitions: Sequence[Transition],
    spec: ObservationSpec,
    action_size: int,
    rng: np.random.Generator,
    frames: Frames,
    device: torch.device = CPU,
) -> ReplayBuffer:
    """A replay that just holds the given transitions."""
    observations = len(transitions) + sum(t.final_observation is not None for t in transitions)
    replay = ReplayBuffer(max(observations, 2), spec, action_size, rng, frames, device)
    for begin in range(0, len(transitions), ENCODED_TOGETHER):
        for arrival in encode(transitions[begin : begin + ENCODED_TOGETHER], frames):
            replay.add(*arrival)
    return replay


def _zeros(count: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """On a CPU, memory that the system gives only as it is written."""
    if device.type != "cpu":
        return torch.zeros(count, width, dtype=dtype, device=device)
    return torch.from_numpy(np.zeros((count, width), str(dtype).removeprefix("torch.")))


def _check_memory(capacity: int, needed: int, device: torch.device) -> None:
    """Memory is reserved lazily by the system: without this a run would be killed hours later."""
    available = _available_memory(device)
    if needed > available:
        raise ConfigError(
            f"replay_capacity: {capacity} transitions need {needed / 1e9:.1f} GB, "
            f"{available / 1e9:.1f} GB are available"
        )


def _available_memory(device: torch.device) -> int:
    """Bytes that the device, or the system without swapping, can give."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
