"""Behaviour cloning fits an expert, also one that moves at full speed."""

import numpy as np
import pytest
import torch

from serl_learner.bc import BCConfig, bc_loss, train_bc
from serl_learner.config import ConfigError
from serl_learner.policy import Policy, from_bytes, to_bytes
from serl_learner.rlpd import NonFiniteLoss
from serl_learner.transition import ObservationSpec, Transition

GAIN = np.array([[1.5, 0.0], [0.5, -1.0]], np.float32)
CONFIG = BCConfig(steps=600, batch_size=64, learning_rate=1e-3, hidden=(32, 32))


def expert(position: np.ndarray) -> np.ndarray:
    """Linear, and at full speed where that leaves [-1, 1]."""
    return np.clip(GAIN @ position, -1.0, 1.0)


def demonstrations(count=400) -> list[Transition]:
    rng = np.random.default_rng(0)
    positions = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
    return [
        Transition("agent", "demo", i, 0, i, {"position": p}, expert(p), 0.0, False, False)
        for i, p in enumerate(positions)
    ]


def test_fits_a_linear_expert():
    policy = train_bc(demonstrations(), CONFIG, seed=0)
    tests = np.random.default_rng(1).uniform(-1, 1, (100, 2)).astype(np.float32)
    errors = [policy.act({"position": p}, deterministic=True) - expert(p) for p in tests]
    assert np.sqrt(np.mean(np.square(errors))) < 0.06
    copy = from_bytes(to_bytes(policy))
    np.testing.assert_array_equal(
        copy.act({"position": tests[0]}, True), policy.act({"position": tests[0]}, True)
    )


def test_a_discrete_gripper_does_what_was_done_most_often():
    """Six times of ten it closes on the right; the mean there, -0.6 + 0.4 = -0.2, closes never."""
    rng = np.random.default_rng(2)
    shown = demonstrations()
    for transition in shown:
        right = transition.observation["position"][0] > 0
        gripper = (-1.0 if rng.random() < 0.6 else 1.0) if right else 0.0
        transition.action = np.append(transition.action, np.float32(gripper))
    policy = train_bc(shown, CONFIG, seed=0, discrete_gripper=True)
    for position, expected in (([0.5, 0.2], -1.0), ([-0.5, 0.2], 0.0)):
        position = np.array(position, np.float32)
        action = policy.act({"position": position}, deterministic=True)
        assert action[-1] == expected
        np.testing.assert_allclose(action[:-1], expert(position), atol=0.2)


def test_same_seed_gives_the_same_policy():
    config = BCConfig(steps=5, batch_size=8, hidden=(8,))
    first, second = (train_bc(demonstrations(20), config, seed=3) for _ in range(2))
    expected, got = first.state_dict(), second.state_dict()
    assert expected.keys() == got.keys()
    for name in expected:
        assert torch.equal(expected[name], got[name]), name


def test_loss_is_the_gaussian_negative_log_likelihood():
    policy = Policy(ObservationSpec((("position", 2),)), 2, hidden=(8,))
    for head in (policy.actor.mean, policy.actor.log_std):
        head.weight.data.zero_()
    policy.actor.mean.bias.data = torch.tensor([0.5, -0.5])
    policy.actor.log_std.bias.data = torch.tensor([0.2, 0.3]).log()
    actions = torch.tensor([[1.0, 0.0], [0.3, -1.0]])
    normal = torch.distributions.Normal(
        torch.tanh(torch.tensor([0.5, -0.5])), torch.tensor([0.2, 0.3])
    )
    expected = -normal.log_prob(actions).sum(dim=-1).mean()
    torch.testing.assert_close(bc_loss(policy, torch.randn(2, 2), actions), expected)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected above 0, got 0.0"),
        ({"hidden": ()}, "hidden: expected sizes of at least one layer"),
        ({"std_range": (1.0, 0.5)}, "std_range: expected 0 < low < high"),
    ],
)
def test_configuration_out_of_range_is_refused(config, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        BCConfig(**config)


def test_a_loss_that_is_not_finite_is_told():
    config = BCConfig(steps=5, learning_rate=1e38, hidden=(8,))
    with pytest.raises(NonFiniteLoss, match=r"^cloning loss is (nan|inf) at step [1-4]"):
        train_bc(demonstrations(20), config, seed=0)


def test_refuses_to_start_without_demonstrations():
    with pytest.raises(ConfigError, match="expected demonstrations, got no transition"):
        train_bc([], CONFIG, seed=0)
