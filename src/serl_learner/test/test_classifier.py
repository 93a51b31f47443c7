import numpy as np
import pytest
import torch

from serl_learner.backbone import make_backbone
from serl_learner.classifier import SuccessClassifier, from_bytes, to_bytes, weights_version
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig
from serl_learner.transition import ObservationSpec

SPEC = ObservationSpec((("pose", 6),), (("wrist_1", (64, 64, 3)), ("wrist_2", (64, 64, 3))))
ENCODER = EncoderConfig(channels=16)


TRAINED = EncoderConfig(backbone="tiny", stored_views=0)


def make_classifier(seed=0, encoder=ENCODER):
    torch.manual_seed(seed)
    backbone = make_backbone(encoder.backbone, "random").accelerate()  # as a trained one has it
    return SuccessClassifier(SPEC, encoder, backbone).eval()


def observation(seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 256, shape, np.uint8) for name, shape in SPEC.images}


@pytest.mark.parametrize("encoder", [ENCODER, TRAINED])
def test_it_comes_back_from_its_bytes_with_the_same_judgement(encoder):
    classifier = make_classifier(encoder=encoder)
    with torch.no_grad():  # as if trained: not the weights that everybody draws
        for parameter in classifier.parameters():
            parameter.mul_(1.1)
    classifier.version = 7
    restored, figures = from_bytes(to_bytes(classifier, {"balanced_accuracy": 0.99}))
    seen = observation()
    assert restored.probability(seen) == pytest.approx(classifier.probability(seen), abs=1e-6)
    assert restored.version == 7
    assert figures == {"balanced_accuracy": 0.99}
    assert not restored.training  # no dropout where it judges


def test_both_cameras_count():
    classifier, seen = make_classifier(), observation()
    swapped = {"wrist_1": seen["wrist_2"], "wrist_2": seen["wrist_1"]}
    assert classifier.probability(seen) != pytest.approx(classifier.probability(swapped), abs=1e-6)


def test_a_frozen_backbone_is_not_in_its_bytes():
    assert len(to_bytes(make_classifier())) < 2_000_000  # of the backbone's 20 MB, none


def test_a_version_tells_weights_apart():
    versions = {weights_version(make_classifier(seed)) for seed in (0, 0, 1)}
    assert len(versions) == 2
    assert all(0 < version < 2**63 for version in versions)


def test_what_is_no_classifier_is_refused_in_one_line():
    with pytest.raises(ValueError, match="not a classifier of serl") as error:
        from_bytes(b"not a file")
    assert "\n" not in str(error.value)


def test_images_are_needed():
    backbone = make_backbone("resnet10", "random")
    with pytest.raises(ConfigError, match="expected observations with images"):
        SuccessClassifier(ObservationSpec((("pose", 6),)), ENCODER, backbone)
    with pytest.raises(ValueError, match="observation wrist_2"):
        make_classifier().probability(
            {"wrist_1": observation()["wrist_1"], "wrist_2": np.zeros((8, 8, 3), np.uint8)}
        )
