// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/gains.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace franka_impedance_controller
{
namespace
{

// Text is made only for a bad value, so that checking good ones does not allocate.
[[noreturn]] void fail(const std::string & name, const char * expected, double got)
{
  throw std::invalid_argument(name + ": expected " + expected + ", got " + std::to_string(got));
}

bool not_negative(double value) { return std::isfinite(value) && value >= 0.0; }
bool positive(double value) { return std::isfinite(value) && value > 0.0; }

void require_not_negative(const char * name, double value)
{
  if (!not_negative(value))
  {
    fail(name, "a finite number >= 0", value);
  }
}

void require_positive(const char * name, double value)
{
  if (!positive(value))
  {
    fail(name, "a finite number > 0", value);
  }
}

void require_not_negative(const char * name, const Vector6 & values)
{
  for (Eigen::Index axis = 0; axis < values.size(); ++axis)
  {
    if (!not_negative(values[axis]))
    {
      fail(name + ("[" + std::to_string(axis) + "]"), "a finite number >= 0", values[axis]);
    }
  }
}

}  // namespace

void validate(const Gains & gains)
{
  require_not_negative("stiffness", gains.stiffness);
  require_not_negative("damping", gains.damping);
  require_not_negative("integral", gains.integral);
  require_not_negative("clip_positive", gains.clip_positive);
  require_not_negative("clip_negative", gains.clip_negative);
  require_not_negative("filter_time_constant", gains.filter_time_constant);
  require_positive("max_linear_velocity", gains.max_linear_velocity);
  require_positive("max_angular_velocity", gains.max_angular_velocity);
  require_not_negative("nullspace_stiffness", gains.nullspace_stiffness);
  require_not_negative("nullspace_damping", gains.nullspace_damping);
}

void validate(const Limits & limits, Eigen::Index joints)
{
  if (limits.torque.size() != joints)
  {
    throw std::invalid_argument(
      "torque_limits: expected " + std::to_string(joints) + " values, got " +
      std::to_string(limits.torque.size()));
  }
  for (Eigen::Index joint = 0; joint < joints; ++joint)
  {
    if (!positive(limits.torque[joint]))
    {
      fail(
        "torque_limits[" + std::to_string(joint) + "]", "a finite number > 0",
        limits.torque[joint]);
    }
  }
  require_positive("torque_rate", limits.torque_rate);
}

}  // namespace franka_impedance_controller
