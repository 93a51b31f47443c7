// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "franka_impedance_controller/gains.hpp"
#include "franka_impedance_controller/types.hpp"

/// The impedance law of SERL, section 4.5, as a pipeline of pure functions, in the order in which
/// they run at 1 kHz. Everything is in the base frame and SI units. Nothing allocates or throws.
namespace franka_impedance_controller
{

/// Logarithm map: the rotation vector (rad, angle at most pi) of a unit quaternion.
Vector3 log_map(const Eigen::Quaterniond & rotation);
/// Exponential map, the inverse of log_map.
Eigen::Quaterniond exp_map(const Vector3 & rotation_vector);

/// `to - from`: translation in m; rotation in rad, turning `from` into `to` about base axes.
Vector6 pose_error(const Pose & from, const Pose & to);
/// The pose that differs from `pose` by `error`: pose_error(pose, displace(pose, error)) == error.
Pose displace(const Pose & pose, const Vector6 & error);

/// Where the spring is led: the smoothed target and its velocity.
struct Reference
{
  Pose pose;
  Vector6 velocity = Vector6::Zero();  ///< m/s, rad/s
};

/// One tick of the low-pass: `previous`, moved along the straight way to `target` (SLERP for the
/// rotation) so as to arrive after `time_left`, with bounded speed. For targets that come once per
/// target_period this is the moving average over a period: a chain of straight lines without a stop
/// between them; it waits for one that comes late. An exponential low-pass, as SERL's, slows down
/// before each next target, and where that is a step from the measured pose, executes a third of it
/// (20 mm at 10 Hz, 0.2 s).
Reference filter_target(
  const Reference & previous, const Pose & target, double time_left, const Gains & gains,
  double dt);

/// Error per axis, clipped to [-clip_negative, clip_positive].
Vector6 clip_error(const Vector6 & error, const Gains & gains);

/// Interval of wrenches that a reference clipped at the one or the other end exerts. N, Nm.
struct WrenchBounds
{
  Vector6 lower;
  Vector6 upper;
};

/// A reference at its clip moves with the tool, no faster than max_velocity and never away from its
/// side: velocity r(v) = clamp(v, 0, max_velocity) on the positive side. There the wrench is
/// stiffness * clip + damping * (r(v) - v): the plain stiffness * clip while the tool gives way,
/// damped when it is too fast or pushed back. So a wrench that feeds energy to the tool is never
/// above stiffness * clip, moving or at rest. On its way to a far reference the tool settles at
/// max_velocity + stiffness * clip / damping.
WrenchBounds wrench_bounds(const Vector6 & twist, const Gains & gains);

/// Spring to the reference, damper relative to its velocity, the integral's wrench; then the bounds
/// above.
/// Away from the clip the tool follows at the reference's speed without lag; damping the tool's
/// absolute velocity instead, as SERL does, would cap its speed at stiffness * clip / damping.
/// Clamping one continuous wrench between two continuous bounds leaves no border to chatter across.
Vector6 impedance_wrench(
  const Vector6 & error, const Vector6 & reference_velocity, const Vector6 & twist,
  const Vector6 & integral_wrench, const WrenchBounds & bounds, const Gains & gains);

/// One tick of the integral's wrench (N, Nm): integral * error * dt, summed up. Summing wrenches, not
/// errors, keeps it where it is when the gain changes. Anti-windup: an axis whose wrench is at a bound
/// only integrates back, none goes beyond stiffness * clip, and one without a gain has none.
Vector6 integrate_error(
  const Vector6 & integral_wrench, const Vector6 & error, const Vector6 & wrench,
  const WrenchBounds & bounds, const Gains & gains, double dt);

/// Part of `torque` that leaves the tool's static wrench alone: (I - J^T (J J^T + s^2 I)^-1 J) torque.
/// The damping s keeps the inverse bounded near singular postures.
JointVector project_to_nullspace(const Jacobian & jacobian, const JointVector & torque);

/// Spring-damper toward a posture, Nm; to be projected.
JointVector posture_torque(
  const JointVector & posture, const JointVector & q, const JointVector & dq, const Gains & gains);

/// `torque`, moved from `previous` by no more than limits.torque_rate * dt.
JointVector limit_torque_rate(
  const JointVector & torque, const JointVector & previous, const Limits & limits, double dt);

/// `torque` within +-limits.torque.
JointVector limit_torque(const JointVector & torque, const Limits & limits);

}  // namespace franka_impedance_controller
