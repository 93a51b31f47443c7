"""The Python module, against NumPy and Pinocchio's own Python package."""

from pathlib import Path

import numpy as np
import pinocchio
import pytest

import franka_impedance_controller as fic

JOINTS = [f"panda_joint{i}" for i in range(1, 8)]
TOOL = "panda_link8"
Q = np.array([0.1, -0.3, 0.2, -2.2, 0.1, 2.0, 0.785])
DQ = np.array([0.1, -0.2, 0.3, 0.1, -0.4, 0.2, 0.5])


def panda_urdf() -> str:
    """example-robot-data lies below share/ of the prefix that Pinocchio is installed in."""
    place = "share/example-robot-data/robots/panda_description/urdf/panda.urdf"
    prefixes = Path(pinocchio.__file__).resolve().parents
    return next(prefix / place for prefix in prefixes if (prefix / place).is_file()).read_text()


URDF = panda_urdf()


class Panda:
    """The same arm by Pinocchio's Python package, fingers locked."""

    def __init__(self):
        full = pinocchio.buildModelFromXML(URDF)
        fingers = [full.getJointId(f"panda_finger_joint{i}") for i in (1, 2)]
        self.model = pinocchio.buildReducedModel(full, fingers, pinocchio.neutral(full))
        self.data = self.model.createData()
        self.tool = self.model.getFrameId(TOOL)

    def placement(self, q):
        pinocchio.framesForwardKinematics(self.model, self.data, q)
        return self.data.oMf[self.tool].copy()

    def jacobian(self, q):
        frame = pinocchio.ReferenceFrame.LOCAL_WORLD_ALIGNED
        return pinocchio.computeFrameJacobian(self.model, self.data, q, self.tool, frame).copy()

    def coriolis(self, q, dq):
        return pinocchio.computeCoriolisMatrix(self.model, self.data, q, dq) @ dq

    def gravity(self, q):
        return pinocchio.computeGeneralizedGravity(self.model, self.data, q).copy()


@pytest.fixture
def controller():
    return fic.ImpedanceController(URDF, JOINTS, TOOL, torque_rate_limit=1e9)


def test_model_agrees_with_pinocchio():
    model, panda = fic.RobotModel(URDF, JOINTS, TOOL), Panda()
    placement = panda.placement(Q)
    expected = pinocchio.SE3ToXYZQUAT(placement)
    expected[3:] *= np.sign(expected[3:] @ model.pose(Q)[3:])
    np.testing.assert_allclose(model.pose(Q), expected, atol=1e-12)
    np.testing.assert_allclose(model.jacobian(Q), panda.jacobian(Q), atol=1e-12)
    np.testing.assert_allclose(model.twist(Q, DQ), panda.jacobian(Q) @ DQ, atol=1e-12)
    np.testing.assert_allclose(model.coriolis(Q, DQ), panda.coriolis(Q, DQ), atol=1e-12)
    np.testing.assert_allclose(model.gravity(Q), panda.gravity(Q), atol=1e-12)
    np.testing.assert_allclose(model.torque_limits, [87] * 4 + [12] * 3)


def law(panda, q, dq, reference, reference_velocity, posture):
    """Joint torques of the default gains from the equations of the law. (7,), Nm."""
    stiffness = np.array([2000.0] * 3 + [75.0] * 3)
    damping = np.array([89.0] * 3 + [7.0] * 3)
    clip = np.array([0.01] * 3 + [0.1] * 3)
    max_velocity = np.array([0.25] * 3 + [2.0] * 3)
    pose, jacobian = panda.placement(q), panda.jacobian(q)
    twist = jacobian @ dq
    rotation_error = pinocchio.log3(reference.rotation @ pose.rotation.T)
    error = np.concatenate([reference.translation - pose.translation, rotation_error])
    upper = stiffness * clip + damping * (np.clip(twist, 0, max_velocity) - twist)
    lower = -stiffness * clip + damping * (np.clip(twist, -max_velocity, 0) - twist)
    wrench = np.clip(stiffness * error + damping * (reference_velocity - twist), lower, upper)
    inverse = np.linalg.inv(jacobian @ jacobian.T + 0.005**2 * np.eye(6))
    nullspace = np.eye(7) - jacobian.T @ inverse @ jacobian
    tau_posture = 10.0 * (posture - q) - 6.3 * dq
    return jacobian.T @ wrench + nullspace @ tau_posture + panda.coriolis(q, dq)


