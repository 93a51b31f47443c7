import numpy as np
import pytest
import torch

from serl_learner.classifier import weights_version
from serl_learner.encoder import EncoderConfig
from serl_learner.transition import ObservationSpec
from serl_reward.classifier_report import TRUSTED, Confusion
from serl_reward.classifier_training import (
    ClassifierConfig,
    judge,
    train_classifier,
    trained_encoder,
)
from serl_reward.dataset import Dataset, split

SPEC = ObservationSpec((), (("wrist_1", (32, 32, 3)), ("wrist_2", (32, 32, 3))))
FROZEN = EncoderConfig(channels=32)
CONFIG = ClassifierConfig(steps=100, views=1)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def insertions(rng, frames=240, episodes=16):
    """A bright plug left or right in noise: a success where it is right, in both cameras."""
    labels = rng.random(frames) < 0.25
    images = rng.integers(0, 60, (frames, 2, 32, 32, 3), np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(6, 16), rng.integers(6, 9) + 10 * label
        image[:, row : row + 8, column : column + 6] += 150
    return Dataset(SPEC, images, labels, np.sort(rng.integers(0, episodes, frames)))


def held_out_confusion(data, encoder=FROZEN, seed=0):
    learned, held_out = split(data, seed)
    classifier = train_classifier(learned, encoder, CONFIG, seed)
    return classifier, Confusion.of(held_out.labels, judge(classifier, held_out.images))


@pytest.mark.parametrize("encoder", [FROZEN, trained_encoder(FROZEN)])
def test_it_learns_what_success_looks_like_and_its_seed_decides(encoder):
    data = insertions(np.random.default_rng(0))
    classifier, confusion = held_out_confusion(data, encoder)
    assert confusion.balanced_accuracy.value > 0.98
    assert classifier.version == weights_version(classifier) > 0
    assert not classifier.training
    frame = {name: data.images[0, i] for i, (name, _) in enumerate(SPEC.images)}
    assert judge(classifier, data.images[:1])[0] == pytest.approx(
        classifier.probability(frame), abs=1e-4
    )
    assert held_out_confusion(data, encoder)[0].version == classifier.version


def test_it_claims_nothing_where_labels_are_random():
    rng = np.random.default_rng(1)
    data = insertions(rng)
    shuffled = Dataset(SPEC, data.images, rng.permutation(data.labels), data.episodes)
    _, confusion = held_out_confusion(shuffled)
    assert confusion.balanced_accuracy.high < TRUSTED
    assert 0.3 < confusion.balanced_accuracy.value < 0.7
