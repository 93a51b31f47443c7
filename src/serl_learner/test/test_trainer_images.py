"""The trainer where there are images: every path counts alike, keeps pace, and resumes."""

import numpy as np
import pytest
import torch
from point_task import PointActor, demonstrator
from test_trainer import Harness, one_by_one

from serl_learner.checkpoint import CheckpointStore
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig
from serl_learner.policy import from_bytes

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
