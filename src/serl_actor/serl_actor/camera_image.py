"""A camera's message as the policy sees it: cropped, then made small, before it is copied."""

import cv2
import numpy as np
from sensor_msgs.msg import Image

CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4}


def seen(message: Image, size: int, crop: tuple[int, ...] = ()) -> np.ndarray:
    """RGB, uint8 (size, size, 3). `crop`: left, top, width, height in px; none: the middle square.

    Raises ValueError, one line, where the message is none or the crop is not within it.
    """
    channels = CHANNELS.get(message.encoding)
    if channels is None:
        raise ValueError(f"expected one of {', '.join(CHANNELS)}, got {message.encoding!r}")
    height, width, step = message.height, message.width, message.step
    if step < channels * width or len(message.data) < height * step or min(height, width) < 1:
        raise ValueError(f"expected {height} rows of {step} bytes, got {len(message.data)}")
    rows = np.frombuffer(message.data, np.uint8, height * step).reshape(height, step)
    pixels = rows[:, : channels * width].reshape(height, width, channels)
    left, top, wide, high = crop or _middle(width, height)
    if not (left >= 0 and top >= 0 and 0 < wide <= width - left and 0 < high <= height - top):
        raise ValueError(f"crop: expected one within {width} x {height} px, got {list(crop)}")
    part = pixels[top : top + high, left : left + wide, :3]
    small = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
    return small[..., ::-1].copy() if message.encoding.startswith("bgr") else small


def _middle(width: int, height: int) -> tuple[int, int, int, int]:
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side
