// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/impedance_controller.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace franka_impedance_controller
{
namespace
{

constexpr double kGainsTimeConstant = 0.1;  ///< s, low-pass of a change of gains
constexpr double kStopTime = 0.02;          ///< s, time constant of a stop
constexpr double kGainsSettled = 2.0;       ///< s, after which less than 1e-8 of a change is left

/// Beyond what any arm does: numbers like these are garbage, though finite.
constexpr double kMaxPlausibleAngle = 1e3;  ///< rad
constexpr double kMaxPlausibleSpeed = 1e3;  ///< rad/s

bool is_plausible(const JointVector & q, const JointVector & dq)
{
  return q.allFinite() && dq.allFinite() && (q.array().abs() <= kMaxPlausibleAngle).all() &&
         (dq.array().abs() <= kMaxPlausibleSpeed).all();
}

/// Whether the target, or that there was none yet, is what the arm is doing.
bool is_as_asked(Reason reason)
{
  return reason == Reason::kOk || reason == Reason::kHolding || reason == Reason::kWorkspaceLimit;
}

}  // namespace

ImpedanceController::ImpedanceController(
  const ModelDescription & description, const Gains & gains, double dt, const Limits & limits,
  const Guards & guards)
: model_(description), gains_(gains), new_gains_(gains), limits_(limits), guards_(guards), dt_(dt)
{
  if (limits_.torque.size() == 0)
  {
    limits_.torque = model_.torque_limits();
  }
  validate(gains_);
  validate(limits_, model_.joints());
  validate(guards_);
  if (!std::isfinite(dt) || dt <= 0.0)
  {
    throw std::invalid_argument("dt: expected seconds > 0, got " + std::to_string(dt));
  }
  joint_limits_ = {model_.lower_limits(), model_.upper_limits(), limits_.torque};
  posture_.setZero(model_.joints());
  state_.tau.setZero(model_.joints());
}

void ImpedanceController::activate(const JointVector & q, const JointVector & dq)
{
  state_.tau.setZero(model_.joints());
  if (!is_plausible(q, dq))
  {
    fault();
    return;
  }
  model_.update(q, dq);
  posture_ = q;
  joint_margins_ = joint_margins(JointVector::Zero(q.size()), q, joint_limits_, guards_);
  gains_ = new_gains_;
  reference_ = {model_.pose(), Vector6::Zero()};
  integral_wrench_.setZero();

  state_ = ControllerState{};
  state_.pose = state_.target = state_.filtered = state_.clipped = model_.pose();
  state_.twist = model_.twist();
  state_.tau.setZero(model_.joints());
  target_reason_ = Reason::kHolding;
  following_ = false;
  time_left_ = 0.0;
  active_ = true;
}

Reason ImpedanceController::set_target(const Pose & target)
{
  if (!active_)
  {
    return target_reason_;
  }
  target_reason_ = check_target(target, state_.pose, guards_);
  if (target_reason_ != Reason::kOk)
  {
    return target_reason_;
  }
  // A tool that is far outside the box would be sent far by a target on the box.
  const Pose inside = limit_to_workspace(target, guards_);
  target_reason_ = check_target(inside, state_.pose, guards_);
  if (target_reason_ != Reason::kOk)
  {
    return target_reason_;
  }
  state_.target = {inside.position, inside.orientation.normalized()};
  following_ = true;
  target_age_ = 0.0;
  time_left_ = gains_.target_period;
  if (inside.position != target.position)
  {
    target_reason_ = Reason::kWorkspaceLimit;
  }
  return target_reason_;
}

void ImpedanceController::refuse_target(Reason reason)
{
  if (active_)
  {
    target_reason_ = reason;
  }
}

void ImpedanceController::set_gains(const Gains & gains)
{
  validate(gains);
  new_gains_ = gains;
  gains_age_ = 0.0;
}

void ImpedanceController::set_guards(const Guards & guards)
{
  validate(guards);
  guards_ = guards;
}

const JointVector & ImpedanceController::update(const JointVector & q, const JointVector & dq)
{
  if (!is_plausible(q, dq))
  {
    fault();
  }
  state_.reason = target_reason_;
  if (!active_)
  {
    saturate(JointVector::Zero(model_.joints()));
    return state_.tau;
  }
  approach_new_gains();
  watch_target();
  joint_margins_ = joint_margins(joint_margins_, q, joint_limits_, guards_);
  if (is_as_asked(state_.reason) && near_joint_limit(q, joint_limits_, guards_))
  {
    state_.reason = Reason::kJointLimit;
  }
  saturate(task_torque(q, dq) + joint_limit_torque(q, dq, joint_limits_, joint_margins_, guards_));
  return state_.tau;
}

void ImpedanceController::fault()
{
  active_ = false;
  target_reason_ = state_.reason = Reason::kHardwareError;
}

void ImpedanceController::approach_new_gains()
{
  if (gains_age_ > kGainsSettled)
  {
    return;
  }
  gains_age_ += dt_;
  const bool settled = gains_age_ > kGainsSettled;
  gains_ = settled ? new_gains_ : blend(gains_, new_gains_, -std::expm1(-dt_ / kGainsTimeConstant));
}

void ImpedanceController::watch_target()
{
  target_age_ += dt_;
  if (following_ && target_age_ > guards_.target_timeout)
  {
    stop();
    following_ = false;
    target_reason_ = state_.reason = Reason::kTargetStale;
  }
}

void ImpedanceController::stop()
{
  // From where the clipped spring pulls now, so that a pressing tool goes on pressing with the same
  // force and reaches no further than its clip if what it presses on gives way. A moving tool runs out
  // along its own motion: time stands still while nothing is followed, so that the reference begins
  // at the tool's speed and slows down exponentially.
  reference_.pose = state_.clipped;
  state_.target = displace(state_.clipped, kStopTime * state_.twist);
  time_left_ = kStopTime;
}

JointVector ImpedanceController::task_torque(const JointVector & q, const JointVector & dq)
{
  model_.update(q, dq);
  reference_ = filter_target(reference_, state_.target, time_left_, gains_, dt_);
  if (following_)
  {
    time_left_ = std::max(0.0, time_left_ - dt_);
  }

  const Vector6 error = pose_error(model_.pose(), reference_.pose);
  const Vector6 clipped = clip_error(error, gains_);
  const WrenchBounds bounds = wrench_bounds(model_.twist(), gains_);
  const Vector6 wrench =
    impedance_wrench(error, reference_.velocity, model_.twist(), integral_wrench_, bounds, gains_);
  integral_wrench_ = integrate_error(integral_wrench_, error, wrench, bounds, gains_, dt_);

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

  if (state_.reason != Reason::kOk)
  {
    return;  // the cause comes before its effects
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
