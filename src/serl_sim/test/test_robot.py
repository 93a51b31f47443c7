"""The simulated arm against its URDF, its limits, and the law's bounds."""

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from franka_impedance_controller import RobotModel
from serl_sim import pcb_scene
from serl_sim.arms import ARMS, TOOL_FRAME, arm_urdf
from serl_sim.geometry import canonical, to_wxyz, to_xyzw
from serl_sim.robot import Pose


def tilted(env, xyz, rz=0.0) -> Pose:
    """The goal, moved by `xyz` in the base frame and turned about the vertical."""
    return Pose(env.goal.position + xyz, Rotation.from_rotvec([0, 0, rz]) * env.goal.rotation)


def press(env, target: Pose, steps: int) -> None:
    for _ in range(steps):
        env.robot.set_target(target)
        env.robot.run(100)


def arm_name(env) -> str:
    return next(name for name, arm in ARMS.items() if arm is env.arm)


@pytest.fixture(scope="module")
def pinocchio_model(env):
    return RobotModel(arm_urdf(env.arm, pcb_scene.CONNECTOR), env.arm.joint_names, TOOL_FRAME)


def test_mujoco_and_pinocchio_agree(env, pinocchio_model):
    rng = np.random.default_rng(0)
    model, data = env.robot.model, mujoco.MjData(env.robot.model)
    for _ in range(20):
        q = rng.uniform(*model.jnt_range.T)
        dq = rng.uniform(-1, 1, model.nv)
        data.qpos[:], data.qvel[:] = q, dq
        mujoco.mj_forward(model, data)
        pose = pinocchio_model.pose(q)
        site = data.site(TOOL_FRAME)
        rotation = Rotation.from_matrix(site.xmat.reshape(3, 3))
        np.testing.assert_allclose(pose[:3], site.xpos, atol=1e-9)
        assert (Rotation.from_quat(pose[3:]).inv() * rotation).magnitude() < 1e-9
        np.testing.assert_allclose(pinocchio_model.gravity(q), data.qfrc_gravcomp, atol=1e-9)
        bias = data.qfrc_bias - data.qfrc_gravcomp
        np.testing.assert_allclose(pinocchio_model.coriolis(q, dq), bias, atol=1e-9)


def test_limits_are_the_urdfs(env):
    model = env.robot.model
    torque = {"panda": [87, 87, 87, 87, 12, 12, 12], "ur5": [150, 150, 150, 28, 28, 28]}
    fourth_joint = {"panda": [-3.0718, -0.0698], "ur5": [-2 * np.pi, 2 * np.pi]}
    np.testing.assert_array_equal(model.jnt_actfrcrange[:, 1], torque[arm_name(env)])
    np.testing.assert_allclose(model.jnt_range[3], fourth_joint[arm_name(env)])


def test_the_nominal_posture_points_the_tool_down_and_is_far_from_a_singularity(env):
    model, data = env.robot.model, mujoco.MjData(env.robot.model)
    data.qpos[:] = env.arm.nominal_q
    mujoco.mj_forward(model, data)
    site, jacobian = data.site(TOOL_FRAME), np.empty((6, model.nv))
    np.testing.assert_allclose(site.xmat.reshape(3, 3), np.diag([1, -1, -1]), atol=0.05)
    np.testing.assert_allclose(site.xpos[:2], env.goal.position[:2], atol=0.1)
    mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], site.id)
    assert np.linalg.svd(jacobian, compute_uv=False)[-1] > 0.15


def test_every_arm_carries_the_gripper_on_its_flange(env):
    """Its mass, with the connector's, is 0.772 kg, and from flange to tip it is 0.1334 m."""
    link = {"panda": "panda_link7", "ur5": "wrist_3_link"}[arm_name(env)]
    mass = {"panda": 0.735522, "ur5": 0.1879}[arm_name(env)]  # kg, of the link alone
    flange = {"panda": [0, 0, 0.107], "ur5": [0, 0.0823, 0]}[arm_name(env)]  # m, in the link
    body, site = env.robot.model.body(link), env.robot.model.site(TOOL_FRAME)
    assert body.mass == pytest.approx(mass + 0.73 + 2 * 0.015 + 0.012)
    assert site.bodyid == body.id
    outward = np.array(flange) / np.linalg.norm(flange)
    np.testing.assert_allclose(site.pos, flange + 0.1334 * outward, atol=1e-6)


def test_arm_holds_still_without_a_target(env):
    env.reset(seed=0)
    before = env.robot.pose
    env.robot.run(1000)
    assert np.linalg.norm(env.robot.pose.position - before.position) < 1e-6
    assert (env.robot.pose.rotation * before.rotation.inv()).magnitude() < 1e-6