def test_torques_are_those_of_the_law(controller):
    """Two ticks toward a target 5 mm and 0.05 rad away."""
    panda = Panda()
    start = panda.placement(Q)
    turn = pinocchio.exp3(np.array([0, 0, 0.05]))
    target = pinocchio.SE3(turn @ start.rotation, start.translation + np.array([0.005, 0, 0]))

    controller.activate(Q, DQ)
    controller.set_target(target.translation, pinocchio.SE3ToXYZQUAT(target)[3:])
    q = Q + 0.01
    controller.update(q, DQ)
    tau = controller.update(q, DQ)

    velocity = np.array([0.005, 0, 0, 0, 0, 0.05]) / 0.1  # straight to the target in its period
    moved = 0.002 * velocity
    turned = pinocchio.exp3(moved[3:]) @ start.rotation
    reference = pinocchio.SE3(turned, start.translation + moved[:3])
    expected = law(panda, q, DQ, reference, velocity, posture=Q)
    expected = np.clip(expected, -panda.model.upperEffortLimit, panda.model.upperEffortLimit)
    np.testing.assert_allclose(tau, expected, atol=1e-9)


def test_update_into_an_array_gives_the_same(controller):
    controller.activate(Q, DQ)
    tau = controller.update(Q, DQ)
    out = np.zeros(7)
    controller.activate(Q, DQ)
    assert controller.update(Q, DQ, out) is None
    np.testing.assert_array_equal(out, tau)
    np.testing.assert_array_equal(controller.state.tau, tau)


def test_state_is_a_copy_of_the_tick(controller):
    controller.activate(Q, np.zeros(7))
    before = controller.state
    controller.set_target(before.pose[:3] + np.array([0.05, 0, 0]), before.pose[3:])
    for _ in range(149):
        controller.update(Q, np.zeros(7))
    state = controller.state
    assert before.reason == fic.Reason.HOLDING
    assert state.reason == fic.Reason.OK
    assert int(fic.Reason.TORQUE_LIMIT) == 9
    assert state.clipped_axes.tolist() == [True] + [False] * 5
    np.testing.assert_allclose(state.clipped[:3] - before.pose[:3], [0.01, 0, 0], atol=1e-9)
    np.testing.assert_allclose(state.wrench, [20, 0, 0, 0, 0, 0], atol=1e-6)
    assert state.target.shape == state.filtered.shape == (7,)


@pytest.mark.parametrize(
    ("position", "quaternion", "message"),
    [
        ([0.5, np.nan, 0.3], [0, 0, 0, 1], "finite"),
        ([0.5, 0.0, 0.3], [0, 0, 0, 2], "unit"),
        ([0.5, 0.0], [0, 0, 0, 1], "position: expected 3 values, got 2"),
        ([0.5, 0.0, 3.0], [0, 0, 0, 1], "too far away"),
    ],
)
def test_bad_targets_are_refused(controller, position, quaternion, message):
    controller.activate(Q, DQ)
    target = controller.state.target
    with pytest.raises(ValueError, match=message):
        controller.set_target(position, quaternion)
    np.testing.assert_array_equal(controller.state.target, target)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fic.Gains(stiffness=[1, 2]), "stiffness: expected 6 values, got 2"),
        (lambda: fic.Gains(damping=[-1] * 6), r"damping\[0\]: expected a number from 0 to 1e6"),
        (lambda: fic.Guards(target_timeout=0), "target_timeout: expected a finite number > 0"),
        (lambda: fic.RobotModel("<arm/>", JOINTS, TOOL), "urdf: not a valid URDF"),
        (lambda: fic.RobotModel(URDF, ["elbow"], TOOL), "no joint 'elbow'"),
        (lambda: fic.RobotModel(URDF, JOINTS, "hook"), "no frame 'hook'"),
        (lambda: fic.RobotModel(URDF, JOINTS, TOOL).pose(np.zeros(6)), "q: expected 7 values"),
    ],
)
def test_bad_input_is_one_line(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_target_before_activation_is_refused(controller):
    with pytest.raises(ValueError, match="not active"):
        controller.set_target([0.5, 0.0, 0.3], [0, 0, 0, 1])


def test_a_stale_target_stops_the_arm(controller):
    controller.set_guards(fic.Guards(target_timeout=0.05))
    controller.activate(Q, np.zeros(7))
    start = controller.state.pose
    controller.set_target(start[:3] + np.array([0.05, 0, 0]), start[3:])
    for _ in range(60):
        controller.update(Q, np.zeros(7))
    assert controller.state.reason == fic.Reason.TARGET_STALE
    np.testing.assert_allclose(controller.state.target[:3] - start[:3], [0.01, 0, 0], atol=1e-9)


def test_gains_can_change_while_running(controller):
    controller.activate(Q, np.zeros(7))
    controller.set_gains(fic.Gains(stiffness=[1000] * 3 + [50] * 3))
    np.testing.assert_array_equal(controller.gains.stiffness, [1000] * 3 + [50] * 3)
    with pytest.raises(ValueError, match="assignment destination is read-only"):
        controller.gains.stiffness[0] = 5.0
