import numpy as np
import pytest
import torch
from test_trainer_images import demonstrations
from torch import nn

from serl_learner.backbone import make_backbone
from serl_learner.config import ConfigError
from serl_learner.encoder import EncoderConfig
from serl_learner.frames import Frames
from serl_learner.policy import Policy
from serl_learner.replay import Batch
from serl_learner.transition import ObservationSpec, with_next
from serl_learner.vice import POOL, Vice, ViceConfig, goal_observations

SPEC = ObservationSpec((), (("camera", (32, 32, 3)),))
ENCODER = EncoderConfig(channels=32, shift=1)


def seen(red, green):
    """A picture that differs from others in its colour, with a little noise."""
    noise = np.random.default_rng(1000 * red + green).integers(0, 20, (32, 32, 3))
    return {"camera": (np.array([red, green, 40]) + noise).astype(np.uint8)}


GOALS = [seen(red, 200) for red in range(20, 40, 2)]
FAR = [seen(red, green) for red in (150, 170, 190, 210) for green in (20, 40, 60)]
FOOLING = [seen(red, 180) for red in (110, 120, 130)]  # greener than what it was taught


def make_vice(**changes) -> Vice:
    torch.manual_seed(0)
    backbone = make_backbone("resnet10", "random")
    policy = Policy(SPEC, 2, (8,), encoder=ENCODER, backbone=backbone)
    policy.fit(GOALS + FAR)
    frames = Frames(SPEC, ENCODER, backbone, policy.encoder.compression)
    return Vice(ViceConfig(**changes), policy, GOALS, frames, seed=0)


def batch(vice: Vice, observations) -> Batch:
    """As a replay of these observations gives it."""
    chosen = vice._frames.encode(observations)[:, :, :1]  # (B, cameras, stack, ...)
    nothing = torch.zeros(len(observations))
    return Batch(nothing, nothing, nothing + 7.0, nothing, nothing, chosen, chosen, nothing - 0.1)


def teach(vice: Vice, observations, steps: int) -> None:
    reached = batch(vice, POOL * observations).next_frames
    for _ in range(steps):
        vice.step(reached)


def probabilities(vice: Vice, observations) -> list[float]:
    return [vice.classifier.probability(observation) for observation in observations]


def test_a_state_that_fooled_it_becomes_a_negative():
    vice = make_vice()
    teach(vice, FAR, 200)
    assert min(probabilities(vice, GOALS)) > 0.5 > max(probabilities(vice, FAR))
    fooled = np.mean(probabilities(vice, FOOLING))
    teach(vice, FAR + FOOLING, 250)  # the policy goes where it is fooled
    assert np.mean(probabilities(vice, FOOLING)) < min(fooled, 0.5)
    assert np.mean(probabilities(vice, GOALS)) > 0.5
    assert vice.classifier.version == 450


def test_half_of_the_negatives_are_those_that_look_most_like_a_success():
    vice = make_vice()
    teach(vice, FAR, 200)
    states = batch(vice, FAR + FOOLING + FAR + FAR[:5])  # 32
    chosen = vice._negatives(states.next_frames[:, :, -1].float())
    assert len(chosen) == 8
    seen_states = states.next_frames[:, :, -1].float()
    torch.testing.assert_close(chosen[:4], seen_states[:4])  # as they come
    fooling = seen_states[len(FAR) : len(FAR) + len(FOOLING)]
    found = [any(torch.equal(state, one) for one in chosen[4:]) for state in fooling]
    assert all(found)


def test_rewards_and_ends_of_a_batch_are_those_of_the_current_classifier():
    vice = make_vice()
    reached = batch(vice, POOL * FAR).next_frames
    vice.warm_up(lambda: reached)
    assert vice.classifier.version == 200
    relabelled = vice.relabel(batch(vice, [GOALS[4], FAR[0], GOALS[4]]))
    assert relabelled.reward.tolist() == [1.0, 0.0, 1.0]  # and not the 7 of the replay
    assert relabelled.mask.tolist() == [0.0, 1.0, 0.0]  # a success is terminal, nothing else
    np.testing.assert_allclose(relabelled.grasp_penalty, -0.1)  # no matter of the classifier's


def test_a_logarithmic_reward_is_the_log_of_the_probability():
    vice = make_vice(form="log")
    teach(vice, FAR, 200)
    states = batch(vice, [GOALS[4], FAR[0]])
    logits = vice.classifier(states.next_frames[:, :, -1])
    relabelled = vice.relabel(states)
    np.testing.assert_allclose(
        relabelled.reward.numpy(), torch.sigmoid(logits).clamp(min=1e-3).log().detach(), rtol=1e-5
    )
    assert relabelled.mask.tolist() == [0.0, 1.0]


