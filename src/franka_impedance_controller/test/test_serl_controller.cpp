// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// SERL's law on a gantry, whose Jacobian is made of ones, so that forces can be computed by hand.
#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <cmath>
#include <stdexcept>

#include "franka_impedance_controller/impedance_law.hpp"
#include "robots.hpp"
#include "serl_controller.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr double kDt = 0.001;
constexpr int kSettled = 6000;  ///< ticks, after which 1e-13 of the low-pass is left

/// What SERL's damped pseudo-inverse lets through of a posture torque where nothing should be left:
/// all singular values are 1, its damping is 0.2.
const double kLeak = 1.0 - 1.0 / (1.0 + 0.2 * 0.2);

/// x, y, z, turn about z.
JointVector gantry_q(double x, double y, double z, double turn)
{
  return (JointVector(4) << x, y, z, turn).finished();
}

class Gantry : public ::testing::Test
{
protected:
  void start(const Gains & gains) { controller_ = make(gains); }

  static SerlController make(const Gains & gains)
  {
    SerlController controller(
      {read_file(GANTRY_URDF), {"x", "y", "z", "turn"}, "tool"}, gains, kDt);
    controller.activate(gantry_q(0, 0, 0, 0), gantry_q(0, 0, 0, 0));
    return controller;
  }

  void set_target(double y, double turn)
  {
    controller_.set_target({Vector3(0, y, 0), exp_map({0, 0, turn})});
  }

  JointVector tick(int count)
  {
    for (int index = 1; index < count; ++index)
    {
      controller_.update(q_, dq_);
    }
    return controller_.update(q_, dq_);
  }

  /// Lets the tool's 3 kg move along y.
  void move(int ticks)
  {
    for (int index = 0; index < ticks; ++index)
    {
      dq_[1] += kDt / 3.0 * controller_.update(q_, dq_)[1];
      q_[1] += kDt * dq_[1];
    }
  }

  SerlController controller_ = make(Gains{});
  JointVector q_ = gantry_q(0, 0, 0, 0);
  JointVector dq_ = gantry_q(0, 0, 0, 0);
};

TEST_F(Gantry, PullsNoHarderThanStiffnessTimesClip)
{
  Gains gains;
  gains.clip_positive[1] = 0.004;
  gains.clip_negative[1] = 0.003;
  start(gains);
  set_target(0.1, 0.0);
  EXPECT_NEAR(tick(kSettled)[1], 2000 * 0.004, 1e-9);
  set_target(-0.1, 0.0);
  EXPECT_NEAR(tick(kSettled)[1], -2000 * 0.003, 1e-9);
}

// SERL's rotation error is the sine of half the angle, and its stiffness twice ours.
TEST_F(Gantry, TurnsByHalfAngles)
{
  set_target(0.0, 0.08);
  EXPECT_NEAR(tick(kSettled)[3], 150 * std::sin(0.04), 1e-9);
  set_target(0.0, 0.5);
  EXPECT_NEAR(tick(kSettled)[3], 150 * 0.05, 1e-9);
  set_target(0.0, -0.5);
  EXPECT_NEAR(tick(kSettled)[3], -150 * 0.05, 1e-9);
}

TEST_F(Gantry, TakesBothSignsOfAQuaternion)
{
  Pose target{Vector3::Zero(), exp_map({0, 0, 0.08})};
  target.orientation.coeffs() *= -1.0;
  controller_.set_target(target);
  EXPECT_NEAR(tick(kSettled)[3], 150 * std::sin(0.04), 1e-9);
}

TEST_F(Gantry, LowPassesTheTargetByHalfAPercentPerTick)
{
  set_target(0.001, 0.02);
  const JointVector tau = tick(101);
  const double share = 1.0 - std::pow(0.995, 100);
  EXPECT_NEAR(tau[1], 2000 * 0.001 * share, 1e-9);
  EXPECT_NEAR(tau[3], 150 * std::sin(0.5 * 0.02 * share), 1e-9);
}

TEST_F(Gantry, DampsTheAbsoluteVelocity)
{
  dq_[1] = 0.1;
  EXPECT_NEAR(tick(20)[1], -89 * 0.1 - kLeak * 2 * std::sqrt(0.2) * 0.1, 1e-9);
}

TEST_F(Gantry, ChangesATorqueByOneNewtonmetrePerTick)
{
  dq_[1] = 1.0;
  EXPECT_NEAR(tick(1)[1], -1.0, 1e-12);
  EXPECT_NEAR(tick(4)[1], -5.0, 1e-12);
}

