// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>

#include "franka_impedance_controller/guards.hpp"
#include "franka_impedance_controller/impedance_law.hpp"

namespace franka_impedance_controller
{
namespace
{

const double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(CheckTarget, NamesWhatIsWrong)
{
  const Guards guards;
  const Pose measured{Vector3(0.5, 0, 0.2), exp_map({3.1, 0, 0})};
  EXPECT_EQ(check_target(measured, measured, guards), Reason::kOk);

  Pose target = measured;
  target.position.z() = kInfinity;
  EXPECT_EQ(check_target(target, measured, guards), Reason::kTargetNotFinite);
  target = measured;
  target.orientation.w() = kNan;
  EXPECT_EQ(check_target(target, measured, guards), Reason::kTargetNotFinite);
  target = measured;
  target.orientation.coeffs() *= 1.01;
  EXPECT_EQ(check_target(target, measured, guards), Reason::kTargetNotUnit);
  target = measured;
  target.position = Vector3::Constant(1e200);  // its norm is infinite
  EXPECT_EQ(check_target(target, measured, guards), Reason::kTargetJump);
}

// The same rotation by the other quaternion is no jump.
TEST(CheckTarget, TakesBothSignsOfAQuaternion)
{
  const Pose measured{Vector3::Zero(), exp_map({0, 1.0, 0})};
  Pose target{Vector3::Zero(), exp_map({0, 1.1, 0})};
  target.orientation.coeffs() *= -1.0;
  EXPECT_EQ(check_target(target, measured, Guards{}), Reason::kOk);
}

TEST(Workspace, ProjectsThePositionAndKeepsTheRest)
{
  Guards guards;
  guards.workspace_lower = {0.3, -0.2, 0.0};
  guards.workspace_upper = {0.6, 0.2, kInfinity};
  const Pose target{Vector3(0.7, -0.3, 5.0), exp_map({0.1, 0, 0})};
  const Pose inside = limit_to_workspace(target, guards);
  EXPECT_EQ(inside.position, Vector3(0.6, -0.2, 5.0));
  EXPECT_EQ(inside.orientation.coeffs(), target.orientation.coeffs());
}

class JointLimitTorque : public ::testing::Test
{
protected:
  double torque(double q, double dq) const
  {
    return joint_limit_torque(
      JointVector::Constant(1, q), JointVector::Constant(1, dq), limits_,
      JointVector::Constant(1, guards_.joint_limit_margin), guards_)[0];
  }

  JointLimits limits_{
    JointVector::Constant(1, -1.0), JointVector::Constant(1, 2.0), JointVector::Constant(1, 12.0)};
  Guards guards_;  // margin 0.1 rad
};

TEST_F(JointLimitTorque, RampsToTheTorqueLimit)
{
  EXPECT_EQ(torque(1.9, 0.0), 0.0);
  EXPECT_NEAR(torque(1.95, 0.0), -6.0, 1e-9);
  EXPECT_NEAR(torque(2.0, 0.0), -12.0, 1e-9);
  EXPECT_NEAR(torque(-0.975, 0.0), 9.0, 1e-9);
}

TEST_F(JointLimitTorque, TakesEnergyAndNeverPulls)
{
  EXPECT_NEAR(torque(1.95, 0.5), -12.0, 1e-9);   // twice the spring on the way out
  EXPECT_NEAR(torque(1.95, -0.25), -3.0, 1e-9);  // half of it on the way back
  EXPECT_EQ(torque(1.95, -5.0), 0.0);
  EXPECT_NEAR(torque(-0.95, -0.5), 12.0, 1e-9);
  EXPECT_EQ(torque(-0.95, 5.0), 0.0);
}

TEST_F(JointLimitTorque, IsThereWhereTheMarginIsEntered)
{
  EXPECT_FALSE(near_joint_limit(JointVector::Constant(1, 1.89), limits_, guards_));
  EXPECT_TRUE(near_joint_limit(JointVector::Constant(1, 1.91), limits_, guards_));
  EXPECT_TRUE(near_joint_limit(JointVector::Constant(1, -0.91), limits_, guards_));
}

TEST_F(JointLimitTorque, BeginsWhereTheJointHasBeen)
{
  const auto margin = [this](double previous, double q) {
    return joint_margins(
      JointVector::Constant(1, previous), JointVector::Constant(1, q), limits_, guards_)[0];
  };
  EXPECT_NEAR(margin(0.0, 1.98), 0.02, 1e-12);    // found near its limit
  EXPECT_NEAR(margin(0.0, 2.5), 0.0, 1e-12);      // or beyond
  EXPECT_NEAR(margin(0.02, -0.95), 0.05, 1e-12);  // left it
  EXPECT_NEAR(margin(0.05, 0.5), 0.1, 1e-12);
  EXPECT_NEAR(margin(0.1, 1.99), 0.1, 1e-12);  // and came back
  const JointVector tau = joint_limit_torque(
    JointVector::Constant(1, 1.99), JointVector::Zero(1), limits_, JointVector::Constant(1, 0.02),
    guards_);
  EXPECT_NEAR(tau[0], -1.2, 1e-9);  // 120 Nm/rad, as ever
}

TEST_F(JointLimitTorque, LeavesAJointWithoutLimitsAlone)
{
  limits_.lower[0] = -kInfinity;
  limits_.upper[0] = kInfinity;
  EXPECT_EQ(torque(100.0, 3.0), 0.0);
}

std::string error_of(const Guards & guards)
{
  try
  {
    validate(guards);
  } catch (const std::invalid_argument & error)
  {
    return error.what();
  }
  return "";
}

TEST(ValidateGuards, NamesTheBadEntry)
{
  Guards guards;
  EXPECT_EQ(error_of(guards), "");
  guards.target_timeout = 0.0;
  EXPECT_EQ(error_of(guards), "target_timeout: expected a finite number > 0, got 0.000000");
  guards = Guards{};
  guards.workspace_lower = {0.0, 0.5, 0.0};
  guards.workspace_upper = {1.0, 0.4, 1.0};
  EXPECT_EQ(error_of(guards), "workspace_lower[1]: expected at most workspace_upper, got 0.500000");
  guards = Guards{};
  guards.workspace_upper.x() = kNan;
  EXPECT_NE(error_of(guards), "");
  guards = Guards{};
  guards.workspace_lower.x() = kInfinity;  // a box at infinity
  EXPECT_NE(error_of(guards), "");
}

}  // namespace
}  // namespace franka_impedance_controller
