"""The heads over a backbone's features, against the formulas written out, and what they train."""

import pytest
import torch
from torch.nn import functional as F

from serl_learner.backbone import make_backbone
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig, ObservationEncoder, arrange
from serl_learner.transition import ObservationSpec

IMAGE = (64, 64, 3)
SPEC = ObservationSpec((("pose", 6),), (("wrist_1", IMAGE), ("wrist_2", IMAGE)))
SMALL = EncoderConfig(channels=512, bottleneck=5, embeddings=2, proprioception=4)


def encoder(config=SMALL, spec=SPEC, name="resnet10") -> ObservationEncoder:
    torch.manual_seed(0)
    return ObservationEncoder(spec, config, make_backbone(name, "random"))


def features(batch=3, shape=(512, 2, 2)) -> torch.Tensor:
    return torch.randn(batch, 2, *shape, generator=torch.Generator().manual_seed(1))


def test_arranged_features_have_a_matrix_for_each_channel_of_each_camera():
    given = features()
    arranged = arrange(given.half())
    assert arranged.dtype == torch.float32
    for sample, camera, channel in ((0, 0, 0), (2, 1, 7), (1, 0, 511)):
        expected = given[sample, camera, channel].flatten().half().float()
        torch.testing.assert_close(arranged[camera * 512 + channel, sample], expected)


def test_arranged_stacks_have_the_channels_of_a_frame_together():
    given = torch.randn(3, 2, 4, 5, 2, 2)  # samples, cameras, frames, channels
    arranged = arrange(given)
    for sample, camera, frame, channel in ((0, 0, 1, 0), (2, 1, 3, 4), (1, 1, 0, 2)):
        row = (camera * 4 + frame) * 5 + channel
        expected = given[sample, camera, frame, channel].flatten()
        torch.testing.assert_close(arranged[row, sample], expected)


def test_each_camera_has_embeddings_and_bottleneck_of_its_own():
    made, given, pose = encoder(), features(), torch.randn(3, 6)
    encoding = made(pose, arrange(given))
    assert encoding.shape == (3, made.size) and made.size == 2 * 5 + 4
    heads = made.heads
    for camera in range(2):
        kernel = heads.kernel.view(2, 512, 2, 4)[camera]  # channel, embedding, position
        embedded = torch.einsum("bcp,ckp->bck", given[:, camera].flatten(2), kernel).flatten(1)
        linear = embedded @ heads.bottleneck.weight[camera] + heads.bottleneck.bias[camera]
        expected = torch.tanh(F.layer_norm(linear, (5,)))  # the affine starts as the identity
        torch.testing.assert_close(encoding[:, camera * 5 : (camera + 1) * 5], expected)
    linear = F.linear(pose, made.proprioception[0].weight)
    torch.testing.assert_close(encoding[:, 10:], torch.tanh(F.layer_norm(linear, (4,))))


def test_dropout_needs_a_source_and_keeps_the_mean():
    made = encoder(EncoderConfig(channels=512, dropout=0.1, bottleneck=5))
    seen, pose = arrange(features()), torch.zeros(3, 6)
    torch.testing.assert_close(made(pose, seen), made(pose, seen))
    kept = []  # what reaches the bottleneck
    made.heads.bottleneck.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    made(pose, torch.ones_like(seen))
    made(pose, torch.ones_like(seen), dropout=torch.Generator().manual_seed(0))
    plain, dropped = kept[0], kept[-1]
    share = (dropped == 0).float().mean().item()
    assert share == pytest.approx(26 / 256, abs=0.01)
    survivors = dropped != 0
    torch.testing.assert_close(dropped[survivors], plain[survivors] / (1 - 26 / 256))


def test_vectors_alone_are_normalised_and_nothing_is_learned():
    spec = ObservationSpec((("pose", 6),))
    made = ObservationEncoder(spec, SMALL, None)
    made.normalizer.fit(torch.randn(40, 6))
    state = torch.randn(3, 6)
    torch.testing.assert_close(made(state, torch.empty(0)), made.normalizer(state))
    assert list(made.parameters()) == [] and made.size == 6


def test_images_alone_are_enough():
    made = encoder(spec=ObservationSpec((), SPEC.images))
    assert made(torch.empty(3, 0), arrange(features())).shape == (3, 10)


def test_a_trained_backbone_is_part_of_the_encoder_a_frozen_one_is_not():
    config = EncoderConfig(backbone="small", stored_views=0, bottleneck=5)
    trained = encoder(config, name="small")
    pixels = torch.randint(0, 256, (3, 2, 1, *IMAGE), dtype=torch.uint8)
    trained(torch.randn(3, 6), pixels).square().sum().backward()
    gradients = [p.grad for p in trained.backbone.parameters()]
    assert gradients and all(g is not None and g.abs().sum() > 0 for g in gradients)
    assert not any(name.startswith("backbone") for name in encoder().state_dict())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"stored_views": -1}, "stored_views: expected at least 0, got -1"),
        ({"shift": -1}, "shift: expected at least 0, got -1"),
        ({"dropout": 1.0}, "dropout: expected 0 to below 1, got 1.0"),
        ({"channels": 0}, "channels: expected at least 1, got 0"),
        ({"frame_stack": 0}, "frame_stack: expected at least 1, got 0"),
        ({"bottleneck": 0}, "bottleneck: expected at least 1, got 0"),
        ({"backbone": "small"}, "stored_views: expected 0 with a backbone that is trained, got 2"),
    ],
)
def test_configuration_out_of_range_is_refused(config, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        EncoderConfig(**config)