def test_zero_action_holds_still(env):
    env.reset(seed=0)
    before = env.robot.pose.position
    for _ in range(20):
        env.step(np.zeros(6))
    assert np.linalg.norm(env.robot.pose.position - before) < 1e-4


def test_torques_stay_within_limits(env):
    """Under full actions in random directions, with gravity compensation counted in."""
    largest = np.zeros(env.robot.model.nv)

    def step(model, data):
        mujoco.mj_step(model, data)
        np.maximum(largest, np.abs(data.qfrc_actuator), out=largest)

    rng = np.random.default_rng(0)
    env.reset(seed=0)
    env.robot.step_physics = step
    try:
        for _ in range(50):
            env.step(rng.choice([-1.0, 1.0], 6))
    finally:
        env.robot.step_physics = mujoco.mj_step
    assert (largest <= env.robot.model.jnt_actfrcrange[:, 1] + 1e-9).all()
    assert largest[1] > 20.0  # gravity alone asks for that much


def test_inverse_kinematics_is_exact_and_refuses_what_is_out_of_reach(env):
    pose = tilted(env, [0.03, -0.04, 0.04], rz=0.3)
    env.robot.reset(pose)
    np.testing.assert_allclose(env.robot.pose.position, pose.position, atol=1e-8)
    assert (env.robot.pose.rotation * pose.rotation.inv()).magnitude() < 1e-8
    with pytest.raises(ValueError, match="out of reach"):
        env.robot.reset(tilted(env, [2.0, 0, 0]))


def test_twist_is_the_rate_of_the_pose(env):
    env.robot.reset(tilted(env, [0, 0, 0.04]))
    env.robot.set_target(tilted(env, [0.03, 0, 0.04], rz=0.2))
    env.robot.run(50)
    before = env.robot.pose
    env.robot.run(1)
    after = env.robot.pose
    rate = np.append(
        after.position - before.position, (after.rotation * before.rotation.inv()).as_rotvec()
    )
    np.testing.assert_allclose(env.robot.twist, rate / 0.001, rtol=0.05, atol=2e-3)
    assert env.robot.twist[0] > 0.02


@pytest.mark.parametrize(("push", "axis", "sign"), [(6.0, 2, -1), (7.5, 0, -1), (4.5, 1, -1)])
def test_contact_force_is_bounded_by_stiffness_times_clip(env, push, axis, sign):
    """Pressing 5 cm into the board, or from inside the socket into its walls."""
    on_the_board = np.array([0.03, 0.0, 0.004])
    start = on_the_board if axis == 2 else np.array([0.0, 0.0, 0.001])
    env.robot.reset(tilted(env, start))
    target = start.copy()
    target[axis] += sign * 0.05
    press(env, tilted(env, target), 10)
    force = env.robot.pose.rotation.apply(env.robot.wrench[:3])  # base frame
    assert abs(force[axis]) == pytest.approx(push, rel=0.05)


def test_wrench_is_that_of_the_contact(env):
    """A corner of the plug on the board: the lever arm gives the torque."""
    env.robot.reset(tilted(env, [0.03, 0.0, 0.004]))
    press(env, tilted(env, [0.03, 0.0, -0.05]), 10)
    force, torque = np.split(env.robot.wrench, 2)
    assert force[2] == pytest.approx(-6.0, rel=0.05)  # tool z points down, the board pushes up
    assert np.abs(torque[:2]).max() < 6.3 * 0.011  # nothing acts outside the plug's face
    data = env.robot.data
    total = np.zeros(3)
    for i in range(data.ncon):
        contact_wrench = np.zeros(6)
        mujoco.mj_contactForce(env.robot.model, data, i, contact_wrench)
        towards_tool = 1 if data.contact.geom[i][1] == env.robot.model.geom("plug").id else -1
        total += towards_tool * data.contact.frame[i].reshape(3, 3).T @ contact_wrench[:3]
    np.testing.assert_allclose(env.robot.pose.rotation.inv().apply(total), force, atol=0.1)


def test_quaternion_helpers():
    np.testing.assert_array_equal(to_wxyz([1, 2, 3, 4]), [4, 1, 2, 3])
    np.testing.assert_array_equal(to_xyzw([4, 1, 2, 3]), [1, 2, 3, 4])
    np.testing.assert_array_equal(canonical(np.array([-0.8, 0, 0, 0.6])), [0.8, 0, 0, -0.6])
