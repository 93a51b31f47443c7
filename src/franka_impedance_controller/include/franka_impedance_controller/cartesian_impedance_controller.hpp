// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <controller_interface/controller_interface.hpp>
#include <controller_manager_msgs/srv/list_hardware_components.hpp>
#include <cstdint>
#include <franka_impedance_controller/cartesian_impedance_controller_parameters.hpp>
#include <geometry_msgs/msg/pose_stamped.hpp>
#include <memory>
#include <optional>
#include <rclcpp/rclcpp.hpp>
#include <std_srvs/srv/trigger.hpp>
#include <string>
#include <vector>

#include "franka_impedance_controller/impedance_controller.hpp"
#include "franka_impedance_controller/mailbox.hpp"
#include "franka_impedance_controller/state_publisher.hpp"
#include "franka_impedance_controller/target_owner.hpp"

namespace franka_impedance_controller
{

/// ImpedanceController under ros2_control: joint positions and velocities in, efforts out.
///
/// Two threads meet here. The control loop calls update(); the node's callbacks check what comes in
/// and leave it in mailboxes, from which update() takes it.
///
/// A fault leaves the controller unconfigured, and it cannot be configured again before a person
/// calls ~/clear_fault. Inactive would not do: the manager switches the hardware's mode before it
/// asks a controller whether it may be activated, and for Franka's hardware that clears a reflex.
class CartesianImpedanceController : public controller_interface::ControllerInterface
{
public:
  using CallbackReturn = controller_interface::CallbackReturn;

  CallbackReturn on_init() override;
  controller_interface::InterfaceConfiguration command_interface_configuration() const override;
  controller_interface::InterfaceConfiguration state_interface_configuration() const override;

  CallbackReturn on_configure(const rclcpp_lifecycle::State & previous_state) override;
  CallbackReturn on_activate(const rclcpp_lifecycle::State & previous_state) override;
  CallbackReturn on_deactivate(const rclcpp_lifecycle::State & previous_state) override;
  CallbackReturn on_error(const rclcpp_lifecycle::State & previous_state) override;

  controller_interface::return_type update(
    const rclcpp::Time & time, const rclcpp::Duration & period) override;

private:
  using Params = cartesian_impedance_controller::Params;
  using ListHardware = controller_manager_msgs::srv::ListHardwareComponents;
  using Trigger = std_srvs::srv::Trigger;

  struct Settings
  {
    Gains gains;
    Guards guards;
  };

  enum class Fault : std::uint8_t
  {
    kNone,
    kMeasurement,
    kCommand,
    kHardware,
  };
  static const char * text(Fault fault);
  void announce(Fault fault);

  // In the node's callbacks.
  rcl_interfaces::msg::SetParametersResult check_workspace(
    const std::vector<rclcpp::Parameter> & changes) const;
  void receive_target(
    const geometry_msgs::msg::PoseStamped & message, const rclcpp::MessageInfo & info);
  void ask_hardware();
  void check_hardware(const ListHardware::Response & response);
  void clear_fault(Trigger::Response & response);
  bool is_active() { return get_lifecycle_state().id() == kActive; }
  bool is_inactive() { return get_lifecycle_state().id() == kInactive; }

  // In the control loop.
  void take_settings();
  void take_target();
  void measure();
  bool command(const JointVector & tau);
  bool command_zero();

  static constexpr auto kActive = lifecycle_msgs::msg::State::PRIMARY_STATE_ACTIVE;
  static constexpr auto kInactive = lifecycle_msgs::msg::State::PRIMARY_STATE_INACTIVE;

  std::shared_ptr<cartesian_impedance_controller::ParamListener> param_listener_;
  Params params_;  ///< as configured; of what may change since, settings_ has the newest
  std::string base_frame_;
  rclcpp::node_interfaces::OnSetParametersCallbackHandle::SharedPtr workspace_check_;
  rclcpp::Subscription<geometry_msgs::msg::PoseStamped>::SharedPtr target_subscription_;
  rclcpp::Client<ListHardware>::SharedPtr hardware_client_;
  rclcpp::TimerBase::SharedPtr hardware_timer_;
  rclcpp::Service<Trigger>::SharedPtr clear_fault_service_;
  TargetOwner target_owner_;
  std::uint64_t owner_activation_ = 0;

  Mailbox<Settings> settings_;
  Mailbox<Pose> target_;
  std::atomic<bool> second_publisher_ = false;
  std::atomic<bool> deactivated_ = false;  ///< and not yet known why
  std::atomic<std::uint64_t> ticks_ = 0;   ///< the clock of target_owner_
  std::atomic<std::uint64_t> activations_ = 0;
  std::atomic<Fault> fault_ = Fault::kNone;

  std::optional<ImpedanceController> controller_;
  std::optional<RobotModel> gravity_model_;  ///< where the robot does not compensate gravity itself
  std::unique_ptr<StatePublisher> state_publisher_;
  int failed_writes_ = 0;  ///< ticks in a row
  JointVector q_;
  JointVector dq_;
  JointVector gravity_;
  Vector6 external_wrench_ = Vector6::Zero();
};

}  // namespace franka_impedance_controller
