"""Trains a backbone where no trained weights can be had: to tell from an image where things are.

The robot labels its own images: the tool's pose is measured, and the task stands still.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serl_learner.augmentation import random_offsets, rebrightened, shift_images
from serl_learner.backbone import Backbone
from serl_learner.config import expect

SHIFT = 4  # px
NEAR = 0.1  # standard deviations: larger errors count by their size, not by its square


@dataclass(frozen=True)
class PretrainConfig:
    steps: int = 1200
    batch_size: int = 32  # images
    learning_rate: float = 1e-3  # at the start; falls to 0 along a cosine

    def __post_init__(self) -> None:
        expect(self.steps >= 1, "steps", "at least 1", self.steps)
        expect(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)


def pretrain(
    backbone: Backbone,
    images: np.ndarray,
    cameras: np.ndarray,
    labels: np.ndarray,
    config: PretrainConfig,
    seed: int,
    say: Callable[[int, float], None],
) -> Backbone:
    """Fits the backbone's network and a linear head per camera, which is thrown away.

    images (M, H, W, 3) uint8, cameras (M,) the number of each image's camera, labels (M, D) in any
    unit: each element is scaled to unit variance. `say(step, error)` gets the root
    mean square error of the batch, 1 for what knows nothing. Returns the backbone, frozen again.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features = math.prod(backbone.feature_shape(*images.shape[1:3]))
        heads = nn.Parameter(0.01 * torch.randn(cameras.max() + 1, features, labels.shape[1]))
    network = backbone.network.requires_grad_(True)
    trained = Backbone(backbone.name, network, frozen=False)
    mean, deviation = labels.mean(axis=0), labels.std(axis=0).clip(1e-6)
    targets = torch.from_numpy((labels - mean) / deviation).float()
    parameters = [*network.parameters(), heads]
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    for step in range(config.steps):
        chosen = torch.randint(len(images), (config.batch_size,), generator=generator)
        batch = _augmented(torch.from_numpy(images[chosen.numpy()]), generator)
        head = heads[torch.from_numpy(cameras)[chosen]]  # (B, features, D)
        predicted = torch.einsum("bf,bfd->bd", trained(batch).flatten(1), head)
        loss = F.smooth_l1_loss(predicted, targets[chosen], beta=NEAR)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        error = F.mse_loss(predicted.detach(), targets[chosen])
        say(step, math.sqrt(error.item()))
    return Backbone(backbone.name, network, frozen=True)


def _augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shifted, brighter or darker, with more or less contrast: uint8 (B, H, W, 3)."""
    offsets = random_offsets(len(images), SHIFT, generator)
    return rebrightened(shift_images(images, offsets), generator)
