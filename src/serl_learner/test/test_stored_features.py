"""Stored features against pixels: the same losses, and order and errors of the stage before it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from serl_learner import frames as frames_module
from serl_learner.augmentation import shift_images
from serl_learner.backbone import make_backbone
from serl_learner.compression import Compression
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig
from serl_learner.frames import Frames, FrameStage
from serl_learner.replay import filled_replay
from serl_learner.rlpd import RLPD, RLPDConfig
from serl_learner.transition import ObservationSpec, Transition

IMAGE = (64, 64, 3)
SPEC = ObservationSpec((("pose", 2),), (("wrist_1", IMAGE), ("wrist_2", IMAGE)))
RESNET = make_backbone("resnet10", "random")
COMPRESSION = Compression(512, 64)  # the first channels as they are


def observation(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = {name: rng.integers(0, 256, IMAGE, np.uint8) for name, _ in SPEC.images}
    return {"pose": rng.normal(size=2).astype(np.float32)} | images


def episode(length=6, actor="a", number=0) -> list[Transition]:
    return [
        Transition(
            "agent",
            actor,
            i,
            number,
            i,
            observation(i),
            np.full(2, i / 10, np.float32),
            float(i == length - 1),
            i == length - 1,
            False,
            final_observation=observation(length) if i == length - 1 else None,
        )
        for i in range(length)
    ]


def test_a_view_is_the_backbone_on_the_shifted_image():
    made = Frames(SPEC, EncoderConfig(stored_views=3), RESNET, COMPRESSION, seed=5)
    stored = made.encode([observation(0), observation(1)])
    assert stored.shape == (2, 2, 3, 64, 2, 2) and stored.dtype == torch.float16
    generator = torch.Generator().manual_seed(5)
    offsets = torch.randint(-4, 5, (12, 2), generator=generator)
    images = [observation(o)[name] for o in (0, 1) for name, _ in SPEC.images for _ in range(3)]
    expected = RESNET(shift_images(torch.from_numpy(np.stack(images)), offsets))[:, :64]
    torch.testing.assert_close(stored.flatten(0, 2).float(), expected, rtol=1e-2, atol=1e-2)
    assert len({tuple(o) for o in offsets.tolist()}) > 8  # every camera and view has its own


def test_without_a_shift_views_are_the_image_itself():
    made = Frames(SPEC, EncoderConfig(stored_views=1, shift=0), RESNET, COMPRESSION)
    stored = made.encode([observation(0)])[0, :, 0].float()
    images = np.stack([observation(0)[name] for name, _ in SPEC.images])
    expected = RESNET(torch.from_numpy(images))[:, :64]
    torch.testing.assert_close(stored, expected, rtol=1e-2, atol=1e-2)


def losses(agent: RLPD, batch) -> list[float]:
    encoded = agent.encode(batch)
    critic = agent.critic_loss(encoded, agent.target(encoded))[0].item()
    return [critic, agent.actor_loss(encoded)[0].item()]


def shifted_by_content(frames: Frames, pixels: torch.Tensor) -> torch.Tensor:
    """A shift that the picture decides, so that every path shifts a frame alike."""
    sums = pixels[:, :2, :2].flatten(1).sum(dim=1)
    return shift_images(pixels, torch.stack([sums % 9 - 4, sums // 9 % 9 - 4], dim=1))


def test_stored_features_and_pixels_give_the_same_losses_with_the_same_shifts(monkeypatch):
    monkeypatch.setattr(Frames, "_shifted", shifted_by_content)
    agent = RLPD(
        RLPDConfig(hidden=(16,), ensemble=3), SPEC, 2, 0, EncoderConfig(dropout=0.0), RESNET
    )
    agent.policy.fit([t.observation for t in episode()])
    compression = agent.policy.encoder.compression
    state, found = agent.generator.get_state(), []
    for views in (1, 0):
        made = Frames(SPEC, EncoderConfig(stored_views=views), RESNET, compression)
        batch = filled_replay(episode(), SPEC, 2, np.random.default_rng(7), made).sample(8)
        seen, following = made.augment(batch.frames), made.augment(batch.next_frames)
        agent.generator.set_state(state)
        found.append(losses(agent, replace(batch, frames=seen, next_frames=following)))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_pixels_are_shifted_anew_at_each_use_and_differently_in_each_camera():
    made = Frames(SPEC, EncoderConfig(backbone="small", stored_views=0), None)
    same = torch.randint(0, 256, IMAGE, dtype=torch.uint8)
    frames = same.expand(4, 2, 1, *IMAGE)
    once, again = made.augment(frames), made.augment(frames)
    assert not torch.equal(once, again)
    distinct = {image.numpy().tobytes() for image in once.flatten(0, 2)}
    assert len(distinct) >= 7  # of 8 draws from 81 shifts


def test_the_replay_gives_the_views_of_the_right_frames():
    transitions = episode()
    made = Frames(SPEC, EncoderConfig(stored_views=2), RESNET, COMPRESSION)
    made.encode = lambda observations: torch.stack([tagged(o) for o in observations])

    def tagged(o):
        """Each view says whose it is: the pose, the camera and the view."""
        tag = torch.tensor([[[o["pose"][0], c, v] for v in range(2)] for c in range(2)])
        full = torch.zeros(2, 2, 64 * 4, dtype=torch.float16)
        full[..., :3] = tag
        return full.view(2, 2, 64, 2, 2)

    replay = filled_replay(transitions, SPEC, 2, np.random.default_rng(0), made)
    batch = replay.sample(300)
    for frames, state in ((batch.frames, batch.state), (batch.next_frames, batch.next_state)):
        tags = frames.flatten(2)[..., :3].float()  # (B, cameras, 3): a stack of one
        torch.testing.assert_close(tags[:, :, 0], state[:, :1].half().float().expand(-1, 2))
        assert tags[:, 0, 1].unique().tolist() == [0.0] and tags[:, 1, 1].unique().tolist() == [1.0]
        views = tags[:, :, 2]
        assert views.mean().item() == pytest.approx(0.5, abs=0.1)
        assert (views[:, 0] != views[:, 1]).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert replay.nbytes > replay.capacity * 2 * 2 * 64 * 4 * 2


def test_the_stage_keeps_order_and_hands_final_observations_on():
    made = Frames(SPEC, EncoderConfig(stored_views=1), RESNET, COMPRESSION)
    stage = FrameStage(made)
    sent = episode(4) + episode(3, number=1)
    stage.put(sent[:3])
    stage.put(sent[3:])
    arrived = []
    while stage.pending:
        arrived += stage.get(timeout_s=10.0)
    stage.close()
    assert [t for t, _, _ in arrived] == sent
    assert [final is not None for _, _, final in arrived] == [
        t.final_observation is not None for t in sent
    ]
    assert stage.get(timeout_s=10.0) == []  # nothing on its way: does not wait


def test_an_error_in_the_stage_comes_out_of_it(monkeypatch):
    def broken(transitions, frames):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(frames_module, "encode", broken)
    stage = FrameStage(Frames(SPEC, EncoderConfig(), RESNET, COMPRESSION))
    stage.put(episode(1))
    with pytest.raises(RuntimeError, match="out of memory"):
        stage.get(timeout_s=10.0)
    stage.close()


def test_more_channels_than_there_are_are_refused_before_anything_is_seen():
    message = "^encoder.channels: expected at most the 512 of resnet10, got 513"
    with pytest.raises(ConfigError, match=message):
        Frames(SPEC, EncoderConfig(channels=513), RESNET)


def test_cameras_of_different_sizes_are_refused():
    spec = ObservationSpec((), (("wrist_1", (64, 64, 3)), ("side", (32, 64, 3))))
    with pytest.raises(ConfigError, match="expected images of one size, got wrist_1"):
        Frames(spec, EncoderConfig(), RESNET)
