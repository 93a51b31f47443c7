// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "franka_impedance_controller/impedance_controller.hpp"
#include "robots.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr double kDt = 0.001;

ImpedanceController panda_controller(double torque_rate = 1000.0)
{
  return {panda(), Gains{}, kDt, Limits{{}, torque_rate}};
}

/// Sends the target at 10 Hz, as an actor does, while the arm is held where it is.
void pull(
  ImpedanceController & controller, const Pose & target, const JointVector & q, int ticks = 500)
{
  for (int tick = 0; tick < ticks; ++tick)
  {
    if (tick % 100 == 0)
    {
      controller.set_target(target);
    }
    controller.update(q, JointVector::Zero(q.size()));
  }
}

Pose shifted(const Pose & pose, double x, double turn_about_z)
{
  Vector6 error = Vector6::Zero();
  error[0] = x;
  error[5] = turn_about_z;
  return displace(pose, error);
}

// test_python_module.py computes the same torques from the equations, with NumPy.
TEST(ImpedanceController, GivesTheTorquesOfTheLaw)
{
  ImpedanceController controller = panda_controller(1e9);
  controller.activate(panda_q(), panda_dq());
  controller.set_target(shifted(controller.state().pose, 0.005, 0.05));
  const JointVector q = panda_q() + JointVector::Constant(7, 0.01);
  controller.update(q, panda_dq());
  const JointVector tau = controller.update(q, panda_dq());
  const JointVector golden =
    (JointVector(7) << -14.663584672296819, 12.119662819439071, -15.52804854014283,
     -12.648489043584734, -0.81882110167814937, -5.5713880795482833, -2.5628034682910932)
      .finished();
  EXPECT_TRUE(tau.isApprox(golden, 1e-9)) << tau.transpose();
}

TEST(ImpedanceController, HoldsTheMeasuredPoseAfterActivation)
{
  ImpedanceController controller = panda_controller();
  const JointVector zero = JointVector::Zero(7);
  controller.activate(panda_q(), zero);
  EXPECT_LT(controller.update(panda_q(), zero).norm(), 1e-9);
  EXPECT_EQ(controller.state().reason, Reason::kHolding);
  EXPECT_TRUE(controller.state().target.position == controller.state().pose.position);
}

TEST(ImpedanceController, ActivationForgetsTheOldTarget)
{
  ImpedanceController controller = panda_controller();
  const JointVector zero = JointVector::Zero(7);
  controller.activate(panda_q(), zero);
  controller.set_target(shifted(controller.state().pose, 0.1, 0.0));
  for (int tick = 0; tick < 100; ++tick)
  {
    controller.update(panda_q(), zero);
  }
  EXPECT_GT(controller.state().tau.norm(), 1.0);
  controller.activate(panda_q(), zero);
  EXPECT_LT(controller.update(panda_q(), zero).norm(), 1e-9);
}

TEST(ImpedanceController, GivesNoTorqueBeforeActivation)
{
  ImpedanceController controller = panda_controller();
  EXPECT_EQ(controller.update(panda_q(), panda_dq()), JointVector::Zero(7));
}

TEST(ImpedanceController, BoundsTheForceAndSaysWhichAxesAreClipped)
{
  ImpedanceController controller = panda_controller();
  const JointVector zero = JointVector::Zero(7);
  controller.activate(panda_q(), zero);
  const Pose start = controller.state().pose;
  pull(controller, shifted(start, -0.05, 0.0), panda_q());
  const ControllerState & state = controller.state();
  EXPECT_NEAR(state.wrench[0], -2000 * 0.01, 1e-9);
  EXPECT_NEAR(state.clipped.position.x(), start.position.x() - 0.01, 1e-9);
  EXPECT_NEAR(state.filtered.position.x(), start.position.x() - 0.05, 1e-6);
  EXPECT_TRUE(state.clipped_axes[0]);
  EXPECT_FALSE(state.clipped_axes.tail<5>().any());
  EXPECT_EQ(state.reason, Reason::kOk);
}

TEST(ImpedanceController, RejectsBadTargetsAndKeepsTheOldOne)
{
  ImpedanceController controller = panda_controller();
  controller.activate(panda_q(), JointVector::Zero(7));
  const Pose good = shifted(controller.state().pose, 0.001, 0.0);
  EXPECT_EQ(controller.set_target(good), Reason::kOk);

  Pose bad = good;
  bad.position.y() = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(controller.set_target(bad), Reason::kTargetNotFinite);
  bad = good;
  bad.orientation.coeffs().setZero();
  EXPECT_EQ(controller.set_target(bad), Reason::kTargetNotUnit);
  EXPECT_EQ(controller.state().target.position, good.position);

  controller.update(panda_q(), JointVector::Zero(7));
  EXPECT_EQ(controller.state().reason, Reason::kTargetNotUnit);
  EXPECT_EQ(controller.set_target(good), Reason::kOk);
}

