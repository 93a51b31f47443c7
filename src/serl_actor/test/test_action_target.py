"""Where an action sends the tool: box and keep-out box, by hand-computed numbers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from serl_actor.workspace import Workspace, keep_out

DOWN = Rotation.from_quat([1.0, 0.0, 0.0, 0.0])
CENTER = np.array([0.5, 0.0, 0.1])
LOW = [-0.05, -0.05, -0.01, -0.05, -0.05, -0.3]
HIGH = [0.05, 0.05, 0.2, 0.05, 0.05, 0.3]


@pytest.fixture
def workspace():
    return Workspace(CENTER, DOWN, LOW, HIGH, action_scale=(0.01, 0.1))


def test_an_action_moves_the_measured_pose_in_the_base_frame(workspace):
    here = CENTER + np.array([0.01, 0.02, 0.05])
    position, rotation = workspace.target(here, DOWN, np.array([1.0, -0.5, 0, 0, 0, 1.0]))
    np.testing.assert_allclose(position, here + np.array([0.01, -0.005, 0.0]))
    turn = (rotation * DOWN.inv()).as_rotvec()
    np.testing.assert_allclose(turn, [0.0, 0.0, 0.1], atol=1e-12)


def test_the_target_stays_in_the_box(workspace):
    turned = Rotation.from_euler("xyz", [0.2, -0.01, -0.5]) * DOWN
    position, rotation = workspace.target(
        CENTER + np.array([0.06, -0.06, -0.02]), turned, np.zeros(6)
    )
    np.testing.assert_allclose(position, CENTER + np.array([0.05, -0.05, -0.01]))
    rpy = (rotation * DOWN.inv()).as_euler("xyz")
    np.testing.assert_allclose(rpy, [0.05, -0.01, -0.3])


def test_a_long_action_is_bounded_in_its_own_direction(workspace):
    """As the diagonal of the unit box: elements of an action of the tool's frame may exceed 1."""
    position, _ = workspace.target(CENTER, DOWN, np.array([3.0, 4.0, 0, 0, 0, 0]))
    np.testing.assert_allclose(position - CENTER, 0.01 * np.sqrt(3.0) * np.array([0.6, 0.8, 0.0]))


def test_the_target_goes_along_the_face_of_the_box_that_is_not_entered():
    corners = (-0.02, -0.02, -0.1), (0.02, 0.02, 0.05)
    workspace = Workspace(CENTER, DOWN, LOW, HIGH, action_scale=(0.01, 0.1), keep_out=corners)
    beside = CENTER + np.array([-0.025, 0.0, 0.0])
    position, _ = workspace.target(beside, DOWN, np.array([1.0, 0.5, 0, 0, 0, 0]))
    np.testing.assert_allclose(position, CENTER + np.array([-0.02, 0.005, 0.0]))


def test_ways_go_along_the_faces_of_a_box():
    low, high = np.array([-1.0, -1.0, -1.0]), np.array([1.0, 1.0, 1.0])
    for start, end, wanted in (
        ([-3, 0, 0], [3, 0.2, 0.1], [-1, 0.2, 0.1]),
        ([0, 0, 5], [0, 0, 0], [0, 0, 1]),
        ([-3, 0, 0], [-2, 0, 0], [-2, 0, 0]),  # short of it
        ([-3, 2, 0], [3, 2, 0], [3, 2, 0]),  # beside it, in parallel
        ([-2, 0, 0], [0, 4, 0], [0, 4, 0]),  # past a corner
        ([2, 0, 0], [3, 0, 0], [3, 0, 0]),  # away from it
        ([1, 0, 0], [2, 0, 0], [2, 0, 0]),  # away from its face
        ([1, 0, 0], [0, 0.5, 0], [1, 0.5, 0]),  # from its face inwards
        ([0, 0, 0.9], [0, 0.5, 0], [0, 0.5, 1]),  # from within, deeper
        ([0, 0, 0.9], [0, 0, 2], [0, 0, 2]),  # from within, out
    ):
        got = keep_out(*(np.array(v, float) for v in (start, end)), low, high)
        np.testing.assert_allclose(got, wanted, atol=1e-12)
