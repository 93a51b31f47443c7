"""config/gains against SERL's tables, in SERL's convention."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from franka_impedance_controller import Gains
from serl_actor.reset_path import PRECISION
from serl_bringup.task_sections import load_gains

DIRECTORY = Path(__file__).resolve().parents[3] / "config/gains"


@dataclass(frozen=True)
class Serl:
    """What SERL sends to its controller; e = measured - reference, clipped to [-clip_neg, clip]."""

    stiffness: float
    damping: float
    rotational_stiffness: float
    rotational_damping: float
    clip: tuple[float, float, float]  # of translation, m
    clip_neg: tuple[float, float, float]
    rotational_clip: tuple[float, float, float]  # sine of half the angle


SERL = {
    "pcb_insertion": Serl(
        3000, 180, 150, 7, (0.0025, 0.0015, 0.002), (0.002, 0.002, 0.003), (0.025, 0.007, 0.01)
    ),
    "peg_insertion": Serl(
        2000, 89, 150, 7, (0.003, 0.003, 0.01), (0.003, 0.003, 0.01), (0.02, 0.02, 0.02)
    ),
    "cable_routing": Serl(
        2000, 89, 150, 7, (0.005, 0.005, 0.005), (0.005, 0.005, 0.005), (0.05, 0.05, 0.02)
    ),
    "object_relocation": Serl(
        2000, 89, 150, 7, (0.006, 0.006, 0.005), (0.006, 0.006, 0.005), (0.05, 0.05, 0.02)
    ),
    "precision": Serl(3000, 89, 300, 9, (0.01, 0.01, 0.01), (0.01, 0.01, 0.01), (0.05, 0.05, 0.05)),
}


def load(name: str) -> dict:
    return load_gains(str(DIRECTORY / f"{name}.yaml"))


def test_every_set_is_there():
    assert {path.stem for path in DIRECTORY.glob("*.yaml")} == set(SERL)


def test_sets_have_the_same_keys():
    """A key that one lacks would keep the other's value when a running controller changes over."""
    keys = [list(load(name)) for name in SERL]
    assert all(other == keys[0] for other in keys)


@pytest.mark.parametrize("name", SERL)
def test_forces_are_serls(name):
    """The wrench at errors below, at and above the clips, ours and by SERL's formula."""
    gains, serl = Gains(**load(name)), SERL[name]
    for size in (0.0003, 0.002, 0.02):
        for sign in (1.0, -1.0):
            error = sign * size * np.array([1, 1, 1, 10, 10, 10])  # reference - measured
            ours = gains.stiffness * np.clip(error, -gains.clip_negative, gains.clip_positive)
            e = np.append(-error[:3], -np.sin(error[3:] / 2))  # measured - reference
            clip = np.array([*serl.clip, *serl.rotational_clip])
            clip_neg = np.array([*serl.clip_neg, *serl.rotational_clip])
            stiffness = np.repeat([serl.stiffness, serl.rotational_stiffness], 3)
            np.testing.assert_allclose(ours, -stiffness * np.clip(e, -clip_neg, clip), rtol=2e-3)


@pytest.mark.parametrize("name", SERL)
def test_damping_is_serls_and_the_integral_is_none(name):
    gains, serl = Gains(**load(name)), SERL[name]
    np.testing.assert_array_equal(
        gains.damping, np.repeat([serl.damping, serl.rotational_damping], 3)
    )
    assert not gains.integral.any()


def test_pcb_presses_down_with_six_newtons_and_pulls_up_with_nine():
    gains = Gains(**load("pcb_insertion"))
    assert gains.stiffness[2] * gains.clip_negative[2] == pytest.approx(6.0)
    assert gains.stiffness[2] * gains.clip_positive[2] == pytest.approx(9.0)


def test_resets_are_driven_with_the_precision_set():
    """In simulation and on a robot; what the set leaves at the law's defaults, they leave too."""
    driven = Gains(**PRECISION)
    for name, value in load("precision").items():
        np.testing.assert_array_equal(getattr(driven, name), value)
