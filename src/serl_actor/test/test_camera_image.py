import numpy as np
import pytest
from sensor_msgs.msg import Image

from serl_actor.camera_image import seen


def message(pixels, encoding="rgb8", padding=0):
    height, width, channels = pixels.shape
    step = channels * width + padding
    rows = np.zeros((height, step), np.uint8)
    rows[:, : channels * width] = pixels.reshape(height, -1)
    image = Image(height=height, width=width, encoding=encoding, step=step)
    image.data.frombytes(rows.tobytes())
    return image


def halves(height, width):
    """The left half is red, the right one blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 200
    pixels[:, width // 2 :, 2] = 100
    return pixels


def test_the_middle_square_is_made_small():
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, 8:56] = 7  # the middle 48 columns
    np.testing.assert_array_equal(seen(message(pixels), 16), np.full((16, 16, 3), 7))


def test_what_has_the_size_already_stays_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(seen(message(pixels), 32), pixels)


def test_each_pixel_is_the_mean_of_those_it_stands_for():
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[1, 0], pixels[1, 1] = 10, 20, 30, 40
    assert seen(message(pixels), 2)[0, 0].tolist() == [25, 25, 25]


def test_a_crop_is_left_top_width_and_height():
    small = seen(message(halves(20, 40)), 10, crop=(20, 5, 15, 15))
    np.testing.assert_array_equal(small, np.broadcast_to([0, 0, 100], (10, 10, 3)))


@pytest.mark.parametrize(
    ("encoding", "order"), [("bgr8", [2, 1, 0]), ("bgra8", [2, 1, 0, 3]), ("rgba8", [0, 1, 2, 3])]
)
def test_all_encodings_come_out_as_rgb(encoding, order):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 4), np.uint8)
    sent = message(np.ascontiguousarray(pixels[..., order]), encoding)
    np.testing.assert_array_equal(seen(sent, 8), pixels[..., :3])


def test_rows_may_be_padded():
    pixels = halves(8, 8)
    np.testing.assert_array_equal(seen(message(pixels, padding=5), 8), pixels)


@pytest.mark.parametrize(
    ("changes", "crop", "expected"),
    [
        ({"encoding": "mono8"}, (), "expected one of rgb8, bgr8, rgba8, bgra8, got 'mono8'"),
        ({"height": 9}, (), "expected 9 rows of 24 bytes, got 192"),
        ({"step": 23}, (), "expected 8 rows of 23 bytes, got 192"),
        ({"height": 0}, (), "expected 0 rows of 24 bytes, got 192"),
        ({}, (4, 0, 5, 8), r"crop: expected one within 8 x 8 px, got \[4, 0, 5, 8\]"),
        ({}, (0, 0, 0, 8), "crop: expected one within"),
        ({}, (-1, 0, 4, 4), "crop: expected one within"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(changes, crop, expected):
    image = message(halves(8, 8))
    for name, value in changes.items():
        setattr(image, name, value)
    with pytest.raises(ValueError, match=expected):
        seen(image, 8, crop)
