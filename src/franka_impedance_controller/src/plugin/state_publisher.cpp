// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/state_publisher.hpp"

#include <chrono>
#include <thread>

#include "messages.hpp"

namespace franka_impedance_controller
{

StatePublisher::StatePublisher(
  rclcpp::Publisher<Message>::SharedPtr publisher, const std::string & base_frame,
  Eigen::Index joints, unsigned ticks_per_message)
: publisher_(std::move(publisher)), ticks_per_message_(ticks_per_message)
{
  message_.header.frame_id = base_frame;
  message_.tau.resize(static_cast<std::size_t>(joints));
}

void StatePublisher::tick(
  const ControllerState & state, const Vector6 & external_wrench, const rclcpp::Time & time)
{
  pending_.note(state.reason);
  if (++ticks_ < ticks_per_message_)
  {
    return;
  }
  const Reason reason = pending_.next();
  if (try_publish(reason, state, external_wrench, time))
  {
    pending_.published(reason);
    ticks_ = 0;
  }
}

void StatePublisher::publish(
  const ControllerState & state, const Vector6 & external_wrench, const rclcpp::Time & time)
{
  constexpr int kAttempts = 100;  // the thread that sends is busy for well under a millisecond
  int attempt = 0;
  while (!try_publish(state.reason, state, external_wrench, time) && ++attempt < kAttempts)
  {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

bool StatePublisher::try_publish(
  Reason reason, const ControllerState & state, const Vector6 & external_wrench,
  const rclcpp::Time & time)
{
  message_.header.stamp = time;
  message_.reason = static_cast<std::uint8_t>(reason);
  write(state.pose, message_.pose);
  write(state.target, message_.target_pose);
  write(state.filtered, message_.filtered_pose);
  write(state.clipped, message_.clipped_pose);
  write(state.twist, message_.twist);
  write(state.wrench, message_.commanded_wrench);
  write(external_wrench, message_.external_wrench);
  Eigen::Map<Mask6>(message_.clipped.data()) = state.clipped_axes;
  Eigen::Map<Eigen::VectorXd>(message_.tau.data(), state.tau.size()) = state.tau;
  return publisher_.try_publish(message_);
}

}  // namespace franka_impedance_controller
