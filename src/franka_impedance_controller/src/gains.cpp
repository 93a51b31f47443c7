// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/gains.hpp"

#include "validation.hpp"

namespace franka_impedance_controller
{
namespace
{

template <typename T>
void approach(T & value, const T & goal, double share)
{
  value += share * (goal - value);
}

/// Such that stiffness * clip, the force at rest, goes straight from the one to the other. Blending
/// both factors would let their product rise above both ends.
Vector6 blend_clip(
  const Vector6 & from, const Vector6 & to, const Vector6 & from_stiffness,
  const Vector6 & to_stiffness, const Vector6 & stiffness, double share)
{
  Vector6 force = from_stiffness.cwiseProduct(from);
  approach(force, Vector6(to_stiffness.cwiseProduct(to)), share);
  return (stiffness.array() > 0.0).select(force.cwiseQuotient(stiffness), to);
}

}  // namespace

void validate(const Gains & gains)
{
  require_gain("stiffness", gains.stiffness);
  require_gain("damping", gains.damping);
  require_gain("integral", gains.integral);
  require_gain("clip_positive", gains.clip_positive);
  require_gain("clip_negative", gains.clip_negative);
  require_gain("target_period", gains.target_period);
  require_positive("max_linear_velocity", gains.max_linear_velocity);
  require_positive("max_angular_velocity", gains.max_angular_velocity);
  require_gain("nullspace_stiffness", gains.nullspace_stiffness);
  require_gain("nullspace_damping", gains.nullspace_damping);
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
    if (!std::isfinite(limits.torque[joint]) || limits.torque[joint] <= 0.0)
    {
      fail(
        "torque_limits[" + std::to_string(joint) + "]", "a finite number > 0",
        limits.torque[joint]);
    }
  }
  require_positive("torque_rate", limits.torque_rate);
}

Gains blend(const Gains & from, const Gains & to, double share)
{
  Gains gains = from;
  approach(gains.stiffness, to.stiffness, share);
  approach(gains.damping, to.damping, share);
  approach(gains.integral, to.integral, share);
  gains.clip_positive = blend_clip(
    from.clip_positive, to.clip_positive, from.stiffness, to.stiffness, gains.stiffness, share);
  gains.clip_negative = blend_clip(
    from.clip_negative, to.clip_negative, from.stiffness, to.stiffness, gains.stiffness, share);
  approach(gains.target_period, to.target_period, share);
  approach(gains.max_linear_velocity, to.max_linear_velocity, share);
  approach(gains.max_angular_velocity, to.max_angular_velocity, share);
  approach(gains.nullspace_stiffness, to.nullspace_stiffness, share);
  approach(gains.nullspace_damping, to.nullspace_damping, share);
  return gains;
}

}  // namespace franka_impedance_controller
