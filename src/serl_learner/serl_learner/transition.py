"""What actors hand to learners: observations, their specification, and transitions."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from serl_learner.config import ConfigError

# Vectors: float32 (n,). Images: uint8 (height, width, 3), RGB. The state has the order of the keys.
Observation = dict[str, np.ndarray]


@dataclass(frozen=True)
class ObservationSpec:
    """Names and shapes of an observation, in order."""

    vectors: tuple[tuple[str, int], ...]
    images: tuple[tuple[str, tuple[int, int, int]], ...] = ()

    @classmethod
    def from_observation(
        cls, observation: Observation, keys: tuple[str, ...] = ()
    ) -> "ObservationSpec":
        """Of the named entries, in that order; with no names, of all."""
        vectors, images = [], []
        for name in keys or observation:
            if name not in observation:
                raise ConfigError(f"observation {name}: none, expected one of {list(observation)}")
            value = np.asarray(observation[name])
            if value.ndim == 1 and np.issubdtype(value.dtype, np.floating):
                vectors.append((name, value.size))
            elif value.ndim == 3 and value.dtype == np.uint8:
                images.append((name, tuple(value.shape)))
            else:
                raise ValueError(
                    f"observation {name}: expected float (n,) or uint8 (height, width, 3), "
                    f"got {value.dtype} {value.shape}"
                )
        return cls(tuple(vectors), tuple(images))

    @property
    def state_size(self) -> int:
        """Number of elements of all vectors."""
        return sum(size for _, size in self.vectors)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, 3) of every image; zeros where there are none."""
        shapes = {shape for _, shape in self.images} or {(0, 0, 0)}
        if len(shapes) > 1:
            listed = ", ".join(f"{name} {shape}" for name, shape in self.images)
            raise ConfigError(f"observations: expected images of one size, got {listed}")
        return shapes.pop()

    def flatten(self, observation: Observation) -> np.ndarray:
        """The state: all vectors in the order of the specification, float32 (state_size,)."""
        if not self.vectors:
            return np.zeros(0, np.float32)
        parts = [observation[name] for name, _ in self.vectors]
        return np.concatenate(parts, dtype=np.float32, casting="same_kind")

    def check(self, observation: Observation, what: str = "observation") -> None:
        """Raises ValueError, naming the element, if one is missing or its shape or a value wrong.

        An observation may hold more than the specification names.
        """
        expected = [name for name, _ in self.vectors + self.images]
        if not observation.keys() >= set(expected):
            raise ValueError(f"{what}: expected {expected}, got {list(observation)}")
        for name, size in self.vectors:
            value = np.asarray(observation[name])
            if value.shape != (size,):
                raise ValueError(f"{what} {name}: expected shape {(size,)}, got {value.shape}")
            if not np.isfinite(value).all():
                raise ValueError(f"{what} {name}: expected finite values, got {value}")
        for name, shape in self.images:
            value = np.asarray(observation[name])
            if value.shape != shape or value.dtype != np.uint8:
                raise ValueError(
                    f"{what} {name}: expected uint8 {shape}, got {value.dtype} {value.shape}"
                )

    def to_json(self) -> str:
        return json.dumps({"vectors": self.vectors, "images": self.images})

    @classmethod
    def from_json(cls, text: str) -> "ObservationSpec":
        fields = json.loads(text)
        return cls(
            tuple((str(name), int(size)) for name, size in fields["vectors"]),
            tuple((str(name), tuple(map(int, shape))) for name, shape in fields["images"]),
        )


@dataclass(slots=True)
class Transition:
    """One environment step of one actor; the fields are those of serl_msgs/Transition."""

    agent: str
    actor: str
    sequence: int  # counts the actor's transitions in a run, from 0, without gaps
    episode: int
    step: int  # in the episode, from 0
    observation: Observation  # that the action was taken from
    action: np.ndarray  # float32 (action_size,) in [-1, 1], as executed
    reward: float
    terminated: bool  # the value of what follows is 0
    truncated: bool  # cut off: the value of what follows is bootstrapped from `final_observation`
    success: bool = False
    intervened: bool = False
    grasp_penalty: float = 0.0
    policy_version: int = 0
    reward_version: int = 0  # of what judged the step
    stamp_ns: int = 0  # Unix time at which `observation` was acquired; 0: not known
    final_observation: Observation | None = None  # where the episode ends here, otherwise None
    # A sensor failed: nothing of this episode is to be learned from. Only where it ends here.
    discarded: bool = False

    def check(self, spec: ObservationSpec, action_size: int) -> None:
        """Raises ConfigError, naming the transition and the field, if a value is wrong."""
        try:
            self._check(spec, action_size)
        except ValueError as error:
            raise ConfigError(f"transition {self.sequence} of {self.actor}: {error}") from None

    def _check(self, spec: ObservationSpec, action_size: int) -> None:
        spec.check(self.observation)
        action = np.asarray(self.action)
        if action.shape != (action_size,):
            raise ValueError(f"action: expected shape {(action_size,)}, got {action.shape}")
        if not (np.abs(action) <= 1.0).all():  # false for NaN too
            raise ValueError(f"action: expected values in [-1, 1], got {action}")
        for name in ("reward", "grasp_penalty"):
            if not np.isfinite(getattr(self, name)):
                raise ValueError(f"{name}: expected a finite value, got {getattr(self, name)}")
        ends = self.terminated or self.truncated
        if self.discarded and not ends:
            raise ValueError("discarded: expected only at the end of an episode")
        if ends and self.final_observation is None:
            raise ValueError("final_observation: expected at the end of an episode, got none")
        if self.final_observation is not None:
            if not ends:
                raise ValueError("final_observation: expected only at the end of an episode")
            spec.check(self.final_observation, "final_observation")


def with_next(transitions: Iterable[Transition]) -> Iterator[tuple[Transition, Observation]]:
    """Each transition with the observation that followed it, where it is known.

    Those of one actor come in order; nothing is paired across a gap or the end of an episode.
    """
    open_steps: dict[str, Transition] = {}  # actor: its last step, which waits for its successor
    for transition in transitions:
        before = open_steps.pop(transition.actor, None)
        if before is not None and (before.episode, before.step + 1) == (
            transition.episode,
            transition.step,
        ):
            yield before, transition.observation
        if transition.final_observation is not None:
            yield transition, transition.final_observation
        else:
            open_steps[transition.actor] = transition
