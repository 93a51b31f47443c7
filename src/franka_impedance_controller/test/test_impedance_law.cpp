// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "franka_impedance_controller/impedance_law.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr double kDt = 0.001;

Eigen::Quaterniond rotation(double angle, const Vector3 & axis)
{
  return Eigen::Quaterniond(Eigen::AngleAxisd(angle, axis.normalized()));
}

Vector6 vector6(double x, double y, double z, double rx, double ry, double rz)
{
  return (Vector6() << x, y, z, rx, ry, rz).finished();
}

Vector6 along_x(double value) { return vector6(value, 0, 0, 0, 0, 0); }

double wrench_x(double error, double reference_velocity, double velocity, const Gains & gains)
{
  const Vector6 twist = along_x(velocity);
  return impedance_wrench(
    along_x(error), along_x(reference_velocity), twist, Vector6::Zero(),
    wrench_bounds(twist, gains), gains)[0];
}

TEST(ClipError, HasASignPerSide)
{
  Gains gains;
  gains.clip_positive = vector6(0.002, 0.002, 0.003, 0.05, 0.014, 0.02);
  gains.clip_negative = vector6(0.0025, 0.0015, 0.002, 0.05, 0.014, 0.02);
  EXPECT_EQ(clip_error(Vector6::Constant(1.0), gains), gains.clip_positive);
  EXPECT_EQ(clip_error(Vector6::Constant(-1.0), gains), Vector6(-gains.clip_negative));
  EXPECT_EQ(clip_error(Vector6::Constant(0.001), gains), Vector6(Vector6::Constant(0.001)));
}

// SERL's rotation error is the quaternion's vector part, sin(angle / 2).
TEST(RotationConvention, HalvedStiffnessAndDoubledClipGiveSerlsTorque)
{
  const double serl_stiffness = 150, serl_clip = 0.025;
  Gains gains;
  gains.stiffness.tail<3>().setConstant(serl_stiffness / 2);
  gains.clip_positive.tail<3>().setConstant(serl_clip * 2);
  gains.clip_negative.tail<3>().setConstant(serl_clip * 2);
  for (const double angle : {-0.3, -0.05, -0.02, 0.001, 0.049, 0.2})
  {
    const double serl = serl_stiffness * std::clamp(std::sin(angle / 2), -serl_clip, serl_clip);
    const Pose target{Vector3::Zero(), rotation(angle, {0, 1, 0})};
    const Vector6 wrench = impedance_wrench(
      pose_error(Pose{}, target), Vector6::Zero(), Vector6::Zero(), Vector6::Zero(),
      wrench_bounds(Vector6::Zero(), gains), gains);
    EXPECT_NEAR(wrench[4], serl, 5e-4) << angle;
  }
}

TEST(ImpedanceWrench, IsASpringAndADamperRelativeToTheReference)
{
  Gains gains;  // 2000 N/m, 89 Ns/m, clip 10 mm
  EXPECT_NEAR(wrench_x(0.004, 0.0, 0.0, gains), 8.0, 1e-12);
  EXPECT_NEAR(wrench_x(0.004, 0.0, 0.06, gains), 8.0 - 5.34, 1e-12);
  EXPECT_NEAR(wrench_x(0.004, 0.1, 0.06, gains), 8.0 + 3.56, 1e-12);
  EXPECT_NEAR(wrench_x(0.0, 0.2, 0.2, gains), 0.0, 1e-12);  // no lag at constant speed
}

TEST(ImpedanceWrench, OfABlockedToolIsStiffnessTimesClip)
{
  Gains gains;
  gains.clip_negative[0] = 0.003;
  EXPECT_DOUBLE_EQ(wrench_x(0.05, 0.0, 0.0, gains), 20.0);
  EXPECT_DOUBLE_EQ(wrench_x(0.05, 0.25, 0.0, gains), 20.0);
  EXPECT_DOUBLE_EQ(wrench_x(0.001, 0.25, 0.0, gains), 20.0);  // feed-forward is bounded as well
  EXPECT_DOUBLE_EQ(wrench_x(-0.05, -0.25, 0.0, gains), -6.0);
}

