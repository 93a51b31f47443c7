"""Labels belong to the frames that follow; an episode is never learned from and tested on."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serl_learner.codec import encode_transition
from serl_learner.config import ConfigError
from serl_learner.transition import ObservationSpec, Transition
from serl_learner.transition_log import TransitionLog
from serl_reward import dataset
from serl_reward.dataset import Dataset, labelled_frames, load_dataset, split, spread

SPEC = ObservationSpec((), (("wrist", (2, 2, 3)),))


def observation(episode, step):
    """An image that says where it belongs."""
    return {"wrist": np.full((2, 2, 3), 10 * episode + step, np.uint8)}


def episode_of(number, successes, discarded=False, ends="truncated"):
    """One step per entry of `successes`."""
    last = len(successes) - 1
    return [
        Transition(
            agent="agent",
            actor="actor",
            sequence=0,
            episode=number,
            step=step,
            observation=observation(number, step),
            action=np.zeros(1, np.float32),
            reward=0.0,
            terminated=step == last and ends == "terminated",
            truncated=step == last and ends == "truncated",
            success=success,
            final_observation=observation(number, step + 1) if step == last else None,
            discarded=discarded and step == last,
        )
        for step, success in enumerate(successes)
    ]


def write(path, *episodes):
    with TransitionLog(path, "task") as log:
        for sequence, transition in enumerate(itertools.chain(*episodes)):
            log.append(encode_transition(replace(transition, sequence=sequence)))
    return path


def read(path):
    return [(int(f.observation["wrist"][0, 0, 0]), f.success) for f in labelled_frames(path)]


def test_a_label_is_that_of_the_following_observation(tmp_path):
    path = write(tmp_path / "a.mcap", episode_of(0, [False, True, False]))
    assert read(path) == [(0, False), (1, False), (2, True), (3, False)]


def test_the_final_observation_of_a_demonstration_is_its_success(tmp_path):
    demonstrations = [episode_of(n, [False, True], ends="terminated") for n in (0, 1)]
    path = write(tmp_path / "a.mcap", *demonstrations)
    expected = [(0, False), (1, False), (2, True), (10, False), (11, False), (12, True)]
    assert read(path) == expected


def test_a_frame_whose_label_is_missing_is_left_out(tmp_path):
    first, second = episode_of(0, [True, True, True]), episode_of(1, [False, False])
    path = write(tmp_path / "a.mcap", [first[0], first[2]], second[1:])
    assert read(path) == [(0, False), (3, True), (12, False)]


def test_an_episode_in_which_a_camera_failed_is_left_out(tmp_path, monkeypatch):
    for name, value in (("MIN_POSITIVES", 1), ("MIN_NEGATIVES", 1), ("MIN_EPISODES", 1)):
        monkeypatch.setattr(dataset, name, value)
    path = write(tmp_path / "a.mcap", episode_of(0, [True], discarded=True), episode_of(1, [True]))
    data = load_dataset([path, path], 10, 10)  # the same file twice is that file
    assert data.images[:, 0, 0, 0, 0].tolist() == [10, 11]
    assert data.labels.tolist() == [False, True]
    assert data.episodes.tolist() == [1, 1]


@given(
    st.lists(st.integers(0, 5), max_size=40).map(np.array),
    st.integers(0, 50),
    st.randoms(use_true_random=False),
)
def test_frames_are_drawn_evenly_over_episodes_and_time(episodes, count, random):
    usable = np.array([random.random() < 0.7 for _ in episodes], bool)
    episodes = np.sort(episodes).astype(int)
    chosen = spread(episodes, usable, count)
    assert len(chosen) == len(set(chosen)) == min(count, usable.sum())
    assert usable[chosen].all()
    drawn = [int((episodes[chosen] == number).sum()) for number in np.unique(episodes)]
    there = [int((usable & (episodes == number)).sum()) for number in np.unique(episodes)]
    short = [a for a, b in zip(drawn, there, strict=True) if a < b]  # of which more could be had
    assert not short or max(drawn) - min(short) <= 1


def data_of(labels, episodes):
    labels, episodes = np.array(labels, bool), np.array(episodes, int)
    return Dataset(SPEC, np.zeros((len(labels), 1, 2, 2, 3), np.uint8), labels, episodes)


@given(st.integers(40, 400), st.integers(1, 20), st.floats(0.0, 1.0), st.integers(0, 1000))
def test_no_episode_is_in_both_parts(frames, episodes, share, seed):
    rng = np.random.default_rng(seed)
    data = data_of(rng.random(frames) < share, rng.integers(0, episodes, frames))
    try:
        learned, held_out = split(data, seed)
    except ConfigError:
        return
    assert not set(learned.episodes) & set(held_out.episodes)
    assert len(learned) + len(held_out) == len(data)
    assert learned.labels.any() and held_out.labels.any()
    again, _ = split(data, seed)
    np.testing.assert_array_equal(again.episodes, learned.episodes)


def refusal(tmp_path, *episodes):
    path = write(tmp_path / "a.mcap", *episodes)
    with pytest.raises(ConfigError) as error:
        split(load_dataset([path], 1000, 1000, "task"), 0)
    assert "\n" not in str(error.value)
    return str(error.value)


MANY, NONE = [True] * 9 + [False] * 20, [False] * 30


def test_what_cannot_support_a_claim_is_refused_in_one_line(tmp_path):
    found = "reward data: expected at least 50 positive frames from 8 episodes, got "
    assert refusal(tmp_path / "a", *[episode_of(n, NONE) for n in range(9)]) == found + "0 from 0"
    few = [episode_of(n, [True] * 3 + NONE) for n in range(9)]
    assert refusal(tmp_path / "b", *few) == found + "27 from 9"
    assert refusal(tmp_path / "c", *[episode_of(n, MANY) for n in range(7)]) == found + "63 from 7"
    never = [episode_of(n, [True] * 9) for n in range(9)]  # but for where they began
    message = "reward data: expected at least 100 negative frames from 8 episodes, got 9 from 9"
    assert refusal(tmp_path / "d", *never) == message


def test_too_little_to_hold_out_is_refused():
    labels = np.concatenate([[True] * (43 if n == 0 else 1) + [False] * 20 for n in range(8)])
    episodes = np.concatenate([[n] * (63 if n == 0 else 21) for n in range(8)])
    for seed in range(50):
        try:
            _, held_out = split(data_of(labels, episodes), seed)
        except ConfigError as error:
            expected = "held-out episodes: expected 10 frames per class, got 2 positive and 40"
            assert str(error).startswith(expected)
        else:
            assert held_out.labels.sum() == 44


def test_files_that_are_none_or_of_another_task_are_refused(tmp_path):
    path = write(tmp_path / "a.mcap", episode_of(0, MANY))
    with pytest.raises(ConfigError, match="expected transitions of task 'other', found 'task'"):
        load_dataset([path], 10, 10, "other")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_dataset([tmp_path / "none.mcap"], 10, 10)
    (tmp_path / "text.mcap").write_text("no recording")
    with pytest.raises(ConfigError, match=r"text\.mcap"):
        load_dataset([tmp_path / "text.mcap"], 10, 10)
