// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

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
    (JointVector(7) << -12.867532163025139, 15.135891658668212, -13.905541993844302,
     -10.196960359260236, -2.5839850444665435, -4.1770758916043951, -7.0917698718841446)
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
  controller.set_target(shifted(start, -0.05, 0.0));
  for (int tick = 0; tick < 500; ++tick)
  {
    controller.update(panda_q(), zero);
  }
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

TEST(ImpedanceController, WarnsNearAJointLimit)
{
  ImpedanceController controller = panda_controller();
  JointVector q = panda_q();
  q[3] = -3.05;  // the Panda's elbow ends at -3.0718
  controller.activate(q, JointVector::Zero(7));
  controller.update(q, JointVector::Zero(7));
  EXPECT_EQ(controller.state().reason, Reason::kJointLimit);
}

TEST(ImpedanceController, RefusesBadGainsAndKeepsTheOldOnes)
{
  ImpedanceController controller = panda_controller();
  Gains gains;
  gains.stiffness[1] = -1.0;
  EXPECT_THROW(controller.set_gains(gains), std::invalid_argument);
  EXPECT_EQ(controller.gains().stiffness[1], 2000.0);
  EXPECT_THROW(ImpedanceController(panda(), Gains{}, 0.0), std::invalid_argument);
}

// Six joints leave no null space: at rest off its posture, the arm pulls with the tool's wrench alone.
TEST(ImpedanceController, MovesASixJointArm)
{
  ImpedanceController controller(ur5(), Gains{}, kDt);
  const JointVector q = (JointVector(6) << 0.1, -1.2, 1.4, -1.7, -1.5, 0.3).finished();
  controller.activate(q, JointVector::Zero(6));
  controller.set_target(shifted(controller.state().pose, 0.002, 0.0));
  for (int tick = 0; tick < 500; ++tick)
  {
    controller.update(q, JointVector::Zero(6));
  }
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
