"""The way back: up, over and down, the short way round, never faster than allowed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from serl_actor.reset_path import PEAK, minimum_jerk, plan_path

UPRIGHT = [0.0, 0.0, 0.0, 1.0]
# After a quarter and half of the time: 10/64 - 15/256 + 6/1024, and by symmetry.
QUARTER, HALF = 0.103515625, 0.5


def pose(position, quaternion=UPRIGHT):
    return np.array([*position, *quaternion], dtype=float)


def about_z(degrees):
    return [0.0, 0.0, np.sin(np.deg2rad(degrees) / 2), np.cos(np.deg2rad(degrees) / 2)]


def in_four(amount):
    """A peak speed with which a move of that size takes four periods, the last one nearly whole."""
    return PEAK * amount / 0.399


def test_minimum_jerk_by_hand():
    shares = minimum_jerk(np.array([0.0, 0.25, 0.5, 0.75, 1.0]))
    assert shares.tolist() == [0.0, QUARTER, HALF, 1.0 - QUARTER, 1.0]


def test_its_peak_speed_is_fifteen_eighths_of_the_mean():
    time = np.linspace(0.0, 1.0, 10_001)
    speed = np.diff(minimum_jerk(time)) / np.diff(time)
    assert speed.max() == pytest.approx(PEAK, rel=1e-6)
    assert speed[0] == pytest.approx(0.0, abs=1e-6) and speed[-1] == pytest.approx(0.0, abs=1e-6)


def test_a_quarter_turn_by_hand():
    turn = plan_path(pose([0, 0, 0]), pose([0, 0, 0], about_z(90)), 0.0, 1.0, in_four(np.pi / 2))
    assert turn[:, 0] == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=1e-12)
    np.testing.assert_allclose(turn[:, 1:4], 0.0)
    expected = [about_z(90 * share) for share in (QUARTER, HALF, 1.0 - QUARTER, 1.0)]
    np.testing.assert_allclose(turn[:, 4:], expected, atol=1e-12)
    assert turn[1, 6] == pytest.approx(0.38268343, abs=1e-8)  # sin(45 / 2 degrees)


def test_it_turns_about_an_axis_of_the_base():
    """A tool that points down and turns about the base's z keeps pointing down."""
    down = Rotation.from_quat([1.0, 0.0, 0.0, 0.0])
    goal = Rotation.from_rotvec([0.0, 0.0, 1.0]) * down
    path = plan_path(pose([0, 0, 0], down.as_quat()), pose([1, 0, 0], goal.as_quat()), 0.1, 1, 1)
    axes = Rotation.from_quat(path[:, 4:]).apply([0.0, 0.0, 1.0])
    np.testing.assert_allclose(axes, [[0.0, 0.0, -1.0]] * len(path), atol=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("degrees", "halfway"), [(80, 40), (190, -85), (350, -5)])
def test_the_short_way_round(degrees, halfway, sign):
    goal = pose([0, 0, 0], sign * np.array(about_z(degrees)))
    angle = abs(np.deg2rad(2 * halfway))
    path = plan_path(pose([0, 0, 0]), goal, 0.0, 1.0, in_four(angle))
    assert len(path) == 4
    between = Rotation.from_quat(path[1, 4:]).as_rotvec(degrees=True)
    np.testing.assert_allclose(between, [0, 0, halfway], atol=1e-9)


def test_up_over_and_down():
    start, goal = pose([0.4, 0.1, 0.1]), pose([0.6, 0.1, 0.05])
    path = plan_path(start, goal, lift=0.08, linear_speed=0.25, angular_speed=1.0)[:, 1:4]
    # 1.875 * (0.08, 0.2, 0.13) m / 0.25 m/s = 0.6, 1.5, 0.975 s
    up, over, down = np.split(path, [6, 21])
    assert len(down) == 10
    np.testing.assert_allclose(up[:, :2], [[0.4, 0.1]] * 6)
    np.testing.assert_allclose(up[-1], [0.4, 0.1, 0.18])
    np.testing.assert_allclose(over[:, 2], 0.18)
    np.testing.assert_allclose(over[-1], [0.6, 0.1, 0.18])
    np.testing.assert_allclose(down[:, :2], [[0.6, 0.1]] * 10)
    assert path[-1].tolist() == [0.6, 0.1, 0.05]


