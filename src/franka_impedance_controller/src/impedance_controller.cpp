// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/impedance_controller.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace franka_impedance_controller
{
namespace
{

constexpr double kUnitTolerance = 1e-3;     ///< of the norm of a target's quaternion
constexpr double kJointLimitMargin = 0.05;  ///< rad, within which JOINT_LIMIT is reported

bool near_joint_limit(const RobotModel & model, const JointVector & q)
{
  return (q.array() < model.lower_limits().array() + kJointLimitMargin).any() ||
         (q.array() > model.upper_limits().array() - kJointLimitMargin).any();
}

}  // namespace

ImpedanceController::ImpedanceController(
  const ModelDescription & description, const Gains & gains, double dt, const Limits & limits)
: model_(description), gains_(gains), limits_(limits), dt_(dt)
{
  if (limits_.torque.size() == 0)
  {
    limits_.torque = model_.torque_limits();
  }
  validate(gains_);
  validate(limits_, model_.joints());
  if (!std::isfinite(dt) || dt <= 0.0)
  {
    throw std::invalid_argument("dt: expected seconds > 0, got " + std::to_string(dt));
  }
  posture_.setZero(model_.joints());
  state_.tau.setZero(model_.joints());
}

void ImpedanceController::activate(const JointVector & q, const JointVector & dq)
{
  model_.update(q, dq);
  posture_ = q;
  reference_ = {model_.pose(), Vector6::Zero()};
  error_integral_.setZero();

  state_ = ControllerState{};
  state_.pose = state_.target = state_.filtered = state_.clipped = model_.pose();
  state_.twist = model_.twist();
  state_.tau.setZero(model_.joints());
  target_reason_ = Reason::kHolding;
  active_ = true;
}

Reason ImpedanceController::set_target(const Pose & target)
{
  if (!target.position.allFinite() || !target.orientation.coeffs().allFinite())
  {
    return target_reason_ = Reason::kTargetNotFinite;
  }
  if (std::abs(target.orientation.norm() - 1.0) > kUnitTolerance)
  {
    return target_reason_ = Reason::kTargetNotUnit;
  }
  state_.target = {target.position, target.orientation.normalized()};
  return target_reason_ = Reason::kOk;
}

void ImpedanceController::set_gains(const Gains & gains)
{
  validate(gains);
  gains_ = gains;
}

const JointVector & ImpedanceController::update(const JointVector & q, const JointVector & dq)
{
  const bool measured = q.allFinite() && dq.allFinite();
  state_.reason = measured ? target_reason_ : Reason::kHardwareError;
  if (measured && near_joint_limit(model_, q))
  {
    state_.reason = Reason::kJointLimit;
  }
  saturate(measured && active_ ? task_torque(q, dq) : JointVector::Zero(model_.joints()));
  return state_.tau;
}

JointVector ImpedanceController::task_torque(const JointVector & q, const JointVector & dq)
{
  model_.update(q, dq);
  reference_ = filter_target(reference_, state_.target, gains_, dt_);

  const Vector6 error = pose_error(model_.pose(), reference_.pose);
  const Vector6 clipped = clip_error(error, gains_);
  const WrenchBounds bounds = wrench_bounds(model_.twist(), gains_);
  const Vector6 wrench =
    impedance_wrench(error, reference_.velocity, model_.twist(), error_integral_, bounds, gains_);
  error_integral_ = integrate_error(error_integral_, error, wrench, bounds, dt_);

  state_.pose = model_.pose();
  state_.filtered = reference_.pose;
  state_.clipped = displace(model_.pose(), clipped);
  state_.twist = model_.twist();
  state_.wrench = wrench;
  state_.clipped_axes = clipped.array() != error.array();

  const JointVector posture = posture_torque(posture_, q, dq, gains_);
  return model_.jacobian().transpose() * wrench + project_to_nullspace(model_.jacobian(), posture) +
         model_.coriolis();
}

void ImpedanceController::saturate(const JointVector & tau_d)
{
  const JointVector tau_rate_limited = limit_torque_rate(tau_d, state_.tau, limits_, dt_);
  state_.tau = limit_torque(tau_rate_limited, limits_);

  if (state_.reason == Reason::kHardwareError || state_.reason == Reason::kJointLimit)
  {
    return;
  }
  if (state_.tau != tau_rate_limited)
  {
    state_.reason = Reason::kTorqueLimit;
  }
  else if (tau_rate_limited != tau_d)
  {
    state_.reason = Reason::kTorqueRateLimit;
  }
}

}  // namespace franka_impedance_controller
