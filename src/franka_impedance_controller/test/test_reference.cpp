// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "franka_impedance_controller/impedance_law.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr double kPi = 3.14159265358979323846;
constexpr double kDt = 0.001;

Eigen::Quaterniond rotation(double angle, const Vector3 & axis)
{
  return Eigen::Quaterniond(Eigen::AngleAxisd(angle, axis.normalized()));
}

TEST(LogMap, GivesAxisTimesAngle)
{
  EXPECT_TRUE(log_map(rotation(kPi / 2, {0, 0, 1})).isApprox(Vector3(0, 0, kPi / 2), 1e-12));
  EXPECT_TRUE(log_map(rotation(0.3, {3, 0, 4})).isApprox(Vector3(0.18, 0, 0.24), 1e-12));
}

TEST(LogMap, IsExactNearZero)
{
  EXPECT_EQ(log_map(Eigen::Quaterniond::Identity()), Vector3::Zero());
  for (const double angle : {1e-12, 1e-9, 1.99e-4, 2.01e-4, 1e-3})
  {
    EXPECT_NEAR(log_map(rotation(angle, {0, 1, 0})).y(), angle, 1e-12 * angle);
  }
}

TEST(LogMap, IsExactNearPi)
{
  for (const double angle : {kPi - 1e-3, kPi - 1e-9, kPi})
  {
    EXPECT_NEAR(log_map(rotation(angle, {1, 1, 0})).norm(), angle, 1e-12);
  }
  // Beyond pi, the shorter way is the other way round.
  EXPECT_NEAR(log_map(rotation(kPi + 0.1, {1, 0, 0})).x(), -(kPi - 0.1), 1e-12);
}

TEST(LogMap, DoesNotDependOnTheSignOfTheQuaternion)
{
  const Eigen::Quaterniond q = rotation(0.7, {1, 2, 3});
  EXPECT_TRUE(log_map(Eigen::Quaterniond(-q.coeffs())).isApprox(log_map(q), 1e-15));
}

TEST(ExpMap, InvertsLogMap)
{
  for (const double angle : {1e-9, 1e-4, 0.01, 1.0, 3.0})
  {
    const Vector3 vector = angle * Vector3(1, -2, 2) / 3.0;
    EXPECT_TRUE(log_map(exp_map(vector)).isApprox(vector, 1e-12)) << angle;
    EXPECT_NEAR(exp_map(vector).norm(), 1.0, 1e-15);
  }
}

TEST(PoseError, TurnsAboutBaseAxes)
{
  // The tool looks down (half a turn about x); a target turned by +0.1 about the base's z-axis.
  const Pose measured{Vector3(0.5, 0, 0.3), rotation(kPi, {1, 0, 0})};
  const Pose target{Vector3(0.51, -0.02, 0.3), rotation(0.1, {0, 0, 1}) * measured.orientation};
  const Vector6 error = pose_error(measured, target);
  EXPECT_TRUE(error.isApprox((Vector6() << 0.01, -0.02, 0, 0, 0, 0.1).finished(), 1e-12))
    << error.transpose();
  const Pose displaced = displace(measured, error);
  EXPECT_TRUE(displaced.position.isApprox(target.position, 1e-12));
  EXPECT_NEAR(displaced.orientation.angularDistance(target.orientation), 0.0, 1e-12);
}

TEST(FilterTarget, CoversTheWayInTheTimeThatIsLeft)
{
  Gains gains;
  gains.max_linear_velocity = gains.max_angular_velocity = 1e3;
  const Pose target{Vector3(0.01, 0, -0.02), rotation(0.2, {0, 1, 0})};
  Reference reference;
  for (int tick = 0; tick < 100; ++tick)
  {
    reference = filter_target(reference, target, 0.1 - tick * kDt, gains, kDt);
    const double share = (tick + 1) / 100.0;
    EXPECT_NEAR(reference.pose.position.x(), 0.01 * share, 1e-12);
    EXPECT_NEAR(reference.pose.position.z(), -0.02 * share, 1e-12);
    EXPECT_NEAR(log_map(reference.pose.orientation).y(), 0.2 * share, 1e-12);
    EXPECT_NEAR(reference.velocity[0], 0.1, 1e-9);
    EXPECT_NEAR(reference.velocity[4], 2.0, 1e-9);
  }
  reference = filter_target(reference, target, 0.0, gains, kDt);
  EXPECT_NEAR(reference.velocity.norm(), 0.0, 1e-9);
}

TEST(FilterTarget, BoundsTheSpeedAlongAStraightLine)
{
  Gains gains;
  gains.max_linear_velocity = 0.25;
  gains.max_angular_velocity = 2.0;
  const Pose target{Vector3(0.6, 0.8, 0), rotation(1.0, {0, 0, 1})};
  const Reference reference = filter_target(Reference{}, target, 0.1, gains, kDt);
  EXPECT_TRUE(reference.velocity.isApprox((Vector6() << 0.15, 0.2, 0, 0, 0, 2.0).finished(), 1e-9));
  EXPECT_TRUE(reference.pose.position.isApprox(Vector3(0.00015, 0.0002, 0), 1e-9));
  EXPECT_NEAR(log_map(reference.pose.orientation).z(), 0.002, 1e-12);
}

// A time that does not run makes it an exponential low-pass: how a stop ends.
TEST(FilterTarget, SlowsDownExponentiallyWhileTimeStandsStill)
{
  const Pose target{Vector3(0.001, 0, 0), Eigen::Quaterniond::Identity()};
  Reference reference;
  for (int tick = 0; tick < 20; ++tick)
  {
    reference = filter_target(reference, target, 0.02, Gains{}, kDt);
  }
  EXPECT_NEAR(reference.pose.position.x(), 0.001 * (1.0 - std::pow(0.95, 20)), 1e-12);
}

}  // namespace
}  // namespace franka_impedance_controller
