"""Where the thing was that the gripper then took."""

import numpy as np
import pytest

from serl_learner.hindsight import taken_positions


def test_until_it_is_taken_a_thing_is_where_it_will_be_taken():
    positions = [np.full(3, t, float) for t in range(15)]
    openings = [1.0, 0.7, 0.5, 0.5, 0.5, 0.5, 1.0, 0.5, 0.5, 0.5, 0.5, 1.0, 0.6, 0.6, 1.0]
    places = taken_positions(positions, openings)[:, 0]
    hand = np.nan
    # It stands still from 3 to 5, and from 8 to 10; the last time it turns round on its way.
    np.testing.assert_array_equal(places, [3, 3, 3, 3, hand, hand, 8, 8, 8, *[hand] * 6])


@pytest.mark.parametrize("openings", [[], [0.5] * 4, [1.0, 0.6, 0.0, 0.0]])
def test_nothing_is_taken_without_a_gripper_nor_by_one_that_never_opens_nor_by_one_that_shuts(
    openings,
):
    assert np.isnan(taken_positions([np.zeros(3)] * 4, openings)).all()