TEST(ImpedanceWrench, OfAClippedToolIsDampedOnlyAgainstItsPullAndAboveMaxVelocity)
{
  Gains gains;
  gains.max_linear_velocity = 0.25;
  EXPECT_NEAR(wrench_x(1.0, 0.0, 0.1, gains), 20.0, 1e-12);         // gives way: no damping
  EXPECT_NEAR(wrench_x(1.0, 0.0, 0.35, gains), 20.0 - 8.9, 1e-12);  // too fast
  EXPECT_NEAR(wrench_x(1.0, 0.0, -0.1, gains), 20.0 + 8.9, 1e-12);  // pushed back
  EXPECT_NEAR(wrench_x(-1.0, 0.0, -0.1, gains), -20.0, 1e-12);
  EXPECT_NEAR(wrench_x(-1.0, 0.0, 0.1, gains), -20.0 - 8.9, 1e-12);
}

TEST(ImpedanceWrench, NeverFeedsEnergyAboveStiffnessTimesClip)
{
  const Gains gains;
  for (double error = -0.03; error <= 0.03; error += 0.0015)
  {
    for (double velocity = -0.6; velocity <= 0.6; velocity += 0.05)
    {
      for (const double reference_velocity : {-0.25, -0.1, 0.0, 0.1, 0.25})
      {
        const double wrench = wrench_x(error, reference_velocity, velocity, gains);
        if (wrench * velocity > 0.0)
        {
          EXPECT_LE(std::abs(wrench), 20.0 + 1e-12);
        }
      }
    }
  }
}

TEST(ImpedanceWrench, IsContinuousAcrossTheClip)
{
  const Gains gains;
  const double step = 1e-6;
  for (double error = -0.02; error <= 0.02; error += 1e-4)
  {
    for (double velocity = -0.4; velocity <= 0.4; velocity += 0.02)
    {
      const double here = wrench_x(error, 0.1, velocity, gains);
      EXPECT_NEAR(wrench_x(error + step, 0.1, velocity, gains), here, 2000 * step + 1e-9);
      EXPECT_NEAR(wrench_x(error, 0.1, velocity + step, gains), here, 89 * step + 1e-9);
    }
  }
}

TEST(IntegrateError, CountsSecondsAndDoesNotWindUp)
{
  Gains gains;
  gains.integral.setConstant(100.0);
  const WrenchBounds bounds = wrench_bounds(Vector6::Zero(), gains);  // +-20 N
  const auto integrate = [&](const Vector6 & before, double error, double wrench) {
    return integrate_error(before, along_x(error), along_x(wrench), bounds, gains, kDt);
  };
  Vector6 integral = integrate(Vector6::Zero(), 0.004, 8.0);
  EXPECT_NEAR(integral[0], 4e-4, 1e-15);
  integral = integrate(integral, 0.02, 20.0);
  EXPECT_NEAR(integral[0], 4e-4, 1e-15);  // at the bound: kept
  integral = integrate(integral, -0.001, 20.0);
  EXPECT_NEAR(integral[0], 3e-4, 1e-15);  // back
  EXPECT_NEAR(integrate(along_x(50.0), 0.0, 8.0)[0], 20.0, 1e-12);
  const Vector6 wrench =
    impedance_wrench(along_x(0.004), Vector6::Zero(), Vector6::Zero(), along_x(2.0), bounds, gains);
  EXPECT_NEAR(wrench[0], 8.0 + 2.0, 1e-12);
}

// Else a gain that is switched on after a long hold would find a sum that it never bounded.
TEST(IntegrateError, IsNothingWithoutAGain)
{
  const Gains gains;
  const WrenchBounds bounds = wrench_bounds(Vector6::Zero(), gains);
  const Vector6 integral =
    integrate_error(along_x(3.0), along_x(0.004), along_x(8.0), bounds, gains, kDt);
  EXPECT_EQ(integral, Vector6::Zero());
}

