"""RLPD by hand: targets, losses, which network each loss trains, and the state that resumes it."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from serl_learner.backbone import make_backbone
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig
from serl_learner.replay import Batch
from serl_learner.rlpd import RLPD, Encoded, NonFiniteLoss, RLPDConfig
from serl_learner.transition import ObservationSpec

SPEC = ObservationSpec((("state", 3),))
ACTIONS = 2
TEMPERATURE = 0.5


def agent(**config) -> RLPD:
    defaults = {"hidden": (8,), "ensemble": 4, "initial_temperature": TEMPERATURE}
    return RLPD(RLPDConfig(**(defaults | config)), SPEC, ACTIONS, seed=0)


def constant_critic(critic, values) -> None:
    """Makes every member of an ensemble return its own constant."""
    critic.value.weight.data.zero_()
    critic.value.bias.data[:, 0, 0] = torch.tensor(values)


def constant_policy(policy, mean, std) -> None:
    """Makes the Gaussian under the tanh the same in every state."""
    for head, values in (
        (policy.actor.mean, mean),
        (policy.actor.log_std, torch.tensor(std).log()),
    ):
        head.weight.data.zero_()
        head.bias.data = torch.as_tensor(values, dtype=torch.float32)


def batch(size=2, reward=(0.0, 1.0), mask=(1.0, 0.0), seed=0) -> Encoded:
    generator = torch.Generator().manual_seed(seed)
    state, following = torch.randn(2, size, 3, generator=generator)
    action = torch.rand(size, ACTIONS, generator=generator) * 2 - 1
    return Encoded(state, action, torch.tensor(reward), torch.tensor(mask), following)


def raw(seed=0) -> Batch:
    """What the replay gives: states instead of encodings."""
    b = batch(seed=seed)
    return Batch(b.encoding, b.action, b.reward, b.mask, b.next_encoding)


def test_target_is_the_minimum_of_the_drawn_members_with_mask_and_discount():
    rlpd = agent(subset=4, discount=0.9)
    constant_critic(rlpd.target_critic, [0.5, 0.2, 0.7, 0.4])
    # (0 + 0.9 * 1 * 0.2, 1 + 0.9 * 0 * 0.2)
    torch.testing.assert_close(rlpd.target(batch()), torch.tensor([0.18, 1.0]))


def test_target_discounts_the_value_by_the_steps_before_it():
    rlpd = agent(subset=4, discount=0.5)
    constant_critic(rlpd.target_critic, [0.8] * 4)
    several = replace(batch(mask=(1.0, 1.0)), steps=torch.tensor([3.0, 1.0]))
    # 0 + 0.125 * 0.8, 1 + 0.5 * 0.8
    torch.testing.assert_close(rlpd.target(several), torch.tensor([0.1, 1.4]))


def test_target_draws_its_members_without_replacement():
    rlpd = agent(subset=2, discount=1.0)
    constant_critic(rlpd.target_critic, [0.0, 1.0, 2.0, 3.0])
    minima = [rlpd.target(batch(reward=(0.0, 0.0)))[0].item() for _ in range(600)]
    # Of the 6 pairs, 3 have the minimum 0, 2 have 1, 1 has 2. With replacement 3 would appear.
    shares = [minima.count(float(value)) / 600 for value in range(4)]
    assert shares == pytest.approx([3 / 6, 2 / 6, 1 / 6, 0.0], abs=0.07)


def test_target_is_clamped_to_the_known_returns():
    rlpd = agent(subset=4, discount=1.0, return_range=(0.0, 1.0))
    constant_critic(rlpd.target_critic, [1.7, 1.8, 1.9, 2.0])
    assert rlpd.target(batch()).tolist() == [1.0, 1.0]
    constant_critic(rlpd.target_critic, [-1.7] * 4)
    assert rlpd.target(batch()).tolist() == [0.0, 1.0]


def test_backup_entropy_is_discounted_and_masked():
    rlpd = agent(subset=4, discount=0.9, backup_entropy=True, std_range=(1e-5, 5.0))
    constant_critic(rlpd.target_critic, [0.2] * 4)
    constant_policy(rlpd.policy, [0.3, -0.6], [0.5, 0.8])
    noise = torch.randn(2, 2, generator=torch.Generator().manual_seed(0))
    u = torch.tensor([0.3, -0.6]) + torch.tensor([0.5, 0.8]) * noise
    log_normal = torch.distributions.Normal(
        torch.tensor([0.3, -0.6]), torch.tensor([0.5, 0.8])
    ).log_prob(u)
    log_prob = (log_normal - torch.log(1 - torch.tanh(u).square())).sum(dim=-1)
    expected = torch.tensor([0.9 * (0.2 - TEMPERATURE * log_prob[0].item()), 1.0])
    torch.testing.assert_close(rlpd.target(batch()), expected, rtol=1e-4, atol=1e-5)


def test_critic_loss_is_the_mean_over_ensemble_and_batch():
    rlpd = agent()
    constant_critic(rlpd.critic, [0.0, 1.0, 2.0, 3.0])
    loss, info = rlpd.critic_loss(batch(), torch.tensor([0.0, 1.0]))
    # errors of the members to target 0: 0 1 4 9; to target 1: 1 0 1 4
    assert loss.item() == pytest.approx((14 + 6) / 8)
    assert {k: v.item() for k, v in info.items()} == pytest.approx(
        {"critic_loss": 2.5, "q_mean": 1.5}
    )


def test_actor_loss_takes_the_mean_over_all_members():
    rlpd = agent()
    constant_critic(rlpd.critic, [0.0, 1.0, 2.0, 5.0])
    loss, info = rlpd.actor_loss(batch())
    assert loss.item() == pytest.approx(-TEMPERATURE * info["entropy"].item() - 2.0, rel=1e-5)


def test_entropy_of_a_narrow_policy_is_that_of_the_gaussian_through_the_tanh():
    rlpd = agent()
    constant_policy(rlpd.policy, [0.0, 0.0], [0.01, 0.02])
    big = batch(size=4000, reward=[0.0] * 4000, mask=[1.0] * 4000)
    entropy = rlpd.actor_loss(big)[1]["entropy"].item()
    gaussian = sum(0.5 * math.log(2 * math.pi * math.e * std**2) for std in (0.01, 0.02))
    assert entropy == pytest.approx(gaussian, abs=0.05)  # tanh is the identity near 0


def test_temperature_starts_and_moves_as_it_should():
    rlpd = agent()
    assert rlpd.temperature.item() == pytest.approx(TEMPERATURE)
    assert rlpd.target_entropy == -1.0  # half of two actions
    loss, _ = rlpd.temperature_loss(entropy=-3.0)
    assert loss.item() == pytest.approx(TEMPERATURE * (-3.0 + 1.0))
    rlpd._step("temperature", loss)  # too little entropy
    assert rlpd.temperature.item() > TEMPERATURE
    for _ in range(2):
        rlpd._step("temperature", rlpd.temperature_loss(entropy=5.0)[0])
    assert rlpd.temperature.item() < TEMPERATURE


def changed(before: RLPD, after: RLPD) -> set[str]:
    """Which parts of the agent an update moved."""
    pairs = zip(before.named_parameters(), after.named_parameters(), strict=True)
    return {name.split(".")[0] for (name, old), (_, new) in pairs if not torch.equal(old, new)}


def test_each_step_moves_its_own_networks_only():
    rlpd = agent()
    before = copy.deepcopy(rlpd)
    rlpd.update_critic(batch())
    assert changed(before, rlpd) == {"critic", "target_critic"}
    before = copy.deepcopy(rlpd)
    rlpd.update_actor(batch())
    assert changed(before, rlpd) == {"policy", "raw_temperature"}
    # Adam's momentum must not go on moving a network that has no gradient.
    before = copy.deepcopy(rlpd)
    rlpd.update_critic(batch())
    assert changed(before, rlpd) == {"critic", "target_critic"}


def test_first_critic_step_is_adam_on_the_loss():
    rlpd = agent(learning_rate=1e-3)
    reference = copy.deepcopy(rlpd)
    loss, _ = reference.critic_loss(batch(), reference.target(batch()))
    gradient = torch.autograd.grad(loss, reference.critic.value.bias)[0]
    rlpd.update_critic(batch())
    # Adam's first step is the learning rate times the sign of the gradient.
    expected = reference.critic.value.bias - 1e-3 * gradient.sign()
    torch.testing.assert_close(rlpd.critic.value.bias, expected)


def test_target_critic_follows_slowly():
    rlpd = agent(target_update_rate=0.25)
    old = copy.deepcopy(rlpd.target_critic)
    rlpd.update_critic(batch())
    parameters = (rlpd.target_critic.parameters(), old.parameters(), rlpd.critic.parameters())
    for target, before, online in zip(*parameters, strict=True):
        torch.testing.assert_close(target, 0.75 * before + 0.25 * online)


def test_actor_climbs_the_critic():
    rlpd = agent(learning_rate=1e-2, initial_temperature=1e-4)
    states = batch(size=64, reward=[0.0] * 64, mask=[1.0] * 64)

    def value() -> float:
        mean, _ = rlpd.policy.actor(states.encoding)
        return rlpd.critic(states.encoding, torch.tanh(mean)).mean().item()

    before = value()
    for _ in range(50):
        rlpd.update_actor(states)
    assert value() > before + 0.05


@pytest.mark.parametrize("part", ["critic", "actor"])
def test_a_loss_that_is_not_finite_stops_before_the_update(part):
    rlpd = agent()
    bad = batch(reward=(math.nan, 0.0))
    if part == "actor":
        bad = batch()
        bad.encoding[0, 0] = math.nan
    before = copy.deepcopy(rlpd)
    figures = rlpd.update_critic(bad) if part == "critic" else rlpd.update_actor(bad)
    assert changed(before, rlpd) <= {"raw_temperature"}
    with pytest.raises(NonFiniteLoss, match=f"^{part} loss is nan at critic step 0"):
        rlpd.count_update(figures, part == "actor")
    assert (rlpd.critic_steps, rlpd.actor_steps) == (0, 0)


def test_state_resumes_exactly():
    first = agent()
    for seed in range(4):
        first.update(raw(seed), with_actor=True)
    second = RLPD(first.config, SPEC, ACTIONS, seed=99)
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()})
    for rlpd in (first, second):
        rlpd.update(raw(7), with_actor=True)
    for (name, one), (_, other) in zip(first.state().items(), second.state().items(), strict=True):
        assert torch.equal(one, other), name
    assert second.critic_steps == 5 and second.actor_steps == 5


def test_an_update_encodes_once_then_steps_critic_and_actor():
    one, other = agent(), agent()
    for rlpd in (one, other):
        rlpd.policy.normalizer.fit(torch.randn(50, 3, generator=torch.Generator().manual_seed(1)))
    sampled = raw()
    info = one.update(sampled, with_actor=True)
    encoded = other.encode(sampled)
    torch.testing.assert_close(encoded.encoding, other.policy.normalizer(sampled.state))
    torch.testing.assert_close(encoded.next_encoding, other.policy.normalizer(sampled.next_state))
    expected = other.update_critic(encoded) | other.update_actor(encoded)
    assert info == {name: value.item() for name, value in expected.items()}
    assert changed(one, other) == set()
    assert "actor_loss" not in one.update(sampled, with_actor=False)
    assert (one.critic_steps, one.actor_steps) == (2, 1)


def test_seed_decides_the_networks_and_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, other = agent(), agent()
    assert torch.rand(1) == expected
    assert changed(one, other) == set()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"discount": 1.5}, "discount: expected 0 to 1, got 1.5"),
        ({"n_step": 0}, "n_step: expected at least 1, got 0"),
        ({"imitation": -1.0}, "imitation: expected at least 0, got -1.0"),
        ({"subset": 11}, "subset: expected 1 to ensemble, got 11"),
        ({"hidden": ()}, "hidden: expected sizes"),
        ({"std_range": (1.0, 0.5)}, "std_range: expected 0 < low < high"),
        ({"learning_rate": 0.0}, "learning_rate: expected above 0"),
        ({"return_range": (1.0, 0.0)}, "return_range: expected low < high"),
        ({"return_range": (0.0, 1.0), "backup_entropy": True}, "return_range: expected no backup"),
    ],
)
def test_configuration_out_of_range_is_refused(config, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        RLPDConfig(**config)


def seeing_agent(**config) -> RLPD:
    spec = ObservationSpec((), (("wrist_1", (64, 64, 3)),))
    encoder = EncoderConfig(backbone="small", stored_views=0)
    backbone = make_backbone("small", "random")
    return RLPD(RLPDConfig(hidden=(8,), **config), spec, ACTIONS, 0, encoder, backbone)


def pictures() -> Batch:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(  # and the next
        0, 256, (2, 2, 1, 1, 64, 64, 3), dtype=torch.uint8, generator=generator
    )
    nothing = torch.empty(2, 0)
    return replace(
        raw(), state=nothing, next_state=nothing, frames=frames[0], next_frames=frames[1]
    )


def test_gradients_have_the_layout_of_their_parameters():
    # What a GPU's fused optimiser asks for. Those of convolutions come with the channels last.
    rlpd = seeing_agent()
    rlpd.update(pictures(), False)
    for parameter in rlpd.policy.encoder.backbone.parameters():
        assert parameter.grad.stride() == parameter.stride()


def test_a_state_from_another_device_brings_everything_but_its_generator():
    one, other = agent(), agent()
    one.update(raw(), True)
    before = other.generator.get_state()
    other.load_state(one.state() | {"generator": torch.zeros(16, dtype=torch.uint8)})  # a GPU's
    assert torch.equal(other.generator.get_state(), before)
    assert other.critic_steps == 1
    for mine, its in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, its)
