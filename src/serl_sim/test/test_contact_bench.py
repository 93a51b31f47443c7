"""The bench measures what it says: its wall, its speeds, its energies."""

import numpy as np
import pytest

from franka_impedance_controller import Gains
from serl_sim.arms import PANDA
from serl_sim.contact_bench import (
    WALL_STIFFNESS,
    ContactBench,
    free_run,
    impact,
    own_speed,
    spring_energy,
    step_response,
    with_clip_for,
)

PCB = Gains(
    stiffness=[3000, 3000, 3000, 75, 75, 75],
    damping=[180, 180, 180, 7, 7, 7],
    clip_positive=[0.002, 0.002, 0.003, 0.05, 0.014, 0.02],
    clip_negative=[0.0025, 0.0015, 0.002, 0.05, 0.014, 0.02],
)


@pytest.mark.parametrize("direction", ["-z", "+y"])
def test_wall_has_its_stiffness(direction):
    bench = ContactBench(PANDA, PCB, direction, gap=0.0)
    for _ in range(15):
        bench.command(0.02)
        bench.tick(100)
    assert bench.ticks[-1].force == pytest.approx(6.0, rel=0.02)
    assert bench.position == pytest.approx(6.0 / WALL_STIFFNESS, rel=0.02)


def test_an_impact_is_that_of_a_mass_on_a_spring():
    """Peak = speed * sqrt(stiffness * mass): four times the stiffness, twice the force."""
    peaks = [
        impact(PANDA, PCB, "-z", 0.1, law="ours", wall_stiffness=stiffness).peak
        for stiffness in (WALL_STIFFNESS, 4 * WALL_STIFFNESS)
    ]
    assert peaks[1] / peaks[0] == pytest.approx(2.0, rel=0.05)


def test_serls_law_is_as_slow_as_its_formula_says():
    assert own_speed(PCB, "-y") == pytest.approx(3000 * 0.0015 / 180)  # 0.025 m/s
    share = free_run(PANDA, PCB, "-y", law="serl", measured=False)
    assert share * 0.2 == pytest.approx(0.025, rel=0.05)
    assert impact(PANDA, PCB, "-y", 0.1, law="serl") is None  # stays behind
    arrived = impact(PANDA, with_clip_for(PCB, 0.1), "-y", 0.1, law="serl")
    assert arrived.speed == pytest.approx(0.1, rel=0.05)


def test_step_response_settles():
    response = step_response(PANDA, PCB, "+y", 0.02, law="ours")
    assert 0.0 <= response.overshoot < 0.05 and 0.1 < response.settling_s < 0.4


def test_a_knock_is_a_velocity_of_the_tool():
    bench = ContactBench(PANDA, PCB, "-z")
    bench.knock(0.1)
    np.testing.assert_allclose(bench.robot.twist, [0, 0, -0.1, 0, 0, 0], atol=1e-9)


def test_spring_energy_by_hand():
    error = np.array([0.001, -0.0225, 0.0, 0.0, 0.0, -0.04])
    parabola = 0.5 * 3000 * 0.001**2
    beyond = 3000 * 0.0015 * (0.0225 - 0.0015 / 2)
    turned = 75 * 0.02 * (0.04 - 0.01)
    assert spring_energy(error, PCB) == pytest.approx(parabola + beyond + turned)
