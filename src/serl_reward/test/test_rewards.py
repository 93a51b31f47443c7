"""Sources of reward behind one interface: classifier, guard, person; and their configuration."""

import numpy as np
import pytest
import torch

from serl_learner import classifier as classifiers
from serl_learner.backbone import make_backbone
from serl_learner.classifier import SuccessClassifier
from serl_learner.config import ConfigError, from_dict
from serl_learner.encoder import EncoderConfig
from serl_learner.reward import Judgement, RewardForm, Step
from serl_learner.transition import ObservationSpec
from serl_learner.vice import ViceConfig
from serl_reward.config import GuardConfig, RewardConfig
from serl_reward.human_reward import HumanReward
from serl_reward.image_reward import ClassifierReward, GuardedReward
from serl_reward.rewards import make_reward

SPEC = ObservationSpec((), (("camera", (32, 32, 3)),))


def step(height=0.1, last=False, began_ns=0) -> Step:
    image = np.full((32, 32, 3), 90, np.uint8)
    observation = {"pose": np.array([0.5, 0.0, height], np.float32), "camera": image}
    return Step(observation, np.zeros(6), observation, last, began_ns)


def make_classifier(logit: float) -> SuccessClassifier:
    """One that says the same of everything."""
    torch.manual_seed(0)
    backbone = make_backbone("resnet10", "random")
    classifier = SuccessClassifier(SPEC, EncoderConfig(channels=8), backbone).eval()
    torch.nn.init.zeros_(classifier.head[-1].weight)
    torch.nn.init.constant_(classifier.head[-1].bias, logit)
    classifier.version = 5
    return classifier


def test_a_binary_reward_is_one_from_the_threshold_on():
    # sigmoid(1) = 0.7311
    judgement = ClassifierReward(make_classifier(1.0), RewardForm(threshold=0.7))(step())
    assert judgement == Judgement(1.0, True, pytest.approx(0.7311, abs=1e-4), 5)
    judgement = ClassifierReward(make_classifier(1.0), RewardForm(threshold=0.75))(step())
    assert judgement == Judgement(0.0, False, pytest.approx(0.7311, abs=1e-4), 5)


def test_a_logarithmic_reward_is_the_papers():
    judgement = ClassifierReward(make_classifier(1.0), RewardForm("log", 0.75))(step())
    assert judgement.reward == pytest.approx(np.log(0.7311), abs=1e-4)
    assert not judgement.success
    least = ClassifierReward(make_classifier(-50.0), RewardForm("log"))(step())
    assert least.reward == pytest.approx(np.log(1e-3))  # and not minus infinity


def test_an_untrained_classifier_judges_nothing_to_be_a_success():
    untrained = make_classifier(9.0)
    untrained.version = 0
    for classifier in (None, untrained):
        assert ClassifierReward(classifier, RewardForm())(step()) == Judgement(0.0, False, 0.0)


@pytest.mark.parametrize(
    ("bounds", "height", "success"),
    [
        ({"at_most": 0.04}, 0.03, True),
        ({"at_most": 0.04}, 0.05, False),
        ({"at_least": 0.04}, 0.05, True),
        ({"at_least": 0.04}, 0.03, False),
        ({"at_least": 0.01, "at_most": 0.04}, 0.03, True),
        ({"at_least": 0.01, "at_most": 0.04}, 0.0, False),
    ],
)
def test_a_guard_and_the_classifier_have_to_agree(bounds, height, success):
    form = RewardForm()
    yes = ClassifierReward(make_classifier(3.0), form)
    judgement = GuardedReward(yes, GuardConfig("pose", 2, **bounds), form)(step(height))
    assert (judgement.reward, judgement.success) == (float(success), success)
    assert judgement.confidence > 0.9  # what the classifier thinks is still told
    no = ClassifierReward(make_classifier(-3.0), form)
    assert not GuardedReward(no, GuardConfig("pose", 2, **bounds), form)(step(height)).success


def test_a_guard_on_what_is_not_observed_says_so():
    guarded = GuardedReward(
        ClassifierReward(make_classifier(3.0), RewardForm()),
        GuardConfig("pose", 9, at_most=1.0),
        RewardForm(),
    )
    with pytest.raises(ValueError, match="guard: expected observation pose with element 9, got 3"):
        guarded(step())


def test_a_label_counts_for_the_step_in_which_the_key_was_pressed():
    reward = HumanReward()
    reward.label(True, stamp_ns=150)
    assert reward(step(began_ns=100)) == Judgement(1.0, True, 1.0)
    assert reward(step(began_ns=200)) == Judgement(0.0, False, 0.0)  # it counts once


def test_a_key_from_before_the_episode_counts_for_nothing():
    reward = HumanReward()
    reward.label(True, stamp_ns=50)
    assert not reward(step(began_ns=100)).success
    assert not reward(step(began_ns=40)).success  # and is forgotten


def test_a_failure_within_the_episode_ends_nothing_and_at_its_end_is_an_answer():
    reward = HumanReward()
    reward.label(False, stamp_ns=150)
    assert reward(step(began_ns=100)) == Judgement(0.0, False, 0.0)
    assert reward(step(last=True, began_ns=200)).pending
    reward.label(False, stamp_ns=9_000)
    assert reward(step(last=True, began_ns=200)) == Judgement(0.0, False, 0.0)


def test_the_last_step_waits_for_a_label():
    reward = HumanReward()
    assert reward(step(last=True, began_ns=100)).pending
    reward.label(True, stamp_ns=5_000)
    assert reward(step(last=True, began_ns=100)) == Judgement(1.0, True, 1.0)


def test_each_source_is_made_by_its_name(tmp_path):
    file = tmp_path / "reward.safetensors"
    file.write_bytes(classifiers.to_bytes(make_classifier(1.0)))

    def make(**section):
        return make_reward(from_dict(RewardConfig, section, "reward"), ViceConfig())

    classifier = {"file": str(file), "threshold": 0.75}
    assert not make(source="classifier", classifier=classifier)(step()).success
    assert isinstance(make(source="human"), HumanReward)
    assert make(source="vice")(step()) == Judgement(0.0, False, 0.0)
    guard = {"vector": "pose", "element": 2, "at_most": 0.0}
    classifier |= {"threshold": 0.5}
    assert make(source="classifier", classifier=classifier)(step()).success
    assert not make(source="classifier", classifier=classifier | {"guard": guard})(step()).success


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"source": "dream"}, "reward.source: expected one of environment, pose, .*, got dream"),
        ({"source": "classifier"}, "reward.classifier: expected a section"),
        ({"source": "pose"}, "reward.pose: expected a section"),
        ({"source": "classifier", "classifier": {}}, "reward.classifier.file: expected a"),
        (
            {"classifier": {"file": "a", "guard": {"vector": "pose", "element": 2}}},
            "reward.classifier.guard.at_least, at_most: expected",
        ),
    ],
)
def test_bad_configuration_is_refused(section, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(RewardConfig, section, "reward")


def test_a_file_that_is_no_classifier_is_named(tmp_path):
    section = {"source": "classifier", "classifier": {"file": str(tmp_path / "none.safetensors")}}
    config = from_dict(RewardConfig, section, "reward")
    with pytest.raises(ConfigError, match=r"none.safetensors: cannot be read: No such file"):
        make_reward(config, ViceConfig())
    (tmp_path / "none.safetensors").write_bytes(b"12345678")
    with pytest.raises(ConfigError, match=r"none.safetensors: .*not a classifier of serl"):
        make_reward(config, ViceConfig())
