import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from serl_learner.config import ConfigError
from serl_learner.reward import Judgement, Step
from serl_reward.pose_reward import PoseReward, PoseRewardConfig

POSITION = (0.5, 0.1, 0.2)
DOWN = Rotation.from_rotvec([np.pi, 0.0, 0.0])  # tool pointing down
CONFIG = PoseRewardConfig(POSITION, tuple(DOWN.as_quat()))  # 3, 3, 1 mm; 0.1 rad


def judge(offset=(0.0, 0.0, 0.0), rotation=DOWN, config=CONFIG):
    return judge_pose(np.concatenate([np.add(POSITION, offset), rotation.as_quat()]), config)


def judge_pose(pose, config=CONFIG):
    return PoseReward(config)(Step({}, np.zeros(6), {"pose": pose}))


def test_at_the_target():
    assert judge() == Judgement(reward=1.0, success=True, confidence=1.0)


@pytest.mark.parametrize(
    ("offset", "success"),
    [
        ((0.0029, -0.0029, 0.0009), True),  # each axis has its own tolerance
        ((0.0031, 0.0, 0.0), False),
        ((0.0, -0.0031, 0.0), False),
        ((0.0, 0.0, 0.0011), False),
        ((0.0, 0.0, -0.0011), False),
    ],
)
def test_position_along_each_base_axis(offset, success):
    judgement = judge(offset)
    assert judgement == Judgement(float(success), success, float(success))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_angle_counts_about_every_axis_in_both_directions(axis, sign):
    turn = np.zeros(3)
    turn[axis] = sign * 0.09
    assert judge(rotation=Rotation.from_rotvec(turn) * DOWN).success
    turn[axis] = sign * 0.11
    assert not judge(rotation=Rotation.from_rotvec(turn) * DOWN).success


def test_the_sign_of_yaw_counts():
    # Target yaw +0.3 rad. A tool at -0.3 rad is 0.6 rad away, though |yaw| is the same.
    def at_yaw(angle):
        return Rotation.from_rotvec([0.0, 0.0, angle]) * DOWN

    config = PoseRewardConfig(POSITION, tuple(at_yaw(0.3).as_quat()))
    assert judge(rotation=at_yaw(0.3), config=config).success
    assert not judge(rotation=at_yaw(-0.3), config=config).success


def test_across_pi_and_with_the_quaternion_of_other_sign():
    # Target at +3.1 rad, tool at -3.1 rad about x: 2 * (pi - 3.1) = 0.083 rad apart.
    config = PoseRewardConfig(POSITION, tuple(Rotation.from_rotvec([3.1, 0, 0]).as_quat()))
    tool = Rotation.from_rotvec([-3.1, 0, 0])
    assert judge(rotation=tool, config=config).success
    pose = np.concatenate([POSITION, -tool.as_quat()])
    assert judge_pose(pose, config).success
    tight = PoseRewardConfig(POSITION, config.quaternion_xyzw, rotation_tolerance=0.083)
    assert not judge(rotation=tool, config=tight).success


def test_two_small_rotations_add_up_to_one_angle():
    # 0.08 rad about x and about y: 0.113 rad in all, though each Euler angle is within 0.1.
    assert not judge(rotation=Rotation.from_rotvec([0.08, 0.08, 0.0]) * DOWN).success


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": (0.0, 0.0)}, "position: expected 3 finite numbers, got .0.0, 0.0."),
        ({"quaternion_xyzw": (0.0, 0.0, 0.0, 0.0)}, "quaternion_xyzw: expected unit length"),
        ({"position_tolerance": (0.003, 0.0, 0.001)}, "expected above 0"),
        ({"rotation_tolerance": float("nan")}, "expected above 0"),
    ],
)
def test_bad_configuration_is_refused(change, message):
    good = {"position": POSITION, "quaternion_xyzw": (1.0, 0.0, 0.0, 0.0)}
    with pytest.raises(ConfigError, match=message):
        PoseRewardConfig(**(good | change))


def test_a_pose_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="pose: expected 7 finite numbers"):
        judge_pose(np.array([np.nan, 0, 0, 0, 0, 0, 1]))
    with pytest.raises(ValueError, match="pose: expected 7 finite numbers"):
        judge_pose(np.zeros(6))