TEST(ImpedanceController, LimitsTheTorqueRateAndSaysSo)
{
  ImpedanceController controller = panda_controller();
  controller.activate(panda_q(), JointVector::Zero(7));
  controller.set_target(shifted(controller.state().pose, 0.05, 0.0));
  JointVector previous = JointVector::Zero(7);
  for (int tick = 0; tick < 20; ++tick)
  {
    const JointVector tau = controller.update(panda_q(), JointVector::Zero(7));
    EXPECT_LE((tau - previous).cwiseAbs().maxCoeff(), 1.0 + 1e-12);
    if (tick == 0)
    {
      EXPECT_EQ(controller.state().reason, Reason::kTorqueRateLimit);
    }
    previous = tau;
  }
}

TEST(ImpedanceController, LimitsTheTorqueAndSaysSo)
{
  ImpedanceController controller(panda(), Gains{}, kDt, Limits{JointVector::Constant(7, 0.5)});
  controller.activate(panda_q(), JointVector::Zero(7));
  controller.set_target(shifted(controller.state().pose, 0.05, 0.0));
  for (int tick = 0; tick < 100; ++tick)
  {
    EXPECT_LE(controller.update(panda_q(), JointVector::Zero(7)).cwiseAbs().maxCoeff(), 0.5);
  }
  EXPECT_EQ(controller.state().reason, Reason::kTorqueLimit);
}

TEST(ImpedanceController, LetsGoWhenTheMeasurementIsNotFinite)
{
  ImpedanceController controller = panda_controller();
  controller.activate(panda_q(), JointVector::Zero(7));
  controller.set_target(shifted(controller.state().pose, 0.05, 0.0));
  for (int tick = 0; tick < 100; ++tick)
  {
    controller.update(panda_q(), JointVector::Zero(7));
  }
  JointVector broken = panda_q();
  broken[2] = std::numeric_limits<double>::quiet_NaN();
  for (int tick = 0; tick < 100; ++tick)
  {
    EXPECT_TRUE(controller.update(broken, JointVector::Zero(7)).allFinite());
  }
  EXPECT_EQ(controller.state().reason, Reason::kHardwareError);
  EXPECT_EQ(controller.state().tau, JointVector::Zero(7));
}

// Only activate() ends a fault: a measurement that is good again, or a target, does not.
TEST(ImpedanceController, StaysAtRestAfterAFault)
{
  ImpedanceController controller = panda_controller();
  const JointVector zero = JointVector::Zero(7);
  controller.activate(panda_q(), zero);
  JointVector broken = zero;
  broken[0] = std::numeric_limits<double>::infinity();
  controller.update(panda_q(), broken);
  EXPECT_EQ(
    controller.set_target(shifted(controller.state().pose, 0.01, 0.0)), Reason::kHardwareError);
  for (int tick = 0; tick < 100; ++tick)
  {
    controller.update(panda_q(), zero);
    EXPECT_EQ(controller.state().reason, Reason::kHardwareError);
  }
  EXPECT_EQ(controller.state().tau, zero);
  controller.activate(panda_q(), zero);
  controller.update(panda_q(), zero);
  EXPECT_EQ(controller.state().reason, Reason::kHolding);
}

TEST(ImpedanceController, IsNotActivatedByABrokenMeasurement)
{
  ImpedanceController controller = panda_controller();
  const JointVector zero = JointVector::Zero(7);
  JointVector broken = panda_q();
  broken[6] = std::numeric_limits<double>::quiet_NaN();
  controller.activate(broken, zero);
  EXPECT_EQ(controller.update(panda_q(), zero), zero);
  EXPECT_EQ(controller.state().reason, Reason::kHardwareError);
}

// A tool far outside the box is not sent there by itself.
TEST(ImpedanceController, RejectsATargetThatTheBoxMovesFarAway)
{
  ImpedanceController controller = panda_controller();
  controller.activate(panda_q(), JointVector::Zero(7));
  const Pose start = controller.state().pose;
  Guards guards;
  guards.workspace_upper.x() = start.position.x() - 0.2;
  controller.set_guards(guards);
  EXPECT_EQ(controller.set_target(shifted(start, -0.01, 0.0)), Reason::kTargetJump);
  guards.workspace_upper.x() = start.position.x() - 0.1;
  controller.set_guards(guards);
  EXPECT_EQ(controller.set_target(shifted(start, -0.01, 0.0)), Reason::kWorkspaceLimit);
}

