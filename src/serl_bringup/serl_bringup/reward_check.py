"""`serl reward check`: a classifier at work on a recording, as a video and in figures."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from serl_learner.classifier import SuccessClassifier
from serl_learner.compute import tuned_process
from serl_learner.config import ConfigError, expect
from serl_learner.transition import Observation
from serl_reward.classifier_report import THRESHOLD, Confusion
from serl_reward.dataset import labelled_frames
from serl_reward.image_reward import load_classifier

RATE_HZ = 10.0  # of a recording, which does not say how fast it should be shown
CAMERA_SIZE = 384  # px, to which a camera's image is enlarged
PANEL_HEIGHT, MARGIN = 128, 12  # px
BAR_WIDTH, TEXT_WIDTH = 28, 96  # px
CURVE_STEP = 3  # px per frame
BACKGROUND, FOREGROUND, FAINT = (24, 24, 28), (235, 235, 235), (110, 110, 118)
SUCCESS, NO_SUCCESS = (80, 200, 120), (90, 150, 230)

# What is seen, and whether it is a success, where that is known.
Seen = tuple[Observation, bool | None]


def check_file(model: Path, recording: Path, output: Path) -> dict[str, Any]:
    """Writes the video and returns the figures. `recording`: transitions (.mcap), or a video."""
    classifier = load_classifier(model)
    expect(output.resolve() != recording.resolve(), "--output", "another file", output)
    frames, rate_hz = _frames(recording, classifier)
    first = next(frames, None)
    expect(first is not None, str(recording), "frames", "none")
    probabilities, labels = [], []
    with (
        tuned_process(threads=1),
        imageio.get_writer(output, fps=rate_hz, macro_block_size=2, quality=8) as video,
    ):
        for observation, label in itertools.chain([first], frames):
            try:
                probabilities.append(classifier.probability(observation))
            except ValueError as error:
                raise ConfigError(f"{recording}: {error}") from None
            labels.append(label)
            images = [observation[name] for name, _ in classifier.spec.images]
            video.append_data(draw(images, probabilities, labels))
    return _figures(np.array(probabilities), labels)


def draw(
    images: list[np.ndarray], probabilities: list[float], labels: list[bool | None]
) -> np.ndarray:
    """A frame (H, W, 3) uint8 of the video: the newest images, and how they were judged so far."""
    size = (CAMERA_SIZE, CAMERA_SIZE)
    width = len(images) * CAMERA_SIZE
    canvas = Image.new("RGB", (width, CAMERA_SIZE + PANEL_HEIGHT), BACKGROUND)
    for position, image in enumerate(images):
        enlarged = ImageOps.pad(Image.fromarray(image), size, Image.Resampling.BICUBIC)
        canvas.paste(enlarged, (position * CAMERA_SIZE, 0))
    top, bottom = CAMERA_SIZE + MARGIN, CAMERA_SIZE + PANEL_HEIGHT - MARGIN
    pen = ImageDraw.Draw(canvas)
    _draw_bar(pen, probabilities[-1], labels[-1], top, bottom)
    begin = 2 * MARGIN + BAR_WIDTH + TEXT_WIDTH
    _draw_curve(pen, probabilities, labels, (begin, top, width - MARGIN, bottom))
    return np.asarray(canvas)


def _frames(path: Path, classifier: SuccessClassifier) -> tuple[Iterator[Seen], float]:
    """What the recording shows, and its rate in Hz."""
    if path.suffix == ".mcap":
        return ((frame.observation, frame.success) for frame in labelled_frames(path)), RATE_HZ
    names = [name for name, _ in classifier.spec.images]
    expected = f"a recording (.mcap) of the cameras {', '.join(names)}"
    expect(len(names) == 1, str(path), expected, "a video, which has one")
    try:
        reader = imageio.get_reader(path, format="FFMPEG")
        rate_hz = reader.get_meta_data()["fps"]
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ConfigError(f"{path}: no video: {' '.join(str(error).split())}") from None
    height, width, _ = classifier.spec.image_shape
    fitted = (ImageOps.fit(Image.fromarray(image), (width, height)) for image in reader)
    return (({names[0]: np.asarray(image)}, None) for image in fitted), rate_hz


def _draw_bar(
    pen: ImageDraw.ImageDraw, probability: float, label: bool | None, top: int, bottom: int
) -> None:
    left, right = MARGIN, MARGIN + BAR_WIDTH
    level = bottom - probability * (bottom - top)
    pen.rectangle((left, level, right, bottom), fill=_colour(probability >= THRESHOLD))
    pen.rectangle((left, top, right, bottom), outline=FAINT)
    font = ImageFont.load_default(24)
    pen.text((right + MARGIN, top), f"{probability:.2f}", FOREGROUND, font)
    if label is not None:
        text = "success" if label else "no success"
        pen.text((right + MARGIN, top + 40), text, _colour(label), ImageFont.load_default(16))


def _draw_curve(
    pen: ImageDraw.ImageDraw,
    probabilities: list[float],
    labels: list[bool | None],
    box: tuple[int, int, int, int],
) -> None:
    """The newest probabilities; the threshold; below, a strip in the colour of the labels."""
    left, top, right, bottom = box
    strip, bottom = (bottom - 6, bottom), bottom - 10
    shown = (right - left) // CURVE_STEP
    pen.line((left, top, right, top), FAINT)
    pen.line((left, bottom, right, bottom), FAINT)
    level = bottom - THRESHOLD * (bottom - top)
    for x in range(left, right, 12):
        pen.line((x, level, x + 6, level), FAINT)
    points = []
    recent = zip(probabilities[-shown:], labels[-shown:], strict=True)
    for x, (probability, label) in zip(itertools.count(left, CURVE_STEP), recent, strict=False):
        points.append((x, bottom - probability * (bottom - top)))
        if label is not None:
            pen.rectangle((x, strip[0], x + CURVE_STEP - 1, strip[1]), _colour(label))
    if len(points) > 1:
        pen.line(points, FOREGROUND, width=2)


def _colour(success: bool) -> tuple[int, int, int]:
    return SUCCESS if success else NO_SUCCESS


def _figures(probabilities: np.ndarray, labels: list[bool | None]) -> dict[str, Any]:
    judged = float(np.mean(probabilities >= THRESHOLD))
    figures = {"frames": len(probabilities), "threshold": THRESHOLD, "judged_success": judged}
    if None in labels:
        return figures
    return figures | Confusion.of(np.array(labels, bool), probabilities).figures()
