"""Trains a locator on demonstrations: hindsight labels their images (see hindsight.py)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional as F

from serl_learner.augmentation import rebrightened
from serl_learner.compute import multiplies_bfloat16
from serl_learner.config import ConfigError, expect
from serl_learner.hindsight import taken_positions
from serl_learner.locator import Locator
from serl_learner.transition import Observation, ObservationSpec, Transition

NEAR = 0.1  # standard deviations: larger errors count by their size, not by its square
HELD_OUT = 10  # each tenth episode
STEPS = 1000
BATCH = 64  # frames, of all cameras
LEARNING_RATE = 2e-3  # at its highest; it rises, then falls to 0
WEIGHT_DECAY = 1e-3


@dataclass(frozen=True)
class Sights:
    """M frames, with the place of the thing to take, in the order of their episodes."""

    spec: ObservationSpec  # of the images
    images: np.ndarray  # (M, cameras, H, W, 3) uint8
    poses: np.ndarray  # (M, 7) of the tool, base frame
    places: np.ndarray  # (M, 3) m, base frame
    episodes: np.ndarray  # (M,) int

    def where(self, chosen: np.ndarray) -> "Sights":
        """`chosen`: a mask (M,)"""
        names = "images", "poses", "places", "episodes"
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def split(self) -> tuple["Sights", "Sights"]:
        """To learn from, and to judge by: every tenth episode."""
        held_out = self.episodes % HELD_OUT == HELD_OUT - 1
        return self.where(~held_out), self.where(held_out)


def label(episodes: Iterable[Sequence[Transition]]) -> Sights:
    """What is known of each frame of recorded episodes, which observe `base_pose`.

    Raises ConfigError, one line, where there are no cameras, or no gripper that takes something.
    """
    spec: ObservationSpec | None = None
    parts = []
    for number, episode in enumerate(episodes):
        observations = [transition.observation for transition in episode]
        if episode[-1].final_observation is not None:
            observations.append(episode[-1].final_observation)
        mine = ObservationSpec.from_observation(observations[0])
        spec = spec or mine
        shapes = dict(spec.vectors + spec.images)
        expect(mine == spec, "recordings", f"all with {shapes}", "others")
        parts.append(_label_episode(spec, observations, number))
    if not any(len(images) for images, *_ in parts):
        raise ConfigError("recordings: expected episodes in which the gripper takes something")
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Sights(ObservationSpec((), spec.images), *columns)


def _label_episode(
    spec: ObservationSpec, observations: Sequence[Observation], number: int
) -> tuple[np.ndarray, ...]:
    """Images, poses, places and episode numbers of the frames whose place is known."""
    vectors = dict(spec.vectors)
    enough = spec.images and vectors.get("base_pose") == 7 and "gripper" in vectors
    expected = "cameras, gripper and base_pose, as `serl locator collect` records them"
    expect(enough, "observations", expected, ", ".join(observations[0]))
    poses = np.array([o["base_pose"] for o in observations], np.float64)
    places = taken_positions(poses[:, :3], [float(o["gripper"][0]) for o in observations])
    known = np.flatnonzero(np.isfinite(places[:, 0]))
    shape = (len(spec.images), *spec.image_shape)  # refuses cameras of different sizes
    images = np.empty((len(known), *shape), np.uint8)
    for image, t in zip(images, known, strict=True):
        image[:] = [observations[t][name] for name, _ in spec.images]
    return images, poses[known], places[known], np.full(len(known), number)


def train_locator(
    data: Sights,
    steps: int,
    seed: int,
    say: Callable[[int], None] = lambda step: None,
) -> Locator:
    """Fits to all of `data`. `say(step)` hears of progress."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        locator = Locator(data.spec)
    locator.fit(data.poses, data.places)
    images = torch.from_numpy(data.images)
    targets = locator.normalized(torch.from_numpy(data.places).float())
    optimizer = torch.optim.AdamW(locator.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps + 1)
    for step in range(steps):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        seen = images[chosen]
        seen = rebrightened(seen.flatten(0, 1), generator).unflatten(0, seen.shape[:2])
        with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
            predicted = locator(seen, data.poses[chosen.numpy()])
        loss = F.smooth_l1_loss(predicted.float(), targets[chosen], beta=NEAR)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        say(step)
    return locator.eval()


def errors(locator: Locator, data: Sights) -> np.ndarray:
    """(M,) m: how far off it is in each frame."""
    parts = range(0, len(data.poses), 32)
    images = torch.from_numpy(data.images)
    found = [locator.locate(images[i : i + 32], data.poses[i : i + 32]) for i in parts]
    return np.linalg.norm(np.concatenate(found) - data.places, axis=1)
