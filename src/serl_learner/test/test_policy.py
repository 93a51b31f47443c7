"""The policy: its density, how it acts, and its bytes."""

import math

import numpy as np
import pytest
import torch
from torch import distributions as dist

from serl_learner.backbone import make_backbone, save_backbone
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig, arrange
from serl_learner.frames import Frames
from serl_learner.policy import Policy, from_bytes, tanh_gaussian, to_bytes
from serl_learner.transition import ObservationSpec

SPEC = ObservationSpec((("pose", 3), ("force", 2)))
OBSERVATION = {"pose": np.array([0.1, 0.2, 0.3], np.float32), "force": np.ones(2, np.float32)}


def policy(seed=0) -> Policy:
    torch.manual_seed(seed)
    made = Policy(SPEC, 2, hidden=(16, 16))
    made.normalizer.fit(torch.randn(50, 5))
    return made


def test_log_density_is_that_of_torch():
    torch.manual_seed(0)
    mean, std, noise = torch.randn(9, 2), torch.rand(9, 2) + 0.1, torch.randn(9, 2)
    action, log_prob = tanh_gaussian(mean, std, noise)
    reference = dist.TransformedDistribution(
        dist.Independent(dist.Normal(mean, std), 1), dist.TanhTransform()
    )
    torch.testing.assert_close(log_prob, reference.log_prob(action), rtol=1e-4, atol=1e-4)


def test_density_integrates_to_one():
    mean, std = torch.tensor([[0.4]]).double(), torch.tensor([[0.7]]).double()
    grid = torch.linspace(-1, 1, 20_001, dtype=torch.float64)[1:-1, None]
    action, log_prob = tanh_gaussian(mean, std, (torch.atanh(grid) - mean) / std)
    torch.testing.assert_close(action, grid)
    assert torch.trapezoid(log_prob.exp(), grid[:, 0]).item() == pytest.approx(1.0, abs=1e-6)


def test_log_density_is_finite_far_out():
    _, log_prob = tanh_gaussian(torch.tensor([[50.0]]), torch.tensor([[1e-5]]), torch.zeros(1, 1))
    # -log std - log(2 pi) / 2 - log(1 - tanh(50)^2), the last term being 100 - log 4
    expected = -math.log(1e-5) - 0.5 * math.log(2 * math.pi) + 100 - math.log(4)
    assert log_prob.item() == pytest.approx(expected, rel=1e-6)


def test_deterministic_action_is_the_mode():
    acting = policy()
    state = torch.from_numpy(SPEC.flatten(OBSERVATION))
    mean, _ = acting.actor(acting.normalizer(state))
    action = acting.act(OBSERVATION, deterministic=True)
    assert action.dtype == np.float32 and action.shape == (2,)
    np.testing.assert_allclose(action, torch.tanh(mean).detach(), rtol=1e-6)
    np.testing.assert_array_equal(action, acting.act(OBSERVATION, deterministic=True))


def test_stochastic_actions_have_the_spread_of_the_policy():
    acting = policy()
    state = torch.from_numpy(SPEC.flatten(OBSERVATION))
    mean, std = acting.actor(acting.normalizer(state))
    torch.manual_seed(1)
    actions = np.stack([acting.act(OBSERVATION, deterministic=False) for _ in range(2000)])
    assert np.abs(actions).max() <= 1.0
    u = np.arctanh(actions.clip(-1 + 1e-7, 1 - 1e-7))
    np.testing.assert_allclose(u.mean(axis=0), mean.detach(), atol=4 * std.max().item() / 2000**0.5)
    np.testing.assert_allclose(u.std(axis=0), std.detach(), rtol=0.08)


def test_bytes_round_trip():
    original = policy()
    copy = from_bytes(to_bytes(original))
    assert (copy.spec, copy.action_size, copy.hidden) == (SPEC, 2, (16, 16))
    assert copy.std_range == original.std_range
    np.testing.assert_array_equal(copy.act(OBSERVATION, True), original.act(OBSERVATION, True))


def _rewritten(data: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new) and old in data
    return data.replace(old, new)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a policy at all",
        lambda data: data[:-7],
        lambda data: data[: len(data) // 2],
        lambda data: b"\xff" * 8 + data[8:],
        lambda data: _rewritten(data, b"actor.mean.bias", b"actor.mean.bios"),
        lambda data: _rewritten(data, b'\\"pose\\", 3', b'\\"pose\\", 4'),
        lambda data: _rewritten(data, b'"network"', b'"netwerk"'),
        lambda data: _rewritten(data, b'\\"hidden\\": [16', b'\\"hidden\\": [-6'),
    ],
)
def test_other_bytes_are_refused_in_one_line(damage):
    with pytest.raises(ValueError, match=r"^policy of \d+ bytes: not a policy of serl: .") as error:
        from_bytes(damage(to_bytes(policy())))
    assert "\n" not in str(error.value)


