"""Every gain set, on both arms: faster than SERL's law in free space, no harder in contact."""

from itertools import pairwise
from pathlib import Path

import pytest

from franka_impedance_controller import Gains
from serl_bringup import benchmark_contact
from serl_bringup.task_sections import load_gains
from serl_sim import contact_bench
from serl_sim.arms import ARMS, PANDA
from serl_sim.contact_bench import (
    DIRECTIONS,
    free_run,
    impact,
    press,
    rebound,
    step_response,
    with_clip_for,
)

DIRECTORY = Path(__file__).resolve().parents[3] / "config/gains"
SETS = {path.stem: Gains(**load_gains(str(path))) for path in sorted(DIRECTORY.glob("*.yaml"))}
every_set = pytest.mark.parametrize("gains", SETS.values(), ids=SETS)
every_arm = pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)


@every_set
def test_follows_the_commanded_speed_in_free_space(gains):
    for direction in DIRECTIONS:
        measured = free_run(PANDA, gains, direction, law="ours", measured=True)
        assert 0.9 < measured < 1.05
        assert 0.95 < free_run(PANDA, gains, direction, law="ours", measured=False) < 1.2
        assert measured > 2.4 * free_run(PANDA, gains, direction, law="serl", measured=True)


@every_set
def test_settles_on_a_step_sooner_than_serls_law(gains):
    """SERL's gains damp an arm's mass by a third to a half of critical: it swings over once."""
    ours = step_response(PANDA, gains, "-y", 0.02, law="ours")
    serl = step_response(PANDA, gains, "-y", 0.02, law="serl")
    assert ours.settling_s < 0.7 * serl.settling_s
    assert ours.overshoot < 0.25


@every_arm
@every_set
def test_presses_with_stiffness_times_clip_at_rest(arm, gains):
    for direction in DIRECTIONS:
        pressed = press(arm, gains, direction)
        assert 0.95 * pressed.bound < pressed.static_force < 1.05 * pressed.bound
        assert pressed.ripple < 0.02 * pressed.bound
        assert pressed.speed < 1e-4


@every_set
@pytest.mark.parametrize("speed", [0.03, 0.2])
def test_hits_no_harder_than_serls_law_at_the_same_speed(gains, speed):
    """Per m/s, since they arrive at slightly different speeds; SERL's clips opened as it needs."""
    ours = impact(PANDA, gains, "-z", speed, law="ours")
    serl = impact(PANDA, with_clip_for(gains, speed), "-z", speed, law="serl")
    carried = impact(PANDA, gains, "-z", speed, law="serl", carried=True)
    assert ours.speed == pytest.approx(speed, rel=0.1)
    assert ours.peak / ours.speed < 1.01 * serl.peak / serl.speed
    static = gains.stiffness[2] * gains.clip_negative[2]
    # SERL's law, handed a tool that is too fast for it, pulls back with damping * speed.
    assert ours.peak < carried.peak + static + gains.damping[2] * speed
    assert ours.standing < 1.05 * static


@every_arm
@every_set
def test_never_pumps_a_rebounding_tool(arm, gains):
    for direction in DIRECTIONS:
        after = rebound(arm, gains, direction)
        speeds = (after.knock, *after.touches)
        assert len(after.touches) >= 2
        assert all(later < earlier for earlier, later in pairwise(speeds))
        assert after.excess_w < 1e-9
        assert after.delivered_j > 0.05 * after.knock_j  # there is something to bound
        assert after.surplus_j < 0.002 * after.knock_j


def test_benchmark_has_every_figure_and_draws(monkeypatch, tmp_path):
    monkeypatch.setattr(contact_bench, "DIRECTIONS", ("-z",))
    monkeypatch.setattr(benchmark_contact, "SPEEDS", (0.03, 0.2))
    picture = tmp_path / "impact.png"
    figures = benchmark_contact.measure(str(DIRECTORY / "pcb_insertion.yaml"), picture)
    assert figures["press"]["ours"]["-z"]["bound"] == pytest.approx(6.0)
    assert figures["free_run"]["ours"]["-z"]["measured"] > 0.8
    assert figures["step"]["0.007"]["-z"]["serl"]["settling_s"] > 0.5
    assert [point["peak"] > 0 for point in figures["impact"]["ours"]] == [True, True]
    assert figures["rebound"]["-z"]["touches"]
    assert picture.stat().st_size > 10_000
