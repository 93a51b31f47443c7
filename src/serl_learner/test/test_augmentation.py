"""Random shifts: against padding and cropping, and independent of each other."""

import numpy as np
import torch

from serl_learner.augmentation import random_offsets, shift_images


def test_a_shift_is_padding_with_the_edge_and_cropping():
    images = torch.randint(0, 256, (3, 10, 12, 3), dtype=torch.uint8)
    offsets = torch.tensor([[4, -4], [0, 0], [-2, 3]])  # down, right
    shifted = shift_images(images, offsets)
    for image, (down, right), got in zip(images.numpy(), offsets.tolist(), shifted, strict=True):
        padded = np.pad(image, ((4, 4), (4, 4), (0, 0)), mode="edge")
        expected = padded[4 - down : 14 - down, 4 - right : 16 - right]
        np.testing.assert_array_equal(got.numpy(), expected)


def test_offsets_are_uniform_in_both_directions_and_independent():
    offsets = random_offsets(8100, 4, torch.Generator().manual_seed(0))
    assert offsets.min() == -4 and offsets.max() == 4
    pairs = (offsets[:, 0] + 4) * 9 + offsets[:, 1] + 4
    counts = torch.bincount(pairs, minlength=81).float()  # 100 expected of each
    assert ((counts - 100).square() / 100).sum() < 125  # chi-squared, 80 degrees, 99.9 %
