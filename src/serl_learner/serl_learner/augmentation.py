"""Images shifted at random by a few pixels (DrQ: Yarats et al. 2021), and in another light."""

import torch
from torch import Tensor

BRIGHTNESS = 0.2  # largest change of an image's brightness and of its contrast


def shift_images(images: Tensor, offsets: Tensor) -> Tensor:
    """Each image (M, H, W, 3) moved by its offset (M, 2) in px, down and right.

    What comes into view repeats the edge: the same as padding with the edge and cropping.
    """
    count, height, width, _ = images.shape
    rows = torch.arange(height, device=images.device) - offsets[:, :1]  # (M, H)
    columns = torch.arange(width, device=images.device) - offsets[:, 1:]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    index = torch.arange(count, device=images.device)
    return images[index[:, None, None], rows[:, :, None], columns[:, None, :]]


def random_offsets(count: int, shift: int, generator: torch.Generator) -> Tensor:
    """(count, 2) px, uniform from -shift to shift."""
    return torch.randint(
        -shift, shift + 1, (count, 2), generator=generator, device=generator.device
    )


def rebrightened(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image (M, H, W, 3) uint8 brighter or darker, and with more or less contrast."""
    change = torch.rand(2, len(images), 1, 1, 1, generator=generator)
    change = 1 + BRIGHTNESS * (2 * change - 1)
    pixels = images.float()
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    return ((pixels - mean) * change[0] + mean * change[1]).clamp(0, 255).byte()