def test_it_rises_to_a_higher_goal_before_it_moves_over_and_no_higher():
    path = plan_path(pose([0.4, 0.1, 0.1]), pose([0.6, 0.1, 0.4]), 0.05, 0.25, 1.0)
    assert path[:, 3].max() == pytest.approx(0.4)
    aside = path[:, 1] > 0.4 + 1e-9
    assert aside.any() and path[aside, 3] == pytest.approx(0.4)


def test_on_the_way_it_makes_strokes_each_from_above():
    start, goal = pose([0.4, 0.1, 0.1]), pose([0.6, 0.1, 0.3])
    strokes = [
        (pose([0.5, 0.0, 0.02]), pose([0.5, 0.2, 0.02])),
        (pose([0.3, 0.0, 0.02]), pose([0.4, 0.0, 0.02])),
    ]
    path = plan_path(start, goal, 0.08, 0.25, 1.0, strokes)[:, 1:4]
    corners = [
        *([0.4, 0.1, 0.18], [0.5, 0.0, 0.18], [0.5, 0.0, 0.02], [0.5, 0.2, 0.02]),
        *([0.5, 0.2, 0.1], [0.3, 0.0, 0.1], [0.3, 0.0, 0.02], [0.4, 0.0, 0.02]),
        *([0.4, 0.0, 0.3], [0.6, 0.1, 0.3]),
    ]
    reached = [np.flatnonzero(np.abs(path - corner).max(axis=1) < 1e-9)[0] for corner in corners]
    assert reached == sorted(reached) and reached[-1] == len(path) - 1
    low = path[:, 2] < 0.02 + 1e-9  # only on the strokes, and where they begin
    assert (path[low, 0] == 0.5).sum() + (np.abs(path[low, 1]) < 1e-9).sum() >= low.sum()


def test_where_it_is_already_there_is_nothing_to_drive():
    assert plan_path(pose([0.4, 0.1, 0.1]), pose([0.4, 0.1, 0.1]), 0.0, 0.25, 1.0).shape == (0, 8)


@st.composite
def poses(draw):
    # Neither 0 nor tiny: such a quaternion is no rotation.
    element = st.floats(0.05, 1.0).flatmap(lambda size: st.sampled_from([size, -size]))
    quaternion = np.array([draw(element) for _ in range(4)])
    position = [draw(st.floats(-1.0, 1.0)) for _ in range(3)]
    return pose(position, quaternion / np.linalg.norm(quaternion))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(poses(), poses(), st.floats(0.0, 0.2), st.floats(0.02, 1.0), st.floats(0.1, 3.0))
def test_every_path_is_slow_enough_and_arrives(start, goal, lift, linear_speed, angular_speed):
    path = plan_path(start, goal, lift, linear_speed, angular_speed)
    np.testing.assert_allclose(path[:, 0], 0.1 * np.arange(1, len(path) + 1))
    whole = np.vstack([start, path[:, 1:]])  # from where the tool is: no jump at the beginning
    steps = np.linalg.norm(np.diff(whole[:, :3], axis=0), axis=1)
    assert (steps <= 0.1 * linear_speed * (1 + 1e-9)).all()
    rotations = Rotation.from_quat(whole[:, 3:])
    turns = (rotations[1:] * rotations[:-1].inv()).magnitude()
    assert (turns <= 0.1 * angular_speed * (1 + 1e-9)).all()
    np.testing.assert_allclose(np.linalg.norm(whole[:, 3:], axis=1), 1.0)
    # It arrives, and its quickest step is nearly as quick as it may be, or the way is short.
    assert whole[-1, :3].tolist() == goal[:3].tolist()
    assert (rotations[-1] * Rotation.from_quat(goal[3:]).inv()).magnitude() < 1e-9
    quickest = np.max([steps / linear_speed, turns / angular_speed], initial=0.0) / 0.1
    assert quickest > 0.9 or len(path) < 40
    # Nothing but up before it is high enough, and never below both ends.
    aside = np.linalg.norm(whole[:, :2] - start[:2], axis=1) > 1e-9
    off = aside & (np.linalg.norm(whole[:, :2] - goal[:2], axis=1) > 1e-9)
    assert (whole[off, 2] >= max(start[2] + lift, goal[2]) - 1e-9).all()
    assert whole[:, 2].min() >= min(start[2], goal[2]) - 1e-9
