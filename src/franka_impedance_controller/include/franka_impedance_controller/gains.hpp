// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "franka_impedance_controller/types.hpp"

namespace franka_impedance_controller
{

/// What a task chooses. Six-vectors are x, y, z, rotation x, y, z in the base frame.
///
/// Rotation errors are rotation vectors (logarithm map) in radians. SERL's controller takes the
/// vector part of the quaternion, about half of that: its rotational stiffness is halved here, its
/// rotational clips are doubled, and its rotational damping stays.
struct Gains
{
  Vector6 stiffness = (Vector6() << 2000, 2000, 2000, 75, 75, 75).finished();  ///< N/m, Nm/rad
  Vector6 damping = (Vector6() << 89, 89, 89, 7, 7, 7).finished();             ///< Ns/m, Nms/rad
  Vector6 integral = Vector6::Zero();  ///< N/(m s), Nm/(rad s)

  /// Bounds of `reference - measured`, both given as positive numbers: `clip_positive` bounds the
  /// pull toward plus, `clip_negative` the pull toward minus. m, rad. The force at rest is at most
  /// stiffness * clip, and what the soft stops at the joints' ends add. (SERL's `clip_x` bounds the pull toward minus x, `clip_neg_x` toward plus.)
  Vector6 clip_positive = (Vector6() << 0.01, 0.01, 0.01, 0.1, 0.1, 0.1).finished();
  Vector6 clip_negative = (Vector6() << 0.01, 0.01, 0.01, 0.1, 0.1, 0.1).finished();

  double target_period = 0.1;  ///< s between targets; the reference takes as long to a new one
  /// Of the reference. A tool that is let go toward a far reference settles at this plus
  /// stiffness * clip / damping.
  double max_linear_velocity = 0.25;  ///< m/s
  double max_angular_velocity = 2.0;  ///< rad/s

  double nullspace_stiffness = 10.0;  ///< Nm/rad, toward the posture at activation
  double nullspace_damping = 6.3;     ///< Nms/rad, about 2 sqrt(stiffness)
};

/// What the robot allows; joint torques are without gravity.
struct Limits
{
  JointVector torque;           ///< Nm, one per joint (Franka: 87 for joints 1-4, 12 for 5-7)
  double torque_rate = 1000.0;  ///< Nm/s, every joint (Franka's limit)
};

/// `from`, with every entry moved toward `to` by `share` (0 to 1) of the way; of the clips, the forces
/// stiffness * clip. Real-time safe.
Gains blend(const Gains & from, const Gains & to, double share);

/// Throws std::invalid_argument with one line that names the first bad entry.
void validate(const Gains & gains);
void validate(const Limits & limits, Eigen::Index joints);

}  // namespace franka_impedance_controller
