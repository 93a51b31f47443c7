"""Trains the classifier of success on labelled frames (SERL, section 4.2).

A backbone that is trained with the head sees each frame anew, shifted. A frozen one sees it once,
for a few shifted views: faster, and as good as its weights are for the task.
Nothing is chosen by the held-out episodes: the number of steps is fixed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from serl_learner.augmentation import random_offsets, shift_images
from serl_learner.backbone import make_backbone
from serl_learner.classifier import SuccessClassifier, weights_version
from serl_learner.config import expect
from serl_learner.encoder import EncoderConfig
from serl_learner.frames import Frames
from serl_reward.dataset import Dataset

ENCODED_TOGETHER = 8  # frames: their images stay in a CPU's cache
FITTED_TO = 512  # frames that the compression is measured on


@dataclass(frozen=True)
class ClassifierConfig:
    steps: int = 600
    batch_size: int = 64  # frames, half of them successes
    learning_rate: float = 1e-3  # at the start; falls to 0 along a cosine
    weight_decay: float = 1e-2
    label_smoothing: float = 0.02  # so much of each label is the other one: no logit runs away
    views: int = 4  # randomly shifted ones of each frame, for a frozen backbone

    def __post_init__(self) -> None:
        expect(self.steps >= 1, "steps", "at least 1", self.steps)
        expect(self.batch_size >= 2, "batch_size", "at least 2", self.batch_size)
        expect(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        expect(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)
        expect(0 <= self.label_smoothing < 0.5, "label_smoothing", "0 to 0.5", self.label_smoothing)
        expect(self.views >= 1, "views", "at least 1", self.views)


def trained_encoder(encoder: EncoderConfig) -> EncoderConfig:
    """The task's, with a backbone that is trained together with the head."""
    return replace(encoder, backbone="tiny", weights="random", stored_views=0)


def train_classifier(
    data: Dataset,
    encoder: EncoderConfig,
    config: ClassifierConfig,
    seed: int,
    say: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> SuccessClassifier:
    """Fits to all of `data` what is not frozen. `say(what, done, total)` hears of progress."""
    backbone = make_backbone(encoder.backbone, encoder.weights).accelerate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the first weights and of the dropout
        classifier = SuccessClassifier(data.spec, encoder, backbone)
        if backbone.frozen:
            _fit_compression(classifier, data.images)
            features = _stored_views(classifier, data, config.views, seed, say)
        else:
            features = _shifted_views(classifier, data, seed)
        _fit(classifier, features, torch.from_numpy(data.labels), config, say)
    classifier.version = weights_version(classifier)
    return classifier.eval()


@torch.inference_mode()
def judge(classifier: SuccessClassifier, images: np.ndarray) -> np.ndarray:
    """Probability of success (M,) of frames (M, cameras, H, W, 3) uint8."""
    parts = torch.from_numpy(images).split(ENCODED_TOGETHER)
    logits = [classifier(classifier.features(part)) for part in parts]
    return torch.sigmoid(torch.cat(logits)).numpy()


def _fit_compression(classifier: SuccessClassifier, images: np.ndarray) -> None:
    chosen = np.linspace(0, len(images) - 1, min(FITTED_TO, len(images))).astype(int)
    pixels = torch.from_numpy(images[chosen]).flatten(0, 1)
    parts = [classifier.backbone(part) for part in pixels.split(ENCODED_TOGETHER)]
    classifier.compression.fit(torch.cat(parts))


# From indices of frames (B,) to their features (B, cameras, C, h, w), as seen in a random view.
Features = Callable[[Tensor], Tensor]


def _stored_views(
    classifier: SuccessClassifier, data: Dataset, views: int, seed: int, say
) -> Features:
    """Of a frozen backbone, computed here. Each camera of a frame is in a view of its own."""
    config = replace(classifier.encoder_config, stored_views=views)
    frames = Frames(data.spec, config, classifier.backbone, classifier.compression, seed)
    names = [name for name, _ in data.spec.images]
    seen = []
    for begin in range(0, len(data), ENCODED_TOGETHER):
        part = data.images[begin : begin + ENCODED_TOGETHER]
        seen.append(frames.encode([dict(zip(names, images, strict=True)) for images in part]))
        say("looking at the frames", begin + len(part), len(data))
    stored = torch.cat(seen)  # (M, cameras, views, C, h, w) float16
    cameras = torch.arange(len(names))

    def features(chosen: Tensor) -> Tensor:
        view = torch.randint(views, (len(chosen), len(cameras)))
        return stored[chosen[:, None], cameras, view]

    return features


def _shifted_views(classifier: SuccessClassifier, data: Dataset, seed: int) -> Features:
    """Of a backbone that is trained, computed anew each time."""
    images, shift = torch.from_numpy(data.images), classifier.encoder_config.shift
    generator = torch.Generator().manual_seed(seed)

    def features(chosen: Tensor) -> Tensor:
        pixels = images[chosen].flatten(0, 1)
        shifted = shift_images(pixels, random_offsets(len(pixels), shift, generator))
        return classifier.features(shifted.unflatten(0, (len(chosen), -1)))

    return features


def _fit(
    classifier: SuccessClassifier,
    features: Features,
    labels: Tensor,
    config: ClassifierConfig,
    say,
) -> None:
    """Each batch has as many successes as others."""
    classifier.train()
    positives, negatives = labels.nonzero()[:, 0], (~labels).nonzero()[:, 0]
    targets = labels.float() * (1 - config.label_smoothing) + config.label_smoothing / 2
    classes, half = (positives, negatives), config.batch_size // 2
    optimizer = torch.optim.AdamW(
        classifier.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    for step in range(config.steps):
        frames = torch.cat([part[torch.randint(len(part), (half,))] for part in classes])
        logits = classifier(features(frames))
        loss = F.binary_cross_entropy_with_logits(logits, targets[frames])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        say("training", step + 1, config.steps)
