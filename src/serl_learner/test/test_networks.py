"""The fused ensemble against separate networks made of torch's own modules."""

import pytest
import torch
from torch import nn

from serl_learner.networks import Actor, CriticEnsemble, LayerNormTanh

E, B, S, A, H = 3, 7, 5, 2, 8


def critics(seed=0) -> CriticEnsemble:
    torch.manual_seed(seed)
    ensemble = CriticEnsemble(E, S, A, (H, H))
    for parameter in ensemble.parameters():  # not the zeros and ones of the initialisation
        parameter.data += 0.1 * torch.randn_like(parameter)
    return ensemble


def member(ensemble: CriticEnsemble, index: int) -> nn.Sequential:
    """One critic of the ensemble, as a plain network."""
    layers = []
    for linear, norm in zip(ensemble.linears, ensemble.norms, strict=True):
        layers += [_linear(linear, index), nn.LayerNorm(H), nn.Tanh()]
        layers[-2].weight.data = norm.weight.data[index, 0]
        layers[-2].bias.data = norm.bias.data[index, 0]
    return nn.Sequential(*layers, _linear(ensemble.value, index))


def _linear(ensemble_linear, index: int) -> nn.Linear:
    weight = ensemble_linear.weight.data[index]
    linear = nn.Linear(*weight.shape)
    linear.weight.data, linear.bias.data = weight.T.clone(), ensemble_linear.bias.data[index, 0]
    return linear


def test_ensemble_equals_separate_critics():
    ensemble, state, action = critics(), torch.randn(B, S), torch.rand(B, A)
    q = ensemble(state, action)
    assert q.shape == (E, B)
    x = torch.cat([state, action], dim=-1)
    for index in range(E):
        torch.testing.assert_close(q[index], member(ensemble, index)(x).squeeze(-1))


def test_members_selects_critics():
    ensemble, state, action = critics(), torch.randn(B, S), torch.rand(B, A)
    q = ensemble(state, action)
    torch.testing.assert_close(ensemble(state, action, torch.tensor([2, 0])), q[[2, 0]])


def test_members_share_nothing():
    ensemble, state, action = critics(), torch.randn(B, S), torch.rand(B, A)
    gradients = torch.autograd.grad(ensemble(state, action)[1].sum(), list(ensemble.parameters()))
    for gradient in gradients:
        assert gradient[1].abs().sum() > 0
        assert gradient[0].abs().sum() == gradient[2].abs().sum() == 0


def test_layer_norm_tanh_and_its_gradients():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 1, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, 1, 4, dtype=torch.float64, requires_grad=True)
    expected = torch.tanh(weight * nn.functional.layer_norm(x, (4,)) + bias)
    torch.testing.assert_close(LayerNormTanh.apply(x, weight, bias), expected)
    assert torch.autograd.gradcheck(LayerNormTanh.apply, (x, weight, bias))


def test_initialisation_is_xavier_uniform_per_member():
    torch.manual_seed(0)
    weight = CriticEnsemble(E, 50, 14, (128,)).linears[0].weight  # (E, 64, 128)
    bound = (6 / (64 + 128)) ** 0.5
    assert bound * 0.99 < weight.abs().max() <= bound
    torch.testing.assert_close(weight.std(), torch.tensor(bound / 3**0.5), rtol=0.02, atol=0)


def test_actor_bounds_the_standard_deviation():
    actor = Actor(S, A, (H,), (0.1, 2.0))
    actor.log_std.bias.data = torch.tensor([10.0, -10.0])
    mean, std = actor(torch.randn(B, S))
    assert mean.shape == std.shape == (B, A)
    assert std[:, 0].tolist() == pytest.approx([2.0] * B)
    assert std[:, 1].tolist() == pytest.approx([0.1] * B)
