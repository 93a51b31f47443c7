// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

#include "franka_impedance_controller/types.hpp"

/// What stands between a target and the arm. Pure functions; nothing allocates or throws but validate().
namespace franka_impedance_controller
{

/// Why the controller does not simply follow its target; values of serl_msgs/msg/ControllerState.
enum class Reason : std::uint8_t
{
  kOk = 0,
  kHolding = 1,
  kTargetNotFinite = 2,
  kTargetNotUnit = 3,
  kTargetJump = 4,
  kTargetStale = 5,
  kSecondPublisher = 6,
  kWorkspaceLimit = 7,
  kJointLimit = 8,
  kTorqueLimit = 9,
  kTorqueRateLimit = 10,
  kHardwareError = 11,
};

struct Guards
{
  double max_target_distance = 0.15;  ///< m, of a new target from the measured tool
  double max_target_angle = 0.8;      ///< rad, likewise
  double target_timeout = 0.15;       ///< s without a target that is taken: stop and hold
  Vector3 workspace_lower =  ///< m, corners of the box that targets are kept in, base frame
    Vector3::Constant(-std::numeric_limits<double>::infinity());
  Vector3 workspace_upper = Vector3::Constant(std::numeric_limits<double>::infinity());
  double joint_limit_margin = 0.1;  ///< rad before a joint's limit, where a soft stop begins
};

/// Throws std::invalid_argument with one line that names the first bad entry.
void validate(const Guards & guards);

/// kOk, or why `target` is to be rejected: not finite, not of unit length, or too far from `measured`.
Reason check_target(const Pose & target, const Pose & measured, const Guards & guards);

/// `target` with its position moved onto the workspace box.
Pose limit_to_workspace(const Pose & target, const Guards & guards);

/// Where the joints end, and what their motors can.
struct JointLimits
{
  JointVector lower;   ///< rad
  JointVector upper;   ///< rad
  JointVector torque;  ///< Nm
};

/// Whether a joint is within the margin of its limit.
bool near_joint_limit(const JointVector & q, const JointLimits & limits, const Guards & guards);

/// Margins at which the soft stops begin, rad: guards.joint_limit_margin for a joint that has been
/// farther from its limits than that, else the most that it has been (`previous` before this tick).
/// So no stop sets an arm in motion that is found, or that a wider margin finds, near a limit.
JointVector joint_margins(
  const JointVector & previous, const JointVector & q, const JointLimits & limits,
  const Guards & guards);

/// Soft stops, Nm: springs from `margins` on, which over guards.joint_limit_margin reach the joint's
/// torque limit. They are stiffer on the way out than on the way back, and so take energy.
JointVector joint_limit_torque(
  const JointVector & q, const JointVector & dq, const JointLimits & limits,
  const JointVector & margins, const Guards & guards);

}  // namespace franka_impedance_controller