def test_the_gradient_penalty_of_a_linear_classifier_is_known():
    vice = make_vice()
    goals = torch.randn(5, 1, 32, 1, 1)
    linear = nn.Linear(32, 1)
    nn.init.constant_(linear.weight, 0.5)  # norm 0.5 * sqrt(32) = 2.8284
    vice.classifier.head = linear
    penalty = vice._penalty(goals, -goals, np.random.default_rng(0))
    assert penalty.item() == pytest.approx((0.5 * 32**0.5 - 1.0) ** 2, rel=1e-5)


def test_labels_are_smoothed_and_mixed_with_their_states():
    # A linear logit w.x: the loss of equal parts of x and -x, whose labels mix to 0.5, is ln 2.
    vice = make_vice(mixup=1e6, label_smoothing=0.2)  # every share is one half
    vice.classifier.head = nn.Linear(32, 1)
    goals, states = torch.ones(1, 1, 32, 1, 1), -torch.ones(1, 1, 32, 1, 1)
    rng = np.random.default_rng(next(s for s in range(9) if _swaps(s)))
    logit = vice.classifier.head.bias.item()
    assert vice._loss(goals, states, rng).item() == pytest.approx(
        0.5 * (np.log1p(np.exp(-logit)) + np.log1p(np.exp(logit))), rel=1e-2
    )
    # Unmixed (each with itself), the labels are 0.9 and 0.1.
    rng = np.random.default_rng(next(s for s in range(9) if not _swaps(s)))
    nn.init.constant_(vice.classifier.head.weight, 1 / 32)
    nn.init.zeros_(vice.classifier.head.bias)  # logits 1 and -1
    expected = 0.9 * np.log1p(np.exp(-1.0)) + 0.1 * np.log1p(np.exp(1.0))
    assert vice._loss(goals, states, rng).item() == pytest.approx(expected, rel=1e-5)


def _swaps(seed: int) -> bool:
    rng = np.random.default_rng(seed)
    rng.beta(1e6, 1e6, 2)
    return rng.permutation(2).tolist() == [1, 0]


def test_it_goes_on_where_it_was():
    first = make_vice()
    reached = batch(first, POOL * FAR).next_frames
    for _ in range(5):
        first.step(reached)
    resumed = make_vice()
    resumed.load_state({k: v.clone() for k, v in first.state().items()})
    assert resumed.classifier.version == 5
    for vice in (first, resumed):
        torch.manual_seed(1)  # dropout
        vice.step(reached)
    for a, b in zip(first.classifier.parameters(), resumed.classifier.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_goals_are_what_follows_a_success():
    steps = demonstrations(episodes=3)
    goals = goal_observations(steps, "demonstrations")
    assert len(goals) == sum(t.success for t in steps) > 0
    finals = [t.final_observation for t in steps if t.success]
    for goal, final in zip(goals, finals, strict=True):
        np.testing.assert_array_equal(goal["camera"], final["camera"])
    with pytest.raises(ConfigError, match=r"vice.goals: expected .* success in here, got none"):
        goal_observations([t for t in steps if not t.success], "here")


def test_steps_are_paired_with_what_followed_and_never_across_a_gap():
    steps = demonstrations(episodes=2)
    pairs = list(with_next(steps))
    assert [t.sequence for t, _ in pairs] == [t.sequence for t in steps]
    for (step, following), after in zip(pairs, steps[1:], strict=False):
        expected = after.observation if step.final_observation is None else step.final_observation
        assert following is expected
    gap = [t for t in steps if t.step != 2]
    assert [t.step for t, _ in with_next(gap) if t.episode == 0][:3] == [0, 3, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"form": "linear"}, "form: expected one of binary, log, got linear"),
        ({"threshold": 1.0}, "threshold: expected between 0 and 1, got 1.0"),
        ({"period": 0}, "period: expected at least 1"),
        ({"label_smoothing": 1.0}, "label_smoothing: expected 0 to below 1"),
        ({"gradient_penalty": -1.0}, "gradient_penalty: expected at least 0"),
    ],
)
def test_bad_configuration_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        ViceConfig(**change)


def test_a_backbone_that_is_trained_is_refused():
    encoder = EncoderConfig(backbone="tiny", stored_views=0)
    backbone = make_backbone("tiny", "random")
    policy = Policy(SPEC, 2, (8,), encoder=encoder, backbone=backbone)
    with pytest.raises(ConfigError, match="expected vice with images and a frozen backbone"):
        Vice(ViceConfig(), policy, GOALS, Frames(SPEC, encoder, backbone), seed=0)