// The force at rest stays between its two ends, however different the factors are.
TEST(BlendGains, MovesTheForceAtRestStraight)
{
  Gains soft, stiff;
  soft.stiffness[0] = 300.0;
  soft.clip_positive[0] = 0.1;
  stiff.stiffness[0] = 6000.0;
  stiff.clip_positive[0] = 0.002;
  for (const double share : {0.0, 0.1, 0.5, 0.9, 1.0})
  {
    const Gains gains = blend(soft, stiff, share);
    EXPECT_NEAR(gains.stiffness[0], 300.0 + 5700.0 * share, 1e-9);
    EXPECT_NEAR(gains.stiffness[0] * gains.clip_positive[0], 30.0 - 18.0 * share, 1e-9);
  }
  soft.stiffness[0] = 0.0;
  EXPECT_NEAR(blend(soft, stiff, 0.0).clip_positive[0], 0.002, 1e-12);
}

TEST(ProjectToNullspace, LeavesTheToolAlone)
{
  Jacobian jacobian(6, 7);
  for (Eigen::Index row = 0; row < 6; ++row)
  {
    for (Eigen::Index column = 0; column < 7; ++column)
    {
      jacobian(row, column) =
        std::sin(1.0 + static_cast<double>(row * row + 3 * column * (row + 1)));
    }
  }
  const JointVector torque = (JointVector(7) << 1, -2, 3, -4, 5, -6, 7).finished();
  const JointVector projected = project_to_nullspace(jacobian, torque);
  // The wrench that would have the same effect at the tool: pinv(J^T) tau.
  const Eigen::MatrixXd pinv_transposed =
    Eigen::MatrixXd(jacobian * jacobian.transpose()).inverse() * Eigen::MatrixXd(jacobian);
  EXPECT_LT((pinv_transposed * projected).norm(), 0.02 * (pinv_transposed * torque).norm());
  EXPECT_GT(projected.norm(), 0.1);
  // The null space of a six-by-seven Jacobian is one line: projecting again changes little.
  EXPECT_LT((project_to_nullspace(jacobian, projected) - projected).norm(), 0.02);
}

TEST(ProjectToNullspace, StaysBoundedAtASingularity)
{
  Jacobian jacobian = Jacobian::Zero(6, 7);
  jacobian(0, 0) = 1e-9;
  const JointVector torque = JointVector::Ones(7);
  EXPECT_TRUE(project_to_nullspace(jacobian, torque).isApprox(torque, 1e-9));
}

TEST(PostureTorque, IsASpringDamper)
{
  const Gains gains;  // 10 Nm/rad, 6.3 Nms/rad
  const JointVector posture = JointVector::Zero(7);
  const JointVector torque =
    posture_torque(posture, JointVector::Constant(7, 0.1), JointVector::Constant(7, 0.2), gains);
  EXPECT_TRUE(torque.isApprox(JointVector::Constant(7, -1.0 - 1.26), 1e-12));
}

TEST(LimitTorqueRate, MovesByAtMostOneNewtonMetrePerMillisecond)
{
  const Limits limits{JointVector::Constant(3, 87.0)};
  const JointVector previous = JointVector::Constant(3, 5.0);
  const JointVector torque = (JointVector(3) << 50.0, 5.3, -50.0).finished();
  const JointVector expected = (JointVector(3) << 6.0, 5.3, 4.0).finished();
  EXPECT_TRUE(limit_torque_rate(torque, previous, limits, kDt).isApprox(expected, 1e-12));
}

TEST(LimitTorque, HoldsEachJoint)
{
  const Limits limits{(JointVector(3) << 87.0, 12.0, 12.0).finished()};
  const JointVector torque = (JointVector(3) << 100.0, -13.0, 3.0).finished();
  const JointVector expected = (JointVector(3) << 87.0, -12.0, 3.0).finished();
  EXPECT_EQ(limit_torque(torque, limits), expected);
}

TEST(Validate, NamesTheBadEntry)
{
  Gains gains;
  gains.clip_negative[2] = -0.01;
  try
  {
    validate(gains);
    FAIL();
  } catch (const std::invalid_argument & error)
  {
    EXPECT_STREQ(error.what(), "clip_negative[2]: expected a number from 0 to 1e6, got -0.010000");
  }
  gains = Gains{};
  gains.damping[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(validate(gains), std::invalid_argument);
  gains = Gains{};
  gains.max_linear_velocity = 0.0;
  EXPECT_THROW(validate(gains), std::invalid_argument);
  EXPECT_THROW(validate(Limits{JointVector::Ones(6)}, 7), std::invalid_argument);
}

}  // namespace
}  // namespace franka_impedance_controller
