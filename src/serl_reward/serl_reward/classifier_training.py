"""Trains the classifier of success on labelled frames (SERL, section 4.2).

The backbone sees each frame once, for a few randomly shifted views; the training is that of the
small head alone. Nothing is chosen by the held-out episodes: the number of steps is fixed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

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
    steps: int = 1500
    batch_size: int = 128  # frames, half of them successes
    learning_rate: float = 3e-4  # at the start; falls to 0 along a cosine
    weight_decay: float = 1e-2
    label_smoothing: float = 0.02  # so much of each label is the other one: no logit runs away
    views: int = 4  # randomly shifted ones of each frame

    def __post_init__(self) -> None:
        expect(self.steps >= 1, "steps", "at least 1", self.steps)
        expect(self.batch_size >= 2, "batch_size", "at least 2", self.batch_size)
        expect(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        expect(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)
        expect(0 <= self.label_smoothing < 0.5, "label_smoothing", "0 to 0.5", self.label_smoothing)
        expect(self.views >= 1, "views", "at least 1", self.views)


def train_classifier(
    data: Dataset,
    encoder: EncoderConfig,
    config: ClassifierConfig,
    seed: int,
    say: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> SuccessClassifier:
    """Fits compression and head to all of `data`. `say(what, done, total)` hears of progress."""
    backbone = make_backbone(encoder.backbone, encoder.weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the first weights and of the dropout
        classifier = SuccessClassifier(data.spec, encoder, backbone)
        _fit_compression(classifier, data.images)
        views = _views(classifier, data, config.views, seed, say)
        _fit_head(classifier, views, torch.from_numpy(data.labels), config, say)
    classifier.version = weights_version(classifier)
    return classifier.eval()


@torch.inference_mode()
def judge(classifier: SuccessClassifier, images: np.ndarray) -> np.ndarray:
    """Probability of success (M,) of frames (M, cameras, H, W, 3) uint8."""
    logits = []
    for part in torch.from_numpy(images).split(ENCODED_TOGETHER):
        features = classifier.compression(classifier.backbone(part.flatten(0, 1)))
        logits.append(classifier(features.unflatten(0, part.shape[:2])))
    return torch.sigmoid(torch.cat(logits)).numpy()


def _fit_compression(classifier: SuccessClassifier, images: np.ndarray) -> None:
    chosen = np.linspace(0, len(images) - 1, min(FITTED_TO, len(images))).astype(int)
    pixels = torch.from_numpy(images[chosen]).flatten(0, 1)
    parts = [classifier.backbone(part) for part in pixels.split(ENCODED_TOGETHER)]
    classifier.compression.fit(torch.cat(parts))


def _views(classifier: SuccessClassifier, data: Dataset, views: int, seed: int, say) -> Tensor:
    """Compressed features (M, cameras, views, C, h, w) float16 of shifted frames."""
    config = replace(classifier.encoder_config, stored_views=views)
    frames = Frames(data.spec, config, classifier.backbone, classifier.compression, seed)
    names = [name for name, _ in data.spec.images]
    seen = []
    for begin in range(0, len(data), ENCODED_TOGETHER):
        part = data.images[begin : begin + ENCODED_TOGETHER]
        seen.append(frames.encode([dict(zip(names, images, strict=True)) for images in part]))
        say("looking at the frames", begin + len(part), len(data))
    return torch.cat(seen)


def _fit_head(
    classifier: SuccessClassifier,
    views: Tensor,
    labels: Tensor,
    config: ClassifierConfig,
    say,
) -> None:
    """Each batch has as many successes as others, each camera of a frame in a view of its own."""
    classifier.train()
    positives, negatives = labels.nonzero()[:, 0], (~labels).nonzero()[:, 0]
    targets = labels.float() * (1 - config.label_smoothing) + config.label_smoothing / 2
    classes, half = (positives, negatives), config.batch_size // 2
    cameras = torch.arange(views.shape[1])
    optimizer = torch.optim.AdamW(
        classifier.head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    for step in range(config.steps):
        frames = torch.cat([part[torch.randint(len(part), (half,))] for part in classes])
        view = torch.randint(views.shape[2], (2 * half, len(cameras)))
        logits = classifier(views[frames[:, None], cameras, view])
        loss = F.binary_cross_entropy_with_logits(logits, targets[frames])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        say("training the head", step + 1, config.steps)
