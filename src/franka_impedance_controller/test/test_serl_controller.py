"""SERL's law from Python, on a gantry whose joint forces are those of its tool."""

from pathlib import Path

import numpy as np
import pytest

from franka_impedance_controller import Gains, Guards, ImpedanceController, SerlController

GANTRY = (Path(__file__).parent / "gantry.urdf").read_text()
JOINTS = ["x", "y", "z", "turn"]
AT_REST = np.zeros(4)
UPRIGHT = [0, 0, 0, 1]


def speed_in_free_space(law) -> float:
    """Of the gantry's 3 kg along y after 1.2 s, when the target is half a metre away. m/s."""
    q, dq, force = np.zeros(4), np.zeros(4), np.zeros(4)
    law.activate(q, dq)
    for tick in range(1200):
        if tick % 100 == 0:
            law.set_target([0.0, 0.5, 0.0], UPRIGHT)
        law.update(q, dq, force)
        dq[1] += 0.001 / 3.0 * force[1]
        q[1] += 0.001 * dq[1]
    return dq[1]


def test_clip_and_damping_cap_its_speed_and_not_ours():
    gains = Gains(clip_positive=[0.003] * 6, clip_negative=[0.003] * 6)
    serl = SerlController(GANTRY, JOINTS, "tool", gains=gains, dt=0.001)
    assert speed_in_free_space(serl) == pytest.approx(2000 * 0.003 / 89, rel=0.01)
    ours = ImpedanceController(
        GANTRY, JOINTS, "tool", gains=gains, guards=Guards(max_target_distance=1.0)
    )
    assert speed_in_free_space(ours) == pytest.approx(gains.max_linear_velocity, rel=0.01)


def test_force_at_rest_is_stiffness_times_clip():
    law = SerlController(GANTRY, JOINTS, "tool")
    law.activate(AT_REST, AT_REST)
    law.set_target([0.0, -0.1, 0.0], UPRIGHT)
    for _ in range(200):
        tau = law.update(AT_REST, AT_REST)
    assert tau[1] == pytest.approx(-20.0)


def test_wrong_sizes_are_one_line():
    law = SerlController(GANTRY, JOINTS, "tool")
    with pytest.raises(ValueError, match="q: expected 4 values, got 7"):
        law.update(np.zeros(7), np.zeros(7))
    with pytest.raises(ValueError, match="position: expected 3 values, got 2"):
        law.set_target([0.0, 0.0], UPRIGHT)
