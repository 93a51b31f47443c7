"""Labelled frames of recordings, and their division into episodes to learn from and to test on.

A recording is a log of transitions: demonstrations, a run's log, or what `serl reward collect`
wrote. A transition's `success` says what is true of the observation that follows its action.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from serl_learner.config import ConfigError, expect
from serl_learner.transition import Observation, ObservationSpec, Transition, with_next
from serl_learner.transition_log import load_transitions

HELD_OUT = 0.25  # share of the episodes
# What a claim needs. The frames of an episode resemble each other: few episodes show little of what
# the task can look like, however many frames they have.
MIN_POSITIVES, MIN_NEGATIVES = 50, 100  # frames
MIN_EPISODES = 8  # with frames of a class: two of them are held out
# Ten frames without a mistake: Wilson's interval of the recall then begins at 0.72.
MIN_HELD_OUT = 10  # frames of a class


@dataclass(frozen=True, slots=True)
class Frame:
    """One observation and its label."""

    observation: Observation
    success: bool
    episode: tuple[str, str, int]  # file, actor, its number there
    transition: Transition | None  # that led to it; None at the beginning of the episode


@dataclass(frozen=True)
class Dataset:
    """Frames in the order of their episodes and, within each, of time."""

    spec: ObservationSpec  # of the images
    images: np.ndarray  # (M, cameras, H, W, 3) uint8
    labels: np.ndarray  # (M,) bool: success
    episodes: np.ndarray  # (M,) int

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: np.ndarray) -> "Dataset":
        """`chosen`: a mask (M,), or indices."""
        return replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            episodes=self.episodes[chosen],
        )

    def counts(self) -> dict[str, int]:
        """Of frames and of episodes that have some, by class."""
        positive = self.labels
        return {
            "positives": int(positive.sum()),
            "positive_episodes": len(np.unique(self.episodes[positive])),
            "negatives": int((~positive).sum()),
            "negative_episodes": len(np.unique(self.episodes[~positive])),
        }


def labelled_frames(path: str | Path, task: str | None = None) -> Iterator[Frame]:
    """Of one recording, in its order. What began an episode is no success.

    A frame is left out where the transition before it is missing: nobody knows its label.
    """
    beginnings: list[Frame] = []

    def episode(transition: Transition) -> tuple[str, str, int]:
        return str(path), transition.actor, transition.episode

    def noted() -> Iterator[Transition]:
        for transition in load_transitions(path, task):
            if transition.step == 0:
                beginnings.append(Frame(transition.observation, False, episode(transition), None))
            yield transition

    for transition, following in with_next(noted()):
        yield from beginnings
        beginnings.clear()
        yield Frame(following, transition.success, episode(transition), transition)
    yield from beginnings


def choose_frames(
    paths: Sequence[str | Path], positives: int, negatives: int, task: str | None = None
) -> Iterator[tuple[int, Frame]]:
    """At most so many of each class: the number of its episode, from 0, and the frame.

    Both classes are drawn evenly over episodes and, within each, over time. The recordings are read
    twice: only what is chosen is ever in memory. Nothing comes from an episode in which a camera
    failed.
    """
    files = {Path(path).resolve(): path for path in paths}.values()  # each once
    expect(files, "reward data", "recordings", "none")
    numbers: dict[tuple[str, str, int], int] = {}
    labels, episodes, discarded = [], [], set()
    for file in files:
        for frame in labelled_frames(file, task):
            number = numbers.setdefault(frame.episode, len(numbers))
            labels.append(frame.success)
            episodes.append(number)
            if frame.transition is not None and frame.transition.discarded:
                discarded.add(number)
    labels, episodes = np.array(labels, bool), np.array(episodes, int)
    usable = ~np.isin(episodes, list(discarded))
    wanted = {*spread(episodes, usable & labels, positives)}
    wanted |= {*spread(episodes, usable & ~labels, negatives)}
    index = 0
    for file in files:
        for frame in labelled_frames(file, task):
            if index in wanted:
                yield numbers[frame.episode], frame
            index += 1


def load_dataset(
    paths: Sequence[str | Path], positives: int, negatives: int, task: str | None = None
) -> Dataset:
    """At most so many frames of each class. Raises ConfigError where there are too few to learn."""
    spec, images, labels, episodes = None, [], [], []
    for episode, frame in choose_frames(paths, positives, negatives, task):
        if spec is None:
            found = ObservationSpec.from_observation(frame.observation)
            expect(found.images, frame.episode[0], "observations with images", "none")
            spec = ObservationSpec((), found.images)
        try:
            spec.check(frame.observation)
        except ValueError as error:
            raise ConfigError(f"{frame.episode[0]}: {error}") from None
        images.append(np.stack([frame.observation[name] for name, _ in spec.images]))
        labels.append(frame.success)
        episodes.append(episode)
    _expect_enough(np.array(labels, bool), np.array(episodes, int), "reward data")
    order = np.argsort(episodes, kind="stable")
    images = np.stack([images[i] for i in order])
    return Dataset(spec, images, np.array(labels, bool)[order], np.array(episodes, int)[order])


def split(data: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """To learn from, and held out: whole episodes, a quarter of those with successes and of others.

    Neighbouring frames are nearly the same picture: one that was learned from tells nothing about
    how its neighbour is judged. Raises ConfigError where too little would be held out.
    """
    rng = np.random.default_rng(seed)
    solved = np.unique(data.episodes[data.labels])
    others = np.setdiff1d(data.episodes, solved)
    drawn = [rng.permutation(part)[: round(HELD_OUT * len(part))] for part in (solved, others)]
    held_out = np.isin(data.episodes, np.concatenate(drawn))
    counts = data.where(held_out).counts()
    fewest = min(counts["positives"], counts["negatives"])
    found = f"{counts['positives']} positive and {counts['negatives']} negative ones"
    expect(fewest >= MIN_HELD_OUT, "held-out episodes", f"{MIN_HELD_OUT} frames per class", found)
    return data.where(~held_out), data.where(held_out)


def spread(episodes: np.ndarray, usable: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` indices where the mask is set: evenly over episodes, in each over time."""
    groups = [np.flatnonzero(usable & (episodes == number)) for number in np.unique(episodes)]
    chosen, left = [], count
    groups.sort(key=len)  # what a short one cannot give, longer ones do
    for position, group in enumerate(groups):
        share = min(left // (len(groups) - position), len(group))
        middles = (np.arange(share) + 0.5) * len(group) / max(share, 1)
        chosen.append(group[middles.astype(int)])
        left -= share
    return np.concatenate([np.empty(0, int), *chosen])


def _expect_enough(labels: np.ndarray, episodes: np.ndarray, where: str) -> None:
    parts = (("positive", labels, MIN_POSITIVES), ("negative", ~labels, MIN_NEGATIVES))
    for name, mask, least in parts:
        frames, count = int(mask.sum()), len(np.unique(episodes[mask]))
        expect(
            frames >= least and count >= MIN_EPISODES,
            where,
            f"at least {least} {name} frames from {MIN_EPISODES} episodes",
            f"{frames} from {count}",
        )
