"""The replay against a plain model of it: what is sampled, and what never is."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serl_learner import replay
from serl_learner.backbone import make_backbone
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig
from serl_learner.frames import Frames, encode
from serl_learner.replay import ReplayBuffer
from serl_learner.transition import ObservationSpec, Transition

SPEC = ObservationSpec((("code", 4),))
FINAL = 10_000  # step in the code of a final observation is the last one plus one


def code(actor: str, episode: int, step: int) -> np.ndarray:
    """An observation that says where it belongs."""
    return np.array([ord(actor), episode, step, 0], np.float32)


def step(actor, episode, number, terminated=False, truncated=False, sequence=0) -> Transition:
    ends = terminated or truncated
    return Transition(
        agent="agent",
        actor=actor,
        sequence=sequence,
        episode=episode,
        step=number,
        observation={"code": code(actor, episode, number)},
        action=np.array([number / 100], np.float32),
        reward=float(number),
        grasp_penalty=-number / 50,
        terminated=terminated,
        truncated=truncated,
        final_observation={"code": code(actor, episode, number + 1)} if ends else None,
    )


def buffer(capacity=100, seed=0) -> ReplayBuffer:
    return ReplayBuffer(capacity, SPEC, 1, np.random.default_rng(seed))


def sampled(replay_buffer, count=400, corrections=False) -> Counter:
    """How often each (actor, episode, step) comes, each checked to be a true pair."""
    if (replay_buffer.corrections if corrections else len(replay_buffer)) == 0:
        return Counter()
    batch = replay_buffer.sample(count, corrections=corrections)
    state, following = batch.state.numpy(), batch.next_state.numpy()
    np.testing.assert_array_equal(following[:, :2], state[:, :2])  # same actor, same episode
    np.testing.assert_array_equal(following[:, 2], state[:, 2] + 1)  # t and t + 1
    np.testing.assert_array_equal(batch.reward, state[:, 2])
    np.testing.assert_allclose(batch.grasp_penalty, -state[:, 2] / 50)
    np.testing.assert_allclose(batch.action[:, 0], state[:, 2] / 100)
    return Counter((chr(int(a)), int(e), int(s)) for a, e, s, _ in state)


def test_an_episode_gives_each_of_its_steps_once_its_successor_is_known():
    b = buffer()
    for number in range(3):
        b.add(step("a", 0, number))
        assert len(b) == number
    b.add(step("a", 0, 3, truncated=True))
    assert len(b) == 4
    assert set(sampled(b)) == {("a", 0, n) for n in range(4)}


def returns(replay_buffer, n_step, discount) -> dict:
    """Of each (actor, episode, step) that comes: reward, penalty, mask, steps, following step."""
    batch = replay_buffer.sample(400, n_step, discount)
    rows = zip(
        batch.state.tolist(), batch.reward.tolist(), batch.grasp_penalty.tolist(),
        batch.mask.tolist(), batch.steps.tolist(), batch.next_state.tolist(), strict=True,
    )  # fmt: skip
    found = {}
    for (actor, episode, number, _), *figures, following in rows:
        assert following[:2] == [actor, episode]
        key = chr(int(actor)), int(episode), int(number)
        figures = [*figures, following[2]]
        assert found.setdefault(key, figures) == figures
    return found


def test_several_steps_are_summed_up_to_the_end_of_the_episode():
    b = buffer()
    for number in range(4):
        b.add(step("a", 0, number, terminated=number == 3))
    b.add(step("a", 1, 0))  # of the next episode nothing is taken, nor of
    b.add(step("a", 1, 1))  # this one, whose successor is not known yet
    found = returns(b, n_step=3, discount=0.5)
    expected = {  # rewards are 0, 1, 2, 3; penalties -0.02 of each
        ("a", 0, 0): [0 + 0.5 * 1 + 0.25 * 2, 1.0, 3.0, 3.0],
        ("a", 0, 1): [1 + 0.5 * 2 + 0.25 * 3, 0.0, 3.0, 4.0],
        ("a", 0, 2): [2 + 0.5 * 3, 0.0, 2.0, 4.0],
        ("a", 0, 3): [3.0, 0.0, 1.0, 4.0],
        ("a", 1, 0): [0.0, 1.0, 1.0, 1.0],
    }
    assert found.keys() == expected.keys()
    for key, (reward, mask, steps, following) in expected.items():
        assert found[key] == pytest.approx([reward, -reward / 50, mask, steps, following])


def test_a_return_never_crosses_a_gap_or_a_truncation():
    b = buffer()
    for number in (0, 1, 3, 4, 5):  # 2 is lost
        b.add(step("a", 0, number, truncated=number == 5))
    found = returns(b, n_step=10, discount=1.0)
    assert found == {
        ("a", 0, 0): [0.0, 0.0, 1.0, 1.0, 1.0],
        ("a", 0, 3): [12.0, pytest.approx(-12 / 50), 1.0, 3.0, 6.0],
        ("a", 0, 4): [9.0, pytest.approx(-9 / 50), 1.0, 2.0, 6.0],
        ("a", 0, 5): [5.0, pytest.approx(-5 / 50), 1.0, 1.0, 6.0],
    }


def test_mask_is_zero_only_where_the_task_ended():
    b = buffer()
    b.add(step("a", 0, 0, terminated=True))
    assert set(b.sample(20).mask.tolist()) == {0.0}
    b = buffer()
    b.add(step("a", 0, 0, truncated=True))
    assert set(b.sample(20).mask.tolist()) == {1.0}
    b = buffer()
    b.add(step("a", 0, 0, terminated=True, truncated=True))
    assert set(b.sample(20).mask.tolist()) == {0.0}


def test_a_torn_episode_loses_its_last_step_only():
    b = buffer()
    for transition in [step("a", 0, 0), step("a", 0, 1), step("a", 1, 0), step("a", 1, 1)]:
        b.add(transition)
    assert set(sampled(b)) == {("a", 0, 0), ("a", 1, 0)}


def test_nothing_is_paired_across_a_gap():
    b = buffer()
    for number in (0, 1, 3, 4):
        b.add(step("a", 0, number))
    assert set(sampled(b)) == {("a", 0, 0), ("a", 0, 3)}


def test_a_discarded_episode_is_forgotten_whole_and_no_other():
    b = buffer()
    for actor in "ab":
        for number in range(3):
            b.add(step(actor, 0, number, truncated=number == 2))
    for number in range(4):
        b.add(step("a", 1, number))
        b.add(step("b", 1, number))
    end = step("a", 1, 4, truncated=True)
    end.discarded = True
    b.add(end)
    kept = {(actor, 0, n) for actor in "ab" for n in range(3)} | {("b", 1, n) for n in range(3)}
    assert set(sampled(b)) == kept
    b.add(step("a", 2, 0, terminated=True))
    assert set(sampled(b)) == kept | {("a", 2, 0)}


def test_actors_may_write_in_turns():
    b = buffer()
    for number in range(3):
        for actor in "abc":
            b.add(step(actor, 5, number, terminated=number == 2))
    assert set(sampled(b)) == {(actor, 5, n) for actor in "abc" for n in range(3)}


def test_capacity_below_the_length_of_an_episode_keeps_its_end():
    b = buffer(capacity=3)
    for number in range(10):
        b.add(step("a", 0, number))
    assert set(sampled(b)) == {("a", 0, 7), ("a", 0, 8)}
    b.add(step("a", 0, 10, terminated=True))
    assert set(sampled(b)) == {("a", 0, 9), ("a", 0, 10)}


def test_a_slot_that_waits_for_its_successor_may_be_overwritten():
    b = buffer(capacity=2)
    b.add(step("a", 0, 0))
    b.add(step("b", 0, 0))
    b.add(step("b", 0, 1))  # overwrites a's step 0
    b.add(step("a", 0, 1))  # whose successor pairs with nothing
    assert set(sampled(b)) == set()


def test_sampling_is_uniform():
    b = buffer(capacity=50)
    for number in range(65):  # wraps round
        b.add(step("a", number // 10, number % 10, truncated=number % 10 == 9))
    counts = sampled(b, 40_000)
    expected = 40_000 / len(b)
    assert len(counts) == len(b)
    # Five standard deviations of a multinomial count.
    assert max(abs(c - expected) for c in counts.values()) < 5 * expected**0.5


def test_states_are_those_of_the_sampleable_transitions():
    b = buffer()
    for number in range(3):
        b.add(step("a", 0, number))
    assert sorted(b.states()[:, 2].tolist()) == [0, 1]


def test_memory_is_stated_and_refused_at_construction(monkeypatch):
    b = buffer(capacity=1000)
    assert b.nbytes == 1000 * (4 * (4 + 1 + 3) + 7 * 8 + 1)
    monkeypatch.setattr(replay, "_available_memory", lambda device: b.nbytes - 1)
    with pytest.raises(ConfigError, match=r"replay_capacity: 1000 .* need .* GB, .* available"):
        buffer(capacity=1000)
    with pytest.raises(ConfigError, match="replay_capacity: expected at least 2, got 1"):
        buffer(capacity=1)


@st.composite
def histories(draw):
    """What several actors send: episodes of any length, some torn or ending, some steps missing."""
    streams = []
    for actor in "ab"[: draw(st.integers(1, 2))]:
        stream = []
        for episode in range(draw(st.integers(1, 4))):
            length = draw(st.integers(1, 6))
            end = draw(st.sampled_from(["terminated", "truncated", "torn", "discarded"]))
            for number in range(length):
                last = number == length - 1
                stream.append(
                    step(
                        actor,
                        episode,
                        number,
                        last and end == "terminated",
                        last and end in ("truncated", "discarded"),
                    )
                )
                stream[-1].discarded = last and end == "discarded"
                stream[-1].intervened = draw(st.booleans())
        streams.append([t for t in stream if draw(st.integers(0, 9)) > 0])
    history = []
    while any(streams):
        stream = draw(st.sampled_from([s for s in streams if s]))
        history.append(stream.pop(0))
    return history


def model(history, capacity, stack=1) -> set:
    """What may be sampled: both observations of the pair are among the last `capacity` stored.

    So are, of the episode, those before it that a stack shows.
    """
    slots = []  # (actor, episode, step, is it a final observation) in the order stored
    ends, discarded = {}, {(t.actor, t.episode) for t in history if t.discarded}
    for t in history:
        slots.append((t.actor, t.episode, t.step))
        if t.final_observation is not None:
            slots.append((t.actor, t.episode, FINAL))
            ends[(t.actor, t.episode, t.step)] = (t.actor, t.episode, FINAL)
    kept = set(slots[-capacity:])
    follower = {key: ends.get(key, (key[0], key[1], key[2] + 1)) for key in kept if key[2] != FINAL}
    return {
        (actor, episode, number)
        for (actor, episode, number), following in follower.items()
        if following in kept
        and (actor, episode) not in discarded
        and all((actor, episode, s) in kept for s in stacked(number, stack))
    }


def stacked(number: int, stack: int) -> list[int]:
    """The steps whose frames are seen at a step, oldest first."""
    return [max(0, s) for s in range(number - stack + 1, number + 1)]


@settings(deadline=None, max_examples=200)
@given(histories(), st.integers(2, 12))
def test_any_history_gives_exactly_the_true_pairs(history, capacity):
    b = buffer(capacity)
    for count, transition in enumerate(history, start=1):
        b.add(transition)
        assert len(b) == len(model(history[:count], capacity))
    assert set(sampled(b)) == model(history, capacity)
    commanded = {(t.actor, t.episode, t.step) for t in history if t.intervened}
    assert set(sampled(b, corrections=True)) == model(history, capacity) & commanded
    assert b.corrections == len(model(history, capacity) & commanded)


SEEN = ObservationSpec((("code", 4),), (("wrist_1", (31, 31, 3)), ("wrist_2", (31, 31, 3))))
SMALL = make_backbone("small", "random")


def seen(transition: Transition) -> Transition:
    """The same with two cameras, whose first pixels say where a frame belongs."""

    def look(observation):
        images = {name: np.zeros((31, 31, 3), np.uint8) for name, _ in SEEN.images}
        for camera, image in enumerate(images.values()):
            image[0, 0], image[0, 1] = observation["code"][:3], camera
        return observation | images

    final = transition.final_observation
    transition.observation = look(transition.observation)
    transition.final_observation = final and look(final)
    return transition


@settings(deadline=None, max_examples=100)
@given(histories(), st.integers(2, 12), st.integers(2, 4))
def test_any_history_gives_exactly_the_true_stacks(history, capacity, stack):
    config = EncoderConfig(backbone="small", stored_views=0, frame_stack=stack)
    frames = Frames(SEEN, config, SMALL)
    b = ReplayBuffer(capacity, SEEN, 1, np.random.default_rng(0), frames)
    for count, transition in enumerate(history, start=1):
        for arrival in encode([seen(transition)], frames):
            b.add(*arrival)
        assert len(b) == len(model(history[:count], capacity, stack))
    assert set(sampled(b)) == model(history, capacity, stack)
    if len(b) == 0:
        return
    batch = b.sample(100)
    for state, shown in ((batch.state, batch.frames), (batch.next_state, batch.next_frames)):
        for (actor, episode, number, _), cameras in zip(state.int().tolist(), shown, strict=True):
            for camera in (0, 1):
                assert cameras[camera, :, 0, 1].unique().tolist() == [camera]
                steps = stacked(number, stack)
                assert cameras[camera, :, 0, 0].tolist() == [[actor, episode, s] for s in steps]
    following = {(ord(a), e, s + 1) for a, e, s in model(history, capacity, stack)}
    reached = b.sample_next_frames(100)[:, 0, -1, 0, 0].tolist()
    assert {tuple(newest) for newest in reached} <= following
