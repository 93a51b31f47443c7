import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from serl_actor import frames

HALF = np.sqrt(0.5)
QUARTER_TURN_Z = np.array([0.0, 0.0, HALF, HALF])


def random_poses(count):
    rng = np.random.default_rng(0)
    quaternions = Rotation.random(count, rng=rng).as_quat()
    return np.hstack([rng.uniform(-1.0, 1.0, (count, 3)), quaternions])


def homogeneous(pose):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(pose[3:]).as_matrix()
    matrix[:3, 3] = pose[:3]
    return matrix


def test_a_quarter_turn_about_z_takes_x_to_y():
    np.testing.assert_allclose(
        frames.rotation_matrix(QUARTER_TURN_Z) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-15
    )
    np.testing.assert_allclose(frames.rotation_vector(QUARTER_TURN_Z), [0.0, 0.0, np.pi / 2])


def test_relative_pose_by_hand():
    # Frame b at (1, 0, 0), turned a quarter about z: its x axis is the base's y axis.
    pose_b = np.array([1.0, 0.0, 0.0, *QUARTER_TURN_Z])
    pose_c = np.array([1.0, 2.0, 0.5, *QUARTER_TURN_Z])
    np.testing.assert_allclose(
        frames.relative(pose_b, pose_c), [2.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0], atol=1e-15
    )


def test_relative_pose_agrees_with_homogeneous_matrices():
    poses = random_poses(40)
    for a, b in zip(poses[:20], poses[20:], strict=True):
        expected = np.linalg.inv(homogeneous(a)) @ homogeneous(b)
        np.testing.assert_allclose(homogeneous(frames.relative(a, b)), expected, atol=1e-12)


def test_rotation_vector_agrees_with_scipy_and_ignores_the_sign_and_length_of_the_quaternion():
    for pose in random_poses(20):
        expected = Rotation.from_quat(pose[3:]).as_rotvec()
        for factor in (1.0, -1.0, 3.0):
            np.testing.assert_allclose(
                frames.rotation_vector(factor * pose[3:]), expected, atol=1e-12
            )


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6])
def test_rotation_vector_is_exact_for_small_angles(angle):
    quaternion = [np.sin(angle / 2), 0.0, 0.0, np.cos(angle / 2)]
    np.testing.assert_allclose(frames.rotation_vector(quaternion), [angle, 0.0, 0.0], atol=1e-18)


def test_a_translation_stays_a_translation_and_what_follows_the_blocks_passes():
    rotation = frames.rotation_matrix(QUARTER_TURN_Z)
    rotated = frames.rotate_blocks(rotation, np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.7]))
    np.testing.assert_allclose(rotated, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.7], atol=1e-15)
    rotated = frames.rotate_blocks(rotation, np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0]))
    np.testing.assert_allclose(rotated, [0.0, 0.0, 0.0, -2.0, 1.0, 3.0], atol=1e-15)
