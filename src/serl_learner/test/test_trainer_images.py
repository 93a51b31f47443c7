"""The trainer where there are images: every path counts alike, keeps pace, and resumes."""

import numpy as np
import pytest
import torch
from point_task import PointActor, demonstrator
from test_trainer import Harness, one_by_one

from serl_learner import classifier
from serl_learner.checkpoint import REWARD_FILE, CheckpointStore
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig
from serl_learner.policy import from_bytes
from serl_learner.vice import ViceConfig, ViceSource, goal_observations

SIZE = 32  # px


def picture(position: np.ndarray) -> np.ndarray:
    """A bright square where the point is, in a picture of [-1.5, 1.5] x [-1.5, 1.5]."""
    image = np.full((SIZE, SIZE, 3), 40, np.uint8)
    row, column = np.round((position + 1.5) / 3.0 * (SIZE - 5)).astype(int)
    image[row : row + 5, column : column + 5] = (250, 200, 60)
    return image


def seen(transition):
    """The same step, seen by a camera instead of measured."""
    transition.observation = {"camera": picture(transition.observation["position"])}
    if transition.final_observation is not None:
        transition.final_observation = {"camera": picture(transition.final_observation["position"])}
    return transition


def demonstrations(episodes=2) -> list:
    rng = np.random.default_rng(0)
    return [seen(t) for t in PointActor(0, "demo").episodes(episodes, demonstrator(rng))]


def transitions(count: int) -> list:
    actor, rng = PointActor(1), np.random.default_rng(1)
    return [seen(actor.act(lambda observation: rng.uniform(-1, 1, 2))) for _ in range(count)]


PATHS = {
    "features": EncoderConfig(stored_views=2),
    "pixels": EncoderConfig(stored_views=0),
    "trained": EncoderConfig(backbone="small", stored_views=0),
    "stacked features": EncoderConfig(stored_views=2, frame_stack=2),
    "stacked pixels": EncoderConfig(stored_views=0, frame_stack=2),
    "stacked, trained": EncoderConfig(backbone="small", stored_views=0, frame_stack=2),
}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_keeps_the_ratio_and_publishes_a_policy_that_sees(path):
    script = one_by_one(transitions(30))
    harness = Harness(script, demonstrations(), encoder=PATHS[path], batch_size=4).run(idle_waits=9)
    last = harness.last
    assert (last.env_steps, last.critic_steps, last.actor_steps) == (30, 20, 5)
    assert np.isfinite([r.critic_loss for r in harness.reports if r.critic_steps]).any()
    first, newest = (from_bytes(harness.published[i].data) for i in (0, -1))
    observation = transitions(1)[0].observation
    assert not np.allclose(first.act(observation, True), newest.act(observation, True))


def test_a_resumed_run_refills_the_replay_with_features(tmp_path):
    store, data = CheckpointStore(tmp_path), transitions(30)
    config = {"encoder": PATHS["features"], "batch_size": 4}
    Harness([data[:25]], demonstrations(), store, **config).run(idle_waits=9)
    resumed = Harness([data], demonstrations(), store, resume=True, **config).run(idle_waits=9)
    assert resumed.last.env_steps == 30
    assert resumed.last.critic_steps == 20
    assert resumed.last.online_size >= 29


def test_a_resumed_run_keeps_its_compression_whatever_the_demonstrations_show(tmp_path):
    store, data = CheckpointStore(tmp_path), transitions(25)
    config = {"encoder": PATHS["features"], "batch_size": 4}
    first = Harness([data], demonstrations(), store, **config).run(idle_waits=9)
    others = demonstrations(episodes=4)[len(demonstrations()) :]
    resumed = Harness([data], others, store, resume=True, **config).run(idle_waits=9)
    before, after = (from_bytes(h.published[-1].data).encoder.compression for h in (first, resumed))
    assert torch.equal(before.components, after.components)
    assert torch.equal(before.mean, after.mean)
    anew = Harness([data], others, **config).run(idle_waits=9)
    fitted = from_bytes(anew.published[-1].data).encoder.compression
    assert not torch.allclose(fitted.components, after.components)


def test_what_this_machine_lacks_is_not_told_of_the_checkpoint(tmp_path):
    store, data = CheckpointStore(tmp_path), transitions(25)
    config = {"encoder": PATHS["features"], "batch_size": 4}
    Harness([data], demonstrations(), store, **config).run(idle_waits=9)
    with pytest.raises(ConfigError, match=r"^replay_capacity: .* transitions need"):
        Harness([], demonstrations(), store, resume=True, replay_capacity=10**10, **config)


def test_without_demonstrations_there_is_nothing_to_choose_channels_by():
    with pytest.raises(ConfigError, match=r"^encoder.channels: .* choose 64 of 512 .*, got none"):
        Harness([transitions(3)], encoder=PATHS["features"]).run()


def test_an_image_of_another_size_is_named():
    data = transitions(3)
    data[1].observation["camera"] = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(ConfigError, match=r"transition 1 of actor: observation camera: expected"):
        Harness(one_by_one(data), demonstrations(), encoder=PATHS["features"]).run()


def vice(published: list) -> ViceSource:
    """Its goals are the demonstrations' ends; keeps the version of each classifier published."""
    config = ViceConfig(period=4, warmup=10)
    goals = goal_observations(demonstrations(episodes=4), "demonstrations")
    return ViceSource(config, goals, lambda model: published.append(model.version))


@pytest.mark.parametrize("path", ["features", "pixels", "stacked features"])
def test_vice_learns_beside_the_policy_and_its_rewards_replace_those_that_came(path):
    published = []
    data = transitions(30)
    for transition in data:
        transition.reward = 7.0  # what came is not learned from
    config = {"encoder": PATHS[path], "batch_size": 4, "vice": vice(published)}
    harness = Harness(one_by_one(data), demonstrations(), **config).run(idle_waits=9)
    last = harness.last
    assert (last.env_steps, last.critic_steps) == (30, 20)
    assert last.reward_version == 10 + 20 // 4
    assert published[0] == 0 and published[-1] >= 10 and sorted(published) == published
    assert np.isfinite([r.reward_loss for r in harness.reports if r.critic_steps]).any()
    batch = harness.trainer._vice.relabel(harness.trainer._sample())
    assert set(batch.reward.tolist()) <= {0.0, 1.0}
    assert torch.equal(batch.mask, 1.0 - batch.reward)


def test_a_resumed_run_keeps_its_classifier(tmp_path):
    store, data, published = CheckpointStore(tmp_path), transitions(30), []
    config = {"encoder": PATHS["features"], "batch_size": 4, "vice": vice(published)}
    first = Harness([data[:25]], demonstrations(), store, **config).run(idle_waits=9)
    kept = first.trainer._vice
    resumed = Harness([], demonstrations(), store, resume=True, **config)
    assert resumed.trainer._vice.classifier.version == kept.classifier.version == 10 + 10 // 4 + 1
    state = kept.classifier.state_dict()
    for name, value in resumed.trainer._vice.classifier.state_dict().items():
        assert torch.equal(value, state[name])
    file = store.latest().path / REWARD_FILE
    judge, _ = classifier.from_bytes(file.read_bytes())  # what evaluation judges by
    seen_now = transitions(1)[0].observation
    assert judge.probability(seen_now) == pytest.approx(
        kept.classifier.probability(seen_now), abs=1e-5
    )
