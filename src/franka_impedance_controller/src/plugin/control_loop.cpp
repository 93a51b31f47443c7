// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// What runs at 1 kHz. Neither heap, nor lock, nor log.
#include "franka_impedance_controller/cartesian_impedance_controller.hpp"

namespace franka_impedance_controller
{
namespace
{

/// Ticks in a row in which the hardware's own thread may hold an interface.
constexpr int kMaxFailedWrites = 5;

/// The value, or `previous` while the hardware's own thread is writing it.
double read(const hardware_interface::LoanedStateInterface & interface, double previous)
{
  return interface.get_optional().value_or(previous);
}

}  // namespace

controller_interface::return_type CartesianImpedanceController::update(
  const rclcpp::Time & time, const rclcpp::Duration & /*period*/)
{
  using controller_interface::return_type;

  ++ticks_;
  take_settings();
  take_target();
  measure();
  const JointVector & tau = controller_->update(q_, dq_);
  failed_writes_ = command(tau) ? 0 : failed_writes_ + 1;
  state_publisher_->tick(controller_->state(), external_wrench_, time);
  if (failed_writes_ > kMaxFailedWrites)
  {
    fault_ = Fault::kCommand;
    return return_type::ERROR;
  }
  if (controller_->state().reason == Reason::kHardwareError)
  {
    // The manager stops a controller at once on ERROR: first let the torque fade.
    fault_ = Fault::kMeasurement;
    return tau.isZero(0.0) ? return_type::ERROR : return_type::OK;
  }
  return return_type::OK;
}

void CartesianImpedanceController::take_settings()
{
  if (const auto settings = settings_.take())
  {
    controller_->set_gains(settings->gains);
    controller_->set_guards(settings->guards);
  }
}

void CartesianImpedanceController::take_target()
{
  if (second_publisher_.exchange(false))
  {
    controller_->refuse_target(Reason::kSecondPublisher);
    state_publisher_->note(Reason::kSecondPublisher);
  }
  if (const auto target = target_.take())
  {
    state_publisher_->note(controller_->set_target(*target));
  }
}

void CartesianImpedanceController::measure()
{
  std::size_t next = 0;
  for (auto * values : {&q_, &dq_})
  {
    for (auto & value : *values)
    {
      value = read(state_interfaces_[next++], value);
    }
  }
  for (Eigen::Index axis = 0; next < state_interfaces_.size(); ++axis)
  {
    external_wrench_[axis] = read(state_interfaces_[next++], external_wrench_[axis]);
  }
}

bool CartesianImpedanceController::command(const JointVector & tau)
{
  JointVector effort = tau;
  if (gravity_model_)
  {
    if (controller_->state().reason != Reason::kHardwareError)
    {
      gravity_ = gravity_model_->gravity(q_);
    }
    const auto & limit = gravity_model_->torque_limits();
    effort = (tau + gravity_).cwiseMin(limit).cwiseMax(-limit);
    if (effort != tau + gravity_)
    {
      state_publisher_->note(Reason::kTorqueLimit);
    }
  }
  bool written = true;
  for (std::size_t joint = 0; joint < command_interfaces_.size(); ++joint)
  {
    written &= command_interfaces_[joint].set_value(effort[static_cast<Eigen::Index>(joint)]);
  }
  return written;
}

bool CartesianImpedanceController::command_zero()
{
  bool written = true;
  for (auto & interface : command_interfaces_)
  {
    written &= interface.set_value(0.0);
  }
  return written;
}

}  // namespace franka_impedance_controller
