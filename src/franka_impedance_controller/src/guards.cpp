// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/guards.hpp"

#include <cmath>

#include "franka_impedance_controller/impedance_law.hpp"
#include "validation.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr double kUnitTolerance = 1e-3;  ///< of the norm of a target's quaternion

/// s/rad; a joint that runs into its stop at 1 rad/s meets it 1 + 2 times as stiff.
constexpr double kStopDamping = 2.0;

}  // namespace

void validate(const Guards & guards)
{
  require_positive("max_target_distance", guards.max_target_distance);
  require_positive("max_target_angle", guards.max_target_angle);
  require_positive("target_timeout", guards.target_timeout);
  require_positive("joint_limit_margin", guards.joint_limit_margin);
  for (Eigen::Index axis = 0; axis < 3; ++axis)
  {
    const double lower = guards.workspace_lower[axis], upper = guards.workspace_upper[axis];
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (!(lower <= upper) || lower == kInfinity || upper == -kInfinity)
    {
      fail("workspace_lower[" + std::to_string(axis) + "]", "at most workspace_upper", lower);
    }
  }
}

Reason check_target(const Pose & target, const Pose & measured, const Guards & guards)
{
  if (!target.position.allFinite() || !target.orientation.coeffs().allFinite())
  {
    return Reason::kTargetNotFinite;
  }
  if (!(std::abs(target.orientation.norm() - 1.0) <= kUnitTolerance))
  {
    return Reason::kTargetNotUnit;
  }
  const Vector6 jump = pose_error(measured, target);
  const bool near = jump.head<3>().norm() <= guards.max_target_distance &&
                    jump.tail<3>().norm() <= guards.max_target_angle;
  return near ? Reason::kOk : Reason::kTargetJump;
}

Pose limit_to_workspace(const Pose & target, const Guards & guards)
{
  return {
    target.position.cwiseMin(guards.workspace_upper).cwiseMax(guards.workspace_lower),
    target.orientation};
}

bool near_joint_limit(const JointVector & q, const JointLimits & limits, const Guards & guards)
{
  return (q.array() < limits.lower.array() + guards.joint_limit_margin).any() ||
         (q.array() > limits.upper.array() - guards.joint_limit_margin).any();
}

JointVector joint_margins(
  const JointVector & previous, const JointVector & q, const JointLimits & limits,
  const Guards & guards)
{
  const auto distance = (q - limits.lower).cwiseMin(limits.upper - q).cwiseMax(0.0);
  return previous.cwiseMax(distance).cwiseMin(guards.joint_limit_margin);
}

JointVector joint_limit_torque(
  const JointVector & q, const JointVector & dq, const JointLimits & limits,
  const JointVector & margins, const Guards & guards)
{
  const auto below = (limits.lower + margins - q).array().cwiseMax(0.0);
  const auto above = (q - limits.upper + margins).array().cwiseMax(0.0);
  const auto stiffness = limits.torque.array() / guards.joint_limit_margin;
  return stiffness * (below * (1.0 - kStopDamping * dq.array()).cwiseMax(0.0) -
                      above * (1.0 + kStopDamping * dq.array()).cwiseMax(0.0));
}

}  // namespace franka_impedance_controller