// 10 000 N/(m s) at 1 kHz is SERL's Ki of 10; the sum of its errors is at most 0.1.
TEST_F(Gantry, IntegratesPerTickUpToABoundAndForgetsWithEachTarget)
{
  Gains gains;
  gains.integral[1] = 1e4;
  start(gains);
  set_target(0.001, 0.0);
  EXPECT_NEAR(tick(kSettled)[1], 2000 * 0.001 + 10 * 0.1, 1e-9);
  set_target(0.001, 0.0);
  EXPECT_NEAR(tick(1)[1], 2000 * 0.001 + 10 * 0.001, 1e-9);
}

TEST_F(Gantry, HoldsThePostureOfTheFirstJointAHundredTimesHarder)
{
  q_ = gantry_q(0.1, 0.1, 0.0, 0.0);
  controller_.set_target({Vector3(0.1, 0.1, 0.0), Eigen::Quaterniond::Identity()});
  const JointVector tau = tick(kSettled);
  EXPECT_NEAR(tau[0], -kLeak * 0.2 * 100 * 0.1, 1e-9);
  EXPECT_NEAR(tau[1], -kLeak * 0.2 * 0.1, 1e-9);

  dq_ = gantry_q(0.01, 0.01, 0.0, 0.0);
  const JointVector moving = tick(kSettled) - tau;
  EXPECT_NEAR(moving[0], -89 * 0.01 - kLeak * 2 * std::sqrt(0.2) * 2 * std::sqrt(100) * 0.01, 1e-9);
  EXPECT_NEAR(moving[1], -89 * 0.01 - kLeak * 2 * std::sqrt(0.2) * 0.01, 1e-9);
}

TEST_F(Gantry, FreeSpaceIsNoFasterThanStiffnessTimesClipOverDamping)
{
  set_target(5.0, 0.0);
  move(1500);
  EXPECT_NEAR(dq_[1], 2000 * 0.01 / 89, 0.002);
}

// Each 0.1 s the target is set 20 mm ahead of the measured pose. The low-pass covers 39.4 % of the
// way to it, and the spring drags the tool behind by damping * speed / stiffness:
// v * 0.1 s = 0.394 (20 mm - 0.0445 s * v), so the tool goes 6.7 mm, 34 % of a step.
TEST_F(Gantry, ExecutesAThirdOfACommandedStep)
{
  double begin = 0.0;
  for (int step = 0; step < 40; ++step)
  {
    if (step == 20)
    {
      begin = q_[1];
    }
    set_target(q_[1] + 0.02, 0.0);
    move(100);
  }
  EXPECT_NEAR((q_[1] - begin) / 20 / 0.02, 0.34, 0.01);
}

// (J^T)^+ by singular values is (J J^T + 0.2^2 I)^-1 J.
TEST(SerlController, IsTheSameLawOnAnArm)
{
  const Gains gains;
  SerlController controller(panda(), gains, kDt);
  controller.activate(panda_q(), panda_dq());
  RobotModel model(panda());
  const JointVector q = panda_q() + JointVector::Constant(7, 0.05);
  model.update(q, panda_dq());
  Vector6 step;
  step << 0.004, -0.002, 0.003, 0.03, -0.02, 0.01;
  controller.set_target(displace(model.pose(), step));
  for (int tick = 0; tick < kSettled; ++tick)
  {
    controller.update(q, panda_dq());
  }

  Vector6 error = step;  // of which SERL sees half the sine
  error.tail<3>() = step.tail<3>().normalized() * 2.0 * std::sin(0.5 * step.tail<3>().norm());
  const Vector6 wrench =
    gains.stiffness.cwiseProduct(error) - gains.damping.cwiseProduct(model.twist());
  JointVector posture = 0.2 * (panda_q() - q) - 2.0 * std::sqrt(0.2) * panda_dq();
  posture[0] = 20.0 * (panda_q() - q)[0] - 2.0 * std::sqrt(0.2) * 20.0 * panda_dq()[0];
  const Eigen::MatrixXd jacobian = model.jacobian();
  const Eigen::MatrixXd gram =
    jacobian * jacobian.transpose() + 0.04 * Eigen::MatrixXd::Identity(6, 6);
  const JointVector nullspace =
    posture - jacobian.transpose() * gram.ldlt().solve(jacobian * posture);
  const JointVector expected = jacobian.transpose() * wrench + nullspace + model.coriolis();
  const JointVector tau = controller.update(q, panda_dq());
  EXPECT_TRUE(tau.isApprox(expected, 1e-9)) << tau.transpose() << "\n" << expected.transpose();
}

TEST(SerlController, RefusesBadGains)
{
  Gains gains;
  gains.damping[2] = -1.0;
  EXPECT_THROW(SerlController(panda(), gains, kDt), std::invalid_argument);
}

}  // namespace
}  // namespace franka_impedance_controller
