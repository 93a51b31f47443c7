"""Actor and critics: perceptrons whose hidden layers are Linear -> LayerNorm -> tanh, as SERL's."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class EnsembleLinear(nn.Module):
    """`size` independent linear layers in one batched product. Each member has its own weights."""

    def __init__(self, size: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(size, 1, outputs))
        for member in self.weight:
            nn.init.xavier_uniform_(member)

    def forward(self, x: Tensor, members: Tensor | None = None) -> Tensor:
        """(E, B, inputs) -> (E, B, outputs). E: all members, or those of the index `members`."""
        if members is None:
            return torch.baddbmm(self.bias, x, self.weight)
        return torch.baddbmm(self.bias[members], x, self.weight[members])


class EnsembleLayerNormTanh(nn.Module):
    """tanh of the layer normalisation over the last dimension; each member has its own affine."""

    def __init__(self, size: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size, 1, features))
        self.bias = nn.Parameter(torch.zeros(size, 1, features))

    def forward(self, x: Tensor, members: Tensor | None = None) -> Tensor:
        """(E, B, features) -> (E, B, features)"""
        if members is None:
            return LayerNormTanh.apply(x, self.weight, self.bias)
        return LayerNormTanh.apply(x, self.weight[members], self.bias[members])


class LayerNormTanh(torch.autograd.Function):
    """tanh(weight * layer_norm(x) + bias), with few passes over memory, which set the time here."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        normalized, _, inverse_std = torch.native_layer_norm(x, x.shape[-1:], None, None, 1e-5)
        y = torch.addcmul(bias, normalized, weight)
        y.mul_(2).sigmoid_().mul_(2).sub_(1)  # tanh, ten times as fast as torch.tanh on a CPU
        ctx.save_for_backward(normalized, inverse_std, y, weight)
        return y

    @staticmethod
    def backward(ctx, grad_y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normalized, inverse_std, y, weight = ctx.saved_tensors
        grad = torch.ops.aten.tanh_backward(grad_y, y)  # of what went into the tanh
        product = grad * normalized
        grad_weight = product.sum(dim=-2, keepdim=True)
        grad_bias = grad.sum(dim=-2, keepdim=True)
        mean_product = product.mul_(weight).mean(dim=-1, keepdim=True)
        grad_normalized = grad.mul_(weight)
        grad_x = grad_normalized.sub_(grad_normalized.mean(dim=-1, keepdim=True))
        grad_x.addcmul_(normalized, mean_product, value=-1).mul_(inverse_std)
        return grad_x, grad_weight, grad_bias


class CriticEnsemble(nn.Module):
    """Q functions that share nothing, not even the last layer, evaluated in one pass."""

    def __init__(
        self, size: int, state_size: int, action_size: int, hidden: tuple[int, ...]
    ) -> None:
        super().__init__()
        sizes = (state_size + action_size, *hidden)
        self.linears = nn.ModuleList(EnsembleLinear(size, m, n) for m, n in pairwise(sizes))
        self.norms = nn.ModuleList(EnsembleLayerNormTanh(size, n) for n in hidden)
        self.value = EnsembleLinear(size, sizes[-1], 1)
        self.size = size

    def forward(self, state: Tensor, action: Tensor, members: Tensor | None = None) -> Tensor:
        """(B, S), (B, A) -> (E, B); with an index of members, only those are evaluated."""
        x = torch.cat([state, action], dim=-1)
        x = x.expand(self.size if members is None else len(members), *x.shape)
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = norm(linear(x, members), members)
        return self.value(x, members).squeeze(-1)


class GraspCritic(nn.Module):
    """Values of closing the gripper, leaving it and opening it (HIL-SERL, Luo et al. 2025)."""

    def __init__(self, state_size: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.trunk = _trunk(state_size, hidden)
        self.value = nn.Linear(hidden[-1], 3)
        _initialize(self)

    def forward(self, state: Tensor) -> Tensor:
        """(B, S) -> (B, 3)"""
        return self.value(self.trunk(state))

    def best(self, state: Tensor) -> Tensor:
        """(B, S) -> (B,): index of the highest value, which is the gripper's action plus 1."""
        return self(state).argmax(dim=-1)

    @staticmethod
    def choice(action: Tensor) -> Tensor:
        """Actions (B, A) -> (B,): index of what the robot makes of the last element.

        Of a demonstration that is any number in [-1, 1].
        """
        gripper = action[:, -1]
        return (gripper >= 0.5).long() - (gripper <= -0.5).long() + 1


class Actor(nn.Module):
    """Mean and standard deviation of the Gaussian under the tanh, from a normalised state."""

    def __init__(
        self,
        state_size: int,
        action_size: int,
        hidden: tuple[int, ...],
        std_range: tuple[float, float],
    ) -> None:
        super().__init__()
        self.trunk = _trunk(state_size, hidden)
        self.mean = nn.Linear(hidden[-1], action_size)
        self.log_std = nn.Linear(hidden[-1], action_size)
        self.std_range = std_range
        _initialize(self)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S) -> mean (B, A), std (B, A)"""
        x = self.trunk(state)
        return self.mean(x), self.log_std(x).exp().clamp(*self.std_range)


def _trunk(state_size: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """The hidden layers of a single perceptron."""
    sizes = pairwise((state_size, *hidden))
    layers = [(nn.Linear(m, n), nn.LayerNorm(n), nn.Tanh()) for m, n in sizes]
    return nn.Sequential(*(module for layer in layers for module in layer))


def _initialize(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