TEST(ImpedanceController, RejectsAJump)
{
  ImpedanceController controller(panda(), Gains{}, kDt, {}, Guards{});
  controller.activate(panda_q(), JointVector::Zero(7));
  const Pose start = controller.state().pose;
  EXPECT_EQ(controller.set_target(shifted(start, 0.14, 0.0)), Reason::kOk);
  EXPECT_EQ(controller.set_target(shifted(start, 0.16, 0.0)), Reason::kTargetJump);
  EXPECT_EQ(controller.set_target(shifted(start, 0.0, 0.7)), Reason::kOk);
  EXPECT_EQ(controller.set_target(shifted(start, 0.0, -0.9)), Reason::kTargetJump);
  EXPECT_TRUE(controller.state().target.orientation.isApprox(shifted(start, 0.0, 0.7).orientation));
  controller.update(panda_q(), JointVector::Zero(7));
  EXPECT_EQ(controller.state().reason, Reason::kTargetJump);
}

TEST(ImpedanceController, KeepsTheTargetInTheWorkspace)
{
  ImpedanceController controller = panda_controller();
  controller.activate(panda_q(), JointVector::Zero(7));
  const Pose start = controller.state().pose;
  Guards guards;
  guards.workspace_upper.x() = start.position.x() + 0.01;
  controller.set_guards(guards);
  EXPECT_EQ(controller.set_target(shifted(start, 0.009, 0.0)), Reason::kOk);
  EXPECT_EQ(controller.set_target(shifted(start, 0.05, 0.0)), Reason::kWorkspaceLimit);
  EXPECT_NEAR(controller.state().target.position.x(), start.position.x() + 0.01, 1e-12);
  controller.update(panda_q(), JointVector::Zero(7));
  EXPECT_EQ(controller.state().reason, Reason::kWorkspaceLimit);
}

TEST(ImpedanceController, StopsWhenTheTargetIsStale)
{
  ImpedanceController controller = panda_controller();
  const JointVector zero = JointVector::Zero(7);
  controller.activate(panda_q(), zero);
  for (int tick = 0; tick < 1000; ++tick)
  {  // no target has come yet: nothing to be late
    controller.update(panda_q(), zero);
  }
  EXPECT_EQ(controller.state().reason, Reason::kHolding);

  const Pose start = controller.state().pose;
  controller.set_target(shifted(start, 0.05, 0.0));
  for (int tick = 0; tick < 149; ++tick)
  {
    controller.update(panda_q(), zero);
  }
  EXPECT_EQ(controller.state().reason, Reason::kOk);
  const Vector6 wrench = controller.state().wrench;
  controller.update(panda_q(), zero);
  controller.update(panda_q(), zero);
  const ControllerState & state = controller.state();
  EXPECT_EQ(state.reason, Reason::kTargetStale);
  // Held by the spring as it was, which now leads no further than its clip.
  EXPECT_TRUE(state.wrench.isApprox(wrench, 1e-9));
  EXPECT_NEAR(state.target.position.x(), start.position.x() + 0.01, 1e-9);
  EXPECT_EQ(controller.set_target(shifted(start, 0.001, 0.0)), Reason::kOk);
  controller.update(panda_q(), zero);
  EXPECT_NE(controller.state().reason, Reason::kTargetStale);
}

// Even where the tool is outside the box: a stop is a stop.
TEST(ImpedanceController, AStopDoesNotTravel)
{
  ImpedanceController controller = panda_controller();
  const JointVector zero = JointVector::Zero(7);
  controller.activate(panda_q(), zero);
  const Pose start = controller.state().pose;
  controller.set_target(start);
  Guards guards;
  guards.workspace_upper.x() = start.position.x() - 0.3;
  controller.set_guards(guards);
  for (int tick = 0; tick < 200; ++tick)
  {
    controller.update(panda_q(), zero);
  }
  EXPECT_EQ(controller.state().reason, Reason::kTargetStale);
  EXPECT_TRUE(controller.state().target.position.isApprox(start.position, 1e-9));
}

// A target that is rejected is none: the timer runs on.
TEST(ImpedanceController, RejectedTargetsDoNotKeepTheArmGoing)
{
  ImpedanceController controller = panda_controller();
  const JointVector zero = JointVector::Zero(7);
  controller.activate(panda_q(), zero);
  const Pose start = controller.state().pose;
  controller.set_target(shifted(start, 0.05, 0.0));
  for (int tick = 0; tick < 200; ++tick)
  {
    controller.set_target(shifted(start, 0.5, 0.0));
    controller.update(panda_q(), zero);
  }
  EXPECT_NEAR(controller.state().target.position.x(), start.position.x() + 0.01, 1e-9);
}

