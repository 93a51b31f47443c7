// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rclcpp/publisher.hpp>
#include <rclcpp/time.hpp>
#include <realtime_tools/realtime_publisher.hpp>
#include <serl_msgs/msg/controller_state.hpp>
#include <string>

#include "franka_impedance_controller/impedance_controller.hpp"
#include "franka_impedance_controller/pending_reasons.hpp"

namespace franka_impedance_controller
{

/// Publishes every n-th tick from the control loop. A reason other than OK that came up between two
/// messages is named by one of the next.
class StatePublisher
{
public:
  using Message = serl_msgs::msg::ControllerState;

  StatePublisher(
    rclcpp::Publisher<Message>::SharedPtr publisher, const std::string & base_frame,
    Eigen::Index joints, unsigned ticks_per_message);

  /// Of what was before the controller was activated. Real-time safe.
  void forget()
  {
    pending_ = PendingReasons{};
    ticks_ = 0;
  }

  /// For what one tick's state does not tell. Real-time safe.
  void note(Reason reason) { pending_.note(reason); }

  /// One tick. `external_wrench` in the sensor's frame. Real-time safe.
  void tick(
    const ControllerState & state, const Vector6 & external_wrench, const rclcpp::Time & time);

  /// Publishes between ticks. Not real-time safe: waits until the message before is out.
  void publish(
    const ControllerState & state, const Vector6 & external_wrench, const rclcpp::Time & time);

private:
  bool try_publish(
    Reason reason, const ControllerState & state, const Vector6 & external_wrench,
    const rclcpp::Time & time);

  realtime_tools::RealtimePublisher<Message> publisher_;
  Message message_;
  PendingReasons pending_;
  unsigned ticks_per_message_;
  unsigned ticks_ = 0;
};

}  // namespace franka_impedance_controller
