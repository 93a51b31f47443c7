"""The normaliser: unit size, full resolution, no explosion."""

import torch

from serl_learner.normalizer import Normalizer
from serl_learner.transition import ObservationSpec

SPEC = ObservationSpec((("pose", 3), ("force", 1), ("gripper", 1)))


def fitted() -> Normalizer:
    """Pose: 20 mm and 10 mm of spread, no tilt. Force: 5 N. The gripper stays closed."""
    sign = torch.tensor([1.0, -1.0])
    states = torch.stack([0.02 * sign, 0.3 + 0.01 * sign, 0 * sign, 5 * sign, 0 * sign], dim=1)
    normalizer = Normalizer(SPEC)
    normalizer.fit(states)
    return normalizer


def test_identity_before_it_is_fitted():
    state = torch.randn(4, 5)
    torch.testing.assert_close(Normalizer(SPEC)(state), state)


def test_scales_are_deviations_with_two_floors():
    normalizer = fitted()
    torch.testing.assert_close(normalizer.mean, torch.tensor([0.0, 0.3, 0.0, 0.0, 0.0]))
    # tilt: a tenth of the largest of its vector; gripper: the floor of any scale
    torch.testing.assert_close(normalizer.scale, torch.tensor([0.02, 0.01, 0.002, 5.0, 1e-3]))


def test_a_tenth_of_a_millimetre_stays_visible():
    normalizer = fitted()
    state = torch.tensor([0.0, 0.3, 0.0, 0.0, 0.0])
    moved = state + torch.tensor([1e-4, 0.0, 0.0, 0.0, 0.0])
    torch.testing.assert_close((normalizer(moved) - normalizer(state))[0], torch.tensor(5e-3))


def test_what_never_moved_does_not_explode():
    open_gripper = torch.tensor([0.0, 0.3, 0.0, 0.0, 1.0])
    assert fitted()(open_gripper).abs().max() == 10.0


def test_constants_travel_with_the_state_dict():
    copy = Normalizer(SPEC)
    copy.load_state_dict(fitted().state_dict())
    torch.testing.assert_close(copy(torch.ones(5)), fitted()(torch.ones(5)))
