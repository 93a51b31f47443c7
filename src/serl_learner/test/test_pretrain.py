"""A backbone that is trained here tells where a square is from pictures that it has not seen."""

import numpy as np
import pytest
import torch

from serl_learner.backbone import make_backbone
from serl_learner.config import ConfigError
from serl_learner.pretrain import PretrainConfig, _augmented, pretrain


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Squares at random places, and where they are (px)."""
    rng = np.random.default_rng(seed)
    places = rng.integers(4, 24, (count, 2))
    images = np.full((count, 32, 32, 3), 60, np.uint8)
    for image, (row, column) in zip(images, places, strict=True):
        image[row : row + 5, column : column + 5] = (220, 180, 40)
    return images, places.astype(np.float64)


def test_it_learns_to_tell_poses_and_ends_frozen():
    images, places = pictures(64, seed=0)
    errors = []
    before = make_backbone("resnet10", "random").digest
    trained = pretrain(
        make_backbone("resnet10", "random"),
        images,
        np.arange(64) % 2,  # two cameras, which see the same here
        places,
        PretrainConfig(steps=40, batch_size=16),
        0,
        lambda step, error: errors.append(error),
    )
    assert len(errors) == 40 and np.mean(errors[-5:]) < 0.7 * np.mean(errors[:2])
    assert trained.frozen and trained.name == "resnet10" and trained.digest != before
    assert not any(p.requires_grad for p in trained.parameters())


def test_augmentation_keeps_type_and_shape_and_changes_brightness():
    images = torch.full((200, 8, 8, 3), 100, dtype=torch.uint8)
    changed = _augmented(images, torch.Generator().manual_seed(0))
    assert changed.shape == images.shape and changed.dtype == torch.uint8
    levels = changed.float().mean(dim=(1, 2, 3))  # uniform grey: contrast changes nothing
    assert levels.min() >= 79 and levels.max() <= 120 and levels.std() > 8


@pytest.mark.parametrize("config", [{"steps": 0}, {"batch_size": 0}])
def test_configuration_out_of_range_is_refused(config):
    with pytest.raises(ConfigError, match=f"^{next(iter(config))}: expected at least 1, got 0"):
        PretrainConfig(**config)