SEEING = ObservationSpec((("pose", 3),), (("wrist_1", (64, 64, 3)),))
PAIR = ObservationSpec(SEEING.vectors, (("wrist_1", (64, 64, 3)), ("wrist_2", (64, 64, 3))))
SEEN = {
    "pose": np.array([0.1, 0.2, 0.3], np.float32),
    "wrist_1": np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8),
}


def seeing_policy(backbone="resnet10", spec=SEEING, **encoder) -> Policy:
    config = EncoderConfig(backbone=backbone, bottleneck=16, **encoder)
    return Policy(
        spec, 2, (16,), (1e-5, 5.0), config, make_backbone(backbone, "random").accelerate()
    )


def test_images_need_a_backbone():
    with pytest.raises(ConfigError, match="policy: expected a backbone for images wrist_1"):
        Policy(SEEING, 2)


def test_a_frozen_backbone_does_not_cross_the_wire():
    acting = seeing_policy()
    data = to_bytes(acting)
    assert len(data) < 4_000_000 < 4 * sum(p.numel() for p in acting.backbone.parameters())
    copy = from_bytes(data)
    np.testing.assert_array_equal(copy.act(SEEN, True), acting.act(SEEN, True))
    darker = SEEN | {"wrist_1": SEEN["wrist_1"] // 2}
    assert not np.allclose(copy.act(darker, True), copy.act(SEEN, True))
    assert from_bytes(data).backbone is copy.backbone  # loaded once in a process


def test_a_trained_backbone_comes_with_the_policy():
    acting = seeing_policy("small", stored_views=0)
    with torch.no_grad():
        acting.encoder.backbone.network[0].weight.mul_(2.0)
    copy = from_bytes(to_bytes(acting))
    other = from_bytes(to_bytes(seeing_policy("small", stored_views=0)))
    np.testing.assert_array_equal(copy.act(SEEN, True), acting.act(SEEN, True))
    assert copy.backbone is not other.backbone


@pytest.mark.parametrize(("backbone", "views"), [("resnet10", 1), ("small", 0)])
def test_a_stack_is_of_the_episode_s_newest_frames_as_the_replay_has_it(backbone, views):
    options = {"stored_views": views, "frame_stack": 3, "dropout": 0.0, "shift": 0}
    acting = seeing_policy(backbone, PAIR, **options)
    frames = Frames(PAIR, acting.encoder_config, acting.backbone, acting.encoder.compression)
    image = SEEN["wrist_1"]
    seen = [SEEN | {"wrist_1": image // (i + 1), "wrist_2": image * (i + 2)} for i in range(5)]
    stored = frames.encode(seen)[:, :, 0]  # (5, cameras, ...)
    state = torch.from_numpy(PAIR.flatten(SEEN))[None]
    replaced = from_bytes(to_bytes(acting))
    for _ in range(2):
        acting.begin_episode()
        for step in range(5):
            if step == 3:  # the learner has sent another one
                replaced.go_on_from(acting)
                acting, replaced = replaced, acting
            stack = stored[[max(0, step - 2), max(0, step - 1), step]].transpose(0, 1)[None]
            expected = acting.actor(acting.encoder(state, arrange(stack)))[0].tanh()[0]
            action = acting.act(seen[step], True)
            np.testing.assert_allclose(action, expected.detach(), atol=1e-3)


def test_a_policy_of_other_features_is_refused_in_one_line(tmp_path):
    other = make_backbone("resnet10", "random")
    other.network.conv_init.weight.data.mul_(2.0)
    path = tmp_path / "other.safetensors"
    save_backbone(other, path)
    acting = seeing_policy(weights=str(path))
    acting._backbone = (make_backbone("resnet10", str(path)),)
    data = to_bytes(acting)
    save_backbone(make_backbone("resnet10", "random"), path)  # somebody has replaced the file
    expected = r"^encoder.weights: .* gives resnet10 \w{12}, expected \w{12}, with which [^\n]*$"
    with pytest.raises(ConfigError, match=expected):
        from_bytes(data)


def test_what_is_measured_of_demonstrations_crosses_the_wire():
    rng = np.random.default_rng(0)
    acting = seeing_policy(channels=3)
    shown = [
        {"pose": rng.normal(size=3).astype(np.float32), "wrist_1": SEEN["wrist_1"] // (i + 1)}
        for i in range(4)
    ]
    acting.fit(shown)
    np.testing.assert_allclose(
        acting.normalizer.mean, np.mean([o["pose"] for o in shown], axis=0), atol=1e-6
    )
    features = torch.cat([acting.look(o) for o in shown], dim=1)  # (3, 4, 2 * 2)
    torch.testing.assert_close(features.mean(dim=(1, 2)), torch.zeros(3), atol=1e-3, rtol=0)
    assert features.square().mean().item() == pytest.approx(1.0, rel=0.1)
    copy = from_bytes(to_bytes(acting))
    np.testing.assert_array_equal(copy.act(SEEN, True), acting.act(SEEN, True))
    unfitted = seeing_policy(channels=3)
    unfitted.actor, unfitted.encoder.heads = acting.actor, acting.encoder.heads
    assert not np.allclose(unfitted.act(SEEN, True), acting.act(SEEN, True))
