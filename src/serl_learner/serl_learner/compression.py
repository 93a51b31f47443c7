"""Fewer channels of a frozen backbone's features: those in which a task's images differ.

Of the 512 channels of a ResNet most say the same. Everything that comes after them, from the memory
of the replay to the time of an update, shrinks with their number.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serl_learner.config import expect


class Compression(nn.Module):
    """Principal components of the channels, over all images and positions. Constant after `fit`."""

    def __init__(self, channels: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("components", torch.eye(kept, channels))

    def expect_fit(self) -> None:
        """Raises ConfigError where there is nothing to choose channels by, and they are not all."""
        kept, channels = self.components.shape
        hint = f"demonstrations to choose {kept} of {channels} by ({channels} keeps all)"
        expect(kept == channels, "encoder.channels", hint, "none")

    def fit(self, features: Tensor) -> None:
        """Measures them on features (M, C, h, w). What comes out has unit variance on average."""
        samples = features.double().movedim(1, -1).flatten(0, -2)
        covariance = torch.cov(samples.T, correction=0)
        variances, directions = torch.linalg.eigh(covariance)  # in ascending order
        kept = len(self.components)
        scale = variances[-kept:].mean().sqrt().clamp(min=1e-6)
        self.mean.copy_(samples.mean(dim=0))
        self.components.copy_(directions[:, -kept:].flip(1).T / scale)

    def forward(self, features: Tensor) -> Tensor:
        """(M, C, h, w) -> (M, kept, h, w)"""
        return F.conv2d(features - self.mean[:, None, None], self.components[:, :, None, None])
