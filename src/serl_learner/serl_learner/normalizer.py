"""Brings every element of the state to about unit size, by constants that are measured once."""

import torch
from torch import Tensor, nn

from serl_learner.transition import ObservationSpec

FLOOR = 1e-3  # smallest scale: a millimetre, a milliradian, a millinewton
RELATIVE_FLOOR = 0.1  # smallest scale, as a share of the largest one in the same vector
LIMIT = 10.0  # normalised values are clipped here


class Normalizer(nn.Module):
    """(state - mean) / scale, clipped. The identity until `fit`, constant after it.

    The scale is the standard deviation of the data, with two floors. They keep what hardly moves in
    the data (a gripper that stays closed, a tilt that no demonstration has) from exploding when
    exploration moves it, and let the rest keep its full resolution.
    """

    def __init__(self, spec: ObservationSpec) -> None:
        super().__init__()
        self.sizes = [size for _, size in spec.vectors]
        self.register_buffer("mean", torch.zeros(spec.state_size))
        self.register_buffer("scale", torch.ones(spec.state_size))

    def fit(self, states: Tensor) -> None:
        """Measures mean and scale on (N, S) raw states."""
        if not self.sizes:
            return  # images alone
        std = states.double().std(dim=0, correction=0)
        floors = [group.amax() * RELATIVE_FLOOR for group in std.split(self.sizes)]
        floor = torch.cat([f.expand(n) for f, n in zip(floors, self.sizes, strict=True)])
        self.mean.copy_(states.double().mean(dim=0))
        self.scale.copy_(torch.maximum(std, floor).clamp(min=FLOOR))

    def forward(self, state: Tensor) -> Tensor:
        """(..., S) raw -> (..., S) normalised"""
        return ((state - self.mean) / self.scale).clamp(-LIMIT, LIMIT)