TEST(ImpedanceController, SaysThatAWrapperRefusedATarget)
{
  ImpedanceController controller = panda_controller();
  controller.activate(panda_q(), JointVector::Zero(7));
  controller.refuse_target(Reason::kSecondPublisher);
  controller.update(panda_q(), JointVector::Zero(7));
  EXPECT_EQ(controller.state().reason, Reason::kSecondPublisher);
}

TEST(ImpedanceController, PushesBackNearAJointLimit)
{
  ImpedanceController controller = panda_controller(1e9);
  JointVector q = panda_q();
  q[3] = -3.0718 + 0.1;  // where the Panda's elbow ends, and the margin
  controller.activate(q, JointVector::Zero(7));
  const JointVector before = controller.update(q, JointVector::Zero(7));
  q[3] = -3.0718 + 0.05;
  controller.activate(q, JointVector::Zero(7));
  EXPECT_LT(controller.update(q, JointVector::Zero(7)).norm(), 1e-9);  // found there: not moved
  EXPECT_EQ(controller.state().reason, Reason::kJointLimit);
  EXPECT_LT(before.norm(), 1e-9);

  Gains none;
  none.stiffness.setZero();
  none.nullspace_stiffness = 0.0;
  controller.set_gains(none);
  q[3] = -3.0718 + 0.2;
  controller.activate(q, JointVector::Zero(7));
  controller.update(q, JointVector::Zero(7));
  q[3] = -3.0718 + 0.05;
  EXPECT_NEAR(controller.update(q, JointVector::Zero(7))[3], 87.0 / 2, 1e-6);
}

// What keeps the arm from its target comes before where it is.
TEST(ImpedanceController, SaysThatATargetIsStaleNearAJointLimitToo)
{
  ImpedanceController controller = panda_controller();
  JointVector q = panda_q();
  q[3] = -3.0;
  controller.activate(q, JointVector::Zero(7));
  controller.set_target(controller.state().pose);
  for (int tick = 0; tick < 200; ++tick)
  {
    controller.update(q, JointVector::Zero(7));
  }
  EXPECT_EQ(controller.state().reason, Reason::kTargetStale);
}

TEST(ImpedanceController, ChangesGainsSmoothly)
{
  ImpedanceController controller = panda_controller(1e9);
  const JointVector zero = JointVector::Zero(7);
  controller.activate(panda_q(), zero);
  pull(controller, shifted(controller.state().pose, 0.05, 0.0), panda_q());
  Gains gains;
  gains.stiffness[0] = 1000.0;
  controller.set_gains(gains);
  controller.update(panda_q(), zero);
  EXPECT_NEAR(controller.state().wrench[0], 10.0 * (1.0 + std::exp(-0.01)), 1e-9);
  for (int tick = 0; tick < 99; ++tick)
  {
    controller.update(panda_q(), zero);
  }
  EXPECT_NEAR(controller.state().wrench[0], 10.0 * (1.0 + std::exp(-1.0)), 1e-9);
  for (int tick = 0; tick < 2000; ++tick)
  {
    controller.update(panda_q(), zero);
  }
  EXPECT_EQ(controller.state().wrench[0], 10.0);
}

TEST(ImpedanceController, RefusesBadGainsAndKeepsTheOldOnes)
{
  ImpedanceController controller = panda_controller();
  Gains gains;
  gains.stiffness[1] = -1.0;
  EXPECT_THROW(controller.set_gains(gains), std::invalid_argument);
  EXPECT_EQ(controller.gains().stiffness[1], 2000.0);
  Guards guards;
  guards.workspace_lower.z() = 1.0;
  guards.workspace_upper.z() = 0.0;
  EXPECT_THROW(controller.set_guards(guards), std::invalid_argument);
  EXPECT_GT(controller.guards().workspace_upper.z(), 1.0);
  EXPECT_THROW(ImpedanceController(panda(), Gains{}, 0.0), std::invalid_argument);
}

// Six joints leave no null space: at rest off its posture, the arm pulls with the tool's wrench alone.
TEST(ImpedanceController, MovesASixJointArm)
{
  ImpedanceController controller(ur5(), Gains{}, kDt);
  const JointVector q = (JointVector(6) << 0.1, -1.2, 1.4, -1.7, -1.5, 0.3).finished();
  controller.activate(q, JointVector::Zero(6));
  pull(controller, shifted(controller.state().pose, 0.002, 0.0), q);
  RobotModel model(ur5());
  model.update(q, JointVector::Zero(6));
  Vector6 wrench = Vector6::Zero();
  wrench[0] = 2000 * 0.002;
  const JointVector expected = model.jacobian().transpose() * wrench;
  EXPECT_EQ(controller.state().tau.size(), 6);
  EXPECT_TRUE(controller.state().tau.isApprox(expected, 1e-6));
}

}  // namespace
}  // namespace franka_impedance_controller
