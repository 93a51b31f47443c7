// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// The law on a floating tool: 3 kg and 0.05 kg m2, about what a Panda's hand feels like.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "franka_impedance_controller/impedance_law.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr double kDt = 0.001;
constexpr int kActionPeriod = 100;  ///< ticks: actions at 10 Hz

/// SERL's gains for the insertion of a printed circuit board, rotations converted.
Gains pcb_gains()
{
  Gains gains;
  gains.stiffness << 3000, 3000, 3000, 75, 75, 75;
  gains.damping << 180, 180, 180, 7, 7, 7;
  gains.clip_positive << 0.002, 0.002, 0.003, 0.05, 0.014, 0.02;
  gains.clip_negative << 0.0025, 0.0015, 0.002, 0.05, 0.014, 0.02;
  return gains;
}

class PointMass
{
public:
  explicit PointMass(const Gains & gains) : gains_(gains) {}

  void tick(const Pose & target)
  {
    const Vector6 change = pose_error(target_, target);
    time_left_ = change.isZero() ? time_left_ - kDt : gains_.target_period;
    target_ = target;
    reference_ = filter_target(reference_, target_, time_left_, gains_, kDt);
    wrench = impedance_wrench(
      pose_error(pose, reference_.pose), reference_.velocity, twist, Vector6::Zero(),
      wrench_bounds(twist, gains_), gains_);
    for (int substep = 0; substep < kSubsteps; ++substep)
    {
      step(kDt / kSubsteps);
    }
  }

  double wall =
    std::numeric_limits<double>::infinity();  ///< x of a wall that blocks motion to +x, m
  Pose pose;
  Vector6 twist = Vector6::Zero();
  Vector6 wrench = Vector6::Zero();  ///< of the law
  double contact_force = 0.0;        ///< of the wall, N

private:
  static constexpr int kSubsteps = 20;

  void step(double dt)
  {
    const double depth = pose.position.x() - wall;
    contact_force = depth > 0.0 ? std::max(0.0, 3e5 * depth + 100.0 * twist[0]) : 0.0;
    Vector6 total = wrench;
    total[0] -= contact_force;
    twist.head<3>() += dt / 3.0 * total.head<3>();
    twist.tail<3>() += dt / 0.05 * total.tail<3>();
    pose = displace(pose, dt * twist);
  }

  Gains gains_;
  Reference reference_;
  Pose target_;
  double time_left_ = 0.0;
};

/// Mean speed along one axis (0: x, m/s; 5: about z, rad/s) from the first to the third second, with
/// steps from the measured pose, as an environment commands them, or from the previous target.
double mean_speed(PointMass & tool, int axis, double step, bool from_measured)
{
  Pose target;
  Pose start;
  for (int tick = 0; tick < 3000; ++tick)
  {
    if (tick % kActionPeriod == 0)
    {
      target = displace(from_measured ? tool.pose : target, step * Vector6::Unit(axis));
    }
    if (tick == 1000)
    {
      start = tool.pose;
    }
    tool.tick(target);
  }
  return pose_error(start, tool.pose)[axis] / 2.0;
}

TEST(FreeSpace, FollowsTheCommandedSpeed)
{
  PointMass tool(pcb_gains());
  EXPECT_NEAR(mean_speed(tool, 0, 0.02, false), 0.2, 0.004);
  PointMass measured(pcb_gains());
  EXPECT_GT(mean_speed(measured, 0, 0.02, true), 0.16);  // SERL's law: K clip / D = 0.033
}

TEST(FreeSpace, FollowsTheCommandedTurn)
{
  Gains gains = pcb_gains();
  gains.max_angular_velocity = 1.0;
  PointMass tool(gains);
  const double speed = mean_speed(tool, 5, 0.05, false);
  EXPECT_NEAR(speed, 0.5, 0.01);  // SERL's law: 75 * 0.02 / 7 = 0.21 rad/s
}

TEST(FreeSpace, SettlesOnAStepWithoutRinging)
{
  PointMass tool(pcb_gains());
  const Pose target{Vector3(0.02, 0, 0), Eigen::Quaterniond::Identity()};
  double furthest = 0.0;
  for (int tick = 0; tick < 600; ++tick)
  {
    tool.tick(target);
    furthest = std::max(furthest, tool.pose.position.x());
  }
  EXPECT_LT(furthest, 0.0205);
  EXPECT_NEAR(tool.pose.position.x(), 0.02, 1e-5);
  EXPECT_LT(tool.twist.norm(), 1e-4);
}

TEST(HardWall, FeelsStiffnessTimesClip)
{
  const Gains gains = pcb_gains();
  PointMass tool(gains);
  tool.wall = 0.03;
  Pose target;
  for (int tick = 0; tick < 3000; ++tick)
  {
    if (tick % kActionPeriod == 0)
    {
      target = displace(tool.pose, 0.02 * Vector6::Unit(0));
    }
    const bool gives_way = tool.twist[0] >= 0.0;
    tool.tick(target);
    if (gives_way)
    {
      EXPECT_LE(tool.wrench[0], 3000 * 0.002 + 1e-9);
    }
    if (tick >= 2000)
    {  // at rest: no chatter
      EXPECT_NEAR(tool.contact_force, 6.0, 0.01);
      EXPECT_LT(std::abs(tool.twist[0]), 1e-5);
    }
  }
}

// The kinetic energy at each touch falls: the law never pumps a bouncing tool.
TEST(HardWall, DoesNotPumpABouncingTool)
{
  PointMass tool(pcb_gains());
  tool.wall = 0.03;
  const Pose target{Vector3(0.06, 0, 0), Eigen::Quaterniond::Identity()};
  double previous = std::numeric_limits<double>::infinity();
  bool touching = false;
  for (int tick = 0; tick < 2000; ++tick)
  {
    const double speed = tool.twist[0];
    tool.tick(target);
    if (tool.contact_force > 0.0 && !touching)
    {
      EXPECT_LE(speed, previous + 1e-6);
      previous = speed;
    }
    touching = tool.contact_force > 0.0;
  }
  EXPECT_TRUE(touching);
}

TEST(HardWall, ReleasesAtABoundedSpeed)
{
  const Gains gains = pcb_gains();
  PointMass tool(gains);
  tool.wall = 0.01;
  const Pose target{Vector3(0.5, 0, 0), Eigen::Quaterniond::Identity()};
  double fastest = 0.0;
  for (int tick = 0; tick < 6000; ++tick)
  {
    if (tick == 3000)
    {
      tool.wall = std::numeric_limits<double>::infinity();
    }
    tool.tick(target);
    fastest = std::max(fastest, tool.twist[0]);
  }
  // Where the pull balances the damping above max_velocity: 0.25 + 6 / 180 m/s.
  EXPECT_LT(fastest, 0.25 + 6.0 / 180.0 + 1e-6);
  EXPECT_NEAR(tool.pose.position.x(), 0.5, 1e-4);
}

}  // namespace
}  // namespace franka_impedance_controller
