import numpy as np
import pytest

from serl_learner.statistics import wilson_interval


def test_wilson_interval_by_hand():
    # z = 1.96, 8 of 10: centre 0.7168, half width 0.2266 (Wilson 1927).
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson_interval(100, 100)
    assert low == pytest.approx(0.9630, abs=1e-4) and high == 1.0
    assert wilson_interval(0, 100)[0] == 0.0
    assert np.isfinite(wilson_interval(1, 1)).all()
