// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/impedance_law.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

namespace franka_impedance_controller
{
namespace
{

/// Below this the series of log and exp are exact to double precision.
constexpr double kSmallAngle = 1e-4;

/// Damping of the pseudo-inverse, in the units of the Jacobian's singular values. Far from
/// singularities a Panda's are above 0.1, so that less than 0.3 % of a posture's torque leaks into
/// the tool's force. A projection stays bounded however small the damping.
constexpr double kPseudoInverseDamping = 0.005;

Vector3 limit_norm(const Vector3 & vector, double max_norm)
{
  const double norm = vector.norm();
  return norm > max_norm ? Vector3(vector * (max_norm / norm)) : vector;
}

/// max_velocity per axis.
Vector6 velocity_limits(const Gains & gains)
{
  Vector6 limits;
  limits.head<3>().setConstant(gains.max_linear_velocity);
  limits.tail<3>().setConstant(gains.max_angular_velocity);
  return limits;
}

}  // namespace

Vector3 log_map(const Eigen::Quaterniond & rotation)
{
  // q and -q are the same rotation; w >= 0 picks the shorter one.
  const double sign = rotation.w() < 0.0 ? -1.0 : 1.0;
  const Vector3 vector = sign * rotation.vec();
  const double sine = vector.norm();  // of half the angle
  if (sine < kSmallAngle)
  {
    return vector * (2.0 + sine * sine / 3.0);
  }
  return vector * (2.0 * std::atan2(sine, sign * rotation.w()) / sine);
}

Eigen::Quaterniond exp_map(const Vector3 & rotation_vector)
{
  const double half = 0.5 * rotation_vector.norm();
  const double scale = half < kSmallAngle ? 0.5 - half * half / 12.0 : 0.5 * std::sin(half) / half;
  const Vector3 vector = scale * rotation_vector;
  return {std::cos(half), vector.x(), vector.y(), vector.z()};
}

Vector6 pose_error(const Pose & from, const Pose & to)
{
  Vector6 error;
  error.head<3>() = to.position - from.position;
  error.tail<3>() = log_map(to.orientation * from.orientation.conjugate());
  return error;
}

Pose displace(const Pose & pose, const Vector6 & error)
{
  return {
    pose.position + error.head<3>(), (exp_map(error.tail<3>()) * pose.orientation).normalized()};
}

Reference filter_target(
  const Reference & previous, const Pose & target, double time_left, const Gains & gains, double dt)
{
  const double share = time_left > dt ? dt / time_left : 1.0;
  Vector6 step = share * pose_error(previous.pose, target);
  step.head<3>() = limit_norm(step.head<3>(), gains.max_linear_velocity * dt);
  step.tail<3>() = limit_norm(step.tail<3>(), gains.max_angular_velocity * dt);
  return {displace(previous.pose, step), step / dt};
}

Vector6 clip_error(const Vector6 & error, const Gains & gains)
{
  return error.cwiseMin(gains.clip_positive).cwiseMax(-gains.clip_negative);
}

WrenchBounds wrench_bounds(const Vector6 & twist, const Gains & gains)
{
  const Vector6 max_velocity = velocity_limits(gains);
  const Vector6 forward = twist.cwiseMin(max_velocity).cwiseMax(0.0);
  const Vector6 backward = twist.cwiseMin(0.0).cwiseMax(-max_velocity);
  return {
    -gains.stiffness.cwiseProduct(gains.clip_negative) +
      gains.damping.cwiseProduct(backward - twist),
    gains.stiffness.cwiseProduct(gains.clip_positive) +
      gains.damping.cwiseProduct(forward - twist)};
}

Vector6 impedance_wrench(
  const Vector6 & error, const Vector6 & reference_velocity, const Vector6 & twist,
  const Vector6 & integral_wrench, const WrenchBounds & bounds, const Gains & gains)
{
  const Vector6 wrench = gains.stiffness.cwiseProduct(error) +
                         gains.damping.cwiseProduct(reference_velocity - twist) + integral_wrench;
  return wrench.cwiseMin(bounds.upper).cwiseMax(bounds.lower);
}

Vector6 integrate_error(
  const Vector6 & integral_wrench, const Vector6 & error, const Vector6 & wrench,
  const WrenchBounds & bounds, const Gains & gains, double dt)
{
  const auto winds_up = (wrench.array() >= bounds.upper.array() && error.array() > 0.0) ||
                        (wrench.array() <= bounds.lower.array() && error.array() < 0.0);
  const Vector6 step = winds_up.select(Vector6::Zero(), dt * gains.integral.cwiseProduct(error));
  const Vector6 sum = (integral_wrench + step)
                        .cwiseMin(gains.stiffness.cwiseProduct(gains.clip_positive))
                        .cwiseMax(-gains.stiffness.cwiseProduct(gains.clip_negative));
  return (gains.integral.array() > 0.0).select(sum, Vector6::Zero());
}

JointVector posture_torque(
  const JointVector & posture, const JointVector & q, const JointVector & dq, const Gains & gains)
{
  return gains.nullspace_stiffness * (posture - q) - gains.nullspace_damping * dq;
}

JointVector project_to_nullspace(const Jacobian & jacobian, const JointVector & torque)
{
  Eigen::Matrix<double, 6, 6> gram;
  gram.noalias() = jacobian * jacobian.transpose();
  gram.diagonal().array() += kPseudoInverseDamping * kPseudoInverseDamping;
  const Vector6 wrench = gram.ldlt().solve(Vector6(jacobian * torque));
  return torque - jacobian.transpose() * wrench;
}

JointVector limit_torque_rate(
  const JointVector & torque, const JointVector & previous, const Limits & limits, double dt)
{
  const double step = limits.torque_rate * dt;
  // Clamped rather than summed up: a torque within the limit comes out as it is, to the last bit.
  return torque.cwiseMin((previous.array() + step).matrix())
    .cwiseMax((previous.array() - step).matrix());
}

JointVector limit_torque(const JointVector & torque, const Limits & limits)
{
  return torque.cwiseMin(limits.torque).cwiseMax(-limits.torque);
}

}  // namespace franka_impedance_controller
