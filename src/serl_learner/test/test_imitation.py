"""Imitation by hand: its loss, how it fades, and what it trains."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from test_rlpd import (
    TEMPERATURE,
    agent,
    batch,
    constant_critic,
    constant_policy,
    pictures,
    raw,
    seeing_agent,
)


def test_imitation_adds_the_distance_to_what_was_demonstrated():
    rlpd = agent(imitation=3.0)
    constant_critic(rlpd.critic, [0.0] * 4)
    constant_policy(rlpd.policy, [0.0, math.atanh(0.5)], [1e-5, 1e-5])
    made = replace(
        batch(),
        action=torch.tensor([[0.2, 0.1], [0.9, 0.9]]),
        demonstrated=torch.tensor([1.0, 0.0]),
    )
    loss, info = rlpd.actor_loss(made)
    # (0.2 - 0)^2 + (0.1 - 0.5)^2 of the first alone, which is one of two
    imitated = loss.item() + TEMPERATURE * info["entropy"].item()
    assert imitated == pytest.approx(3.0 * (0.04 + 0.16) / 2, abs=1e-3)


def test_imitation_narrows_the_policy():
    spreads = []
    for std in (0.1, 0.4):
        rlpd = agent(imitation=1.0)
        constant_critic(rlpd.critic, [0.0] * 4)
        constant_policy(rlpd.policy, [0.0, 0.0], [std, std])
        big = batch(size=4000, reward=[0.0] * 4000, mask=[1.0] * 4000)
        big = replace(big, action=torch.zeros(4000, 2), demonstrated=torch.ones(4000))
        loss, info = rlpd.actor_loss(big)
        spreads.append(loss.item() + TEMPERATURE * info["entropy"].item())
    assert spreads[0] == pytest.approx(2 * 0.1**2, rel=0.1)  # variance of two elements
    assert spreads[1] > 8 * spreads[0]


def test_imitation_fades_and_a_resumed_agent_knows_how_far():
    rlpd = agent(imitation=2.0, imitation_steps=4)
    weights = [rlpd._imitation().item()]
    for _ in range(5):
        rlpd.update(raw(), with_actor=False)
        weights.append(rlpd._imitation().item())
    assert weights == [2.0, 1.5, 1.0, 0.5, 0.0, 0.0]
    other = agent(imitation=2.0, imitation_steps=8)
    other.load_state(rlpd.state())
    assert other._imitation().item() == 2.0 * 3 / 8


def test_without_prior_data_there_is_nothing_to_imitate():
    losses = [agent(imitation=weight).actor_loss(batch())[0] for weight in (0.0, 2.0)]
    assert torch.equal(*losses)


def test_imitation_trains_the_encoder_but_neither_critic_nor_actor():
    seen = []
    for weight in (0.0, 5.0):
        rlpd = seeing_agent(imitation=weight)
        shown = replace(pictures(), demonstrated=torch.ones(2))
        actor = copy.deepcopy(rlpd.policy.actor.state_dict())
        rlpd.update_critic(rlpd.encode(shown))
        for name, value in rlpd.policy.actor.state_dict().items():
            assert torch.equal(value, actor[name])
        encoder = torch.cat([p.grad.flatten() for p in rlpd.policy.encoder.parameters()])
        critic = torch.cat([p.grad.flatten() for p in rlpd.critic.parameters()])
        seen.append((encoder, critic))
    (encoder, critic), (imitating_encoder, same_critic) = seen
    torch.testing.assert_close(same_critic, critic)
    assert (imitating_encoder - encoder).norm() > 0.1 * encoder.norm()
