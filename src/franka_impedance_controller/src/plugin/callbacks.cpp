// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// What the node's callbacks do: check, and leave for the control loop.
#include <algorithm>
#include <memory>
#include <stdexcept>

#include "franka_impedance_controller/cartesian_impedance_controller.hpp"
#include "messages.hpp"
#include "settings.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr int kThrottle = 1000;  ///< ms between two log lines of one kind

}  // namespace

rcl_interfaces::msg::SetParametersResult CartesianImpedanceController::check_workspace(
  const std::vector<rclcpp::Parameter> & changes) const
{
  rcl_interfaces::msg::SetParametersResult result;
  result.successful = true;
  auto params = param_listener_->get_params();
  for (const auto & change : changes)
  {
    if (change.get_name() == "workspace_lower")
    {
      params.workspace_lower = change.as_double_array();
    }
    if (change.get_name() == "workspace_upper")
    {
      params.workspace_upper = change.as_double_array();
    }
  }
  if (params.workspace_lower.size() != 3 || params.workspace_upper.size() != 3)
  {
    return result;  // generate_parameter_library refuses that
  }
  try
  {
    validate(guards(params));
  } catch (const std::invalid_argument & error)
  {
    result.successful = false;
    result.reason = error.what();
  }
  return result;
}

void CartesianImpedanceController::receive_target(
  const geometry_msgs::msg::PoseStamped & message, const rclcpp::MessageInfo & info)
{
  if (!is_active())
  {
    return;
  }
  const auto & frame = message.header.frame_id;
  if (!frame.empty() && frame != base_frame_)
  {
    RCLCPP_ERROR_THROTTLE(
      get_node()->get_logger(), *get_node()->get_clock(), kThrottle,
      "target_pose refused: expected frame_id '%s' or none, got '%s'.", base_frame_.c_str(),
      frame.c_str());
    return;
  }
  TargetOwner::Publisher publisher;
  const auto & gid = info.get_rmw_message_info().publisher_gid.data;
  static_assert(sizeof(gid) == sizeof(publisher));
  std::copy(std::begin(gid), std::end(gid), publisher.begin());
  if (const auto activations = activations_.load(); activations != owner_activation_)
  {
    owner_activation_ = activations;  // the clock of ticks has stood still since
    target_owner_ = TargetOwner{};
  }
  const double time = static_cast<double>(ticks_) / get_update_rate();
  if (!target_owner_.accepts(publisher, time, param_listener_->get_params().target_timeout))
  {
    second_publisher_ = true;
    RCLCPP_ERROR_THROTTLE(
      get_node()->get_logger(), *get_node()->get_clock(), kThrottle,
      "target_pose refused: comes from a second publisher while the first one is speaking.");
    return;
  }
  target_.put(read(message.pose));
}

void CartesianImpedanceController::ask_hardware()
{
  // The manager deactivates for a person and for failed hardware alike, but it knows. Until it has
  // answered it is asked again.
  if (deactivated_ && is_inactive() && hardware_client_->service_is_ready())
  {
    hardware_client_->async_send_request(
      std::make_shared<ListHardware::Request>(),
      [this](rclcpp::Client<ListHardware>::SharedFuture answer) { check_hardware(*answer.get()); });
  }
}

void CartesianImpedanceController::check_hardware(const ListHardware::Response & response)
{
  if (!is_inactive() || !deactivated_.exchange(false))
  {
    return;  // a person was faster, or it has answered already
  }
  const auto names = command_interface_configuration().names;
  const auto is_mine = [&names](const auto & interface) {
    return std::find(names.begin(), names.end(), interface.name) != names.end();
  };
  const auto has_failed = [&is_mine](const auto & component) {
    const auto & interfaces = component.command_interfaces;
    return component.state.id != kActive &&
           std::any_of(interfaces.begin(), interfaces.end(), is_mine);
  };
  if (std::any_of(response.component.begin(), response.component.end(), has_failed))
  {
    fault_ = Fault::kHardware;
    announce(fault_);
    get_node()->cleanup();  // to unconfigured
  }
}

void CartesianImpedanceController::clear_fault(Trigger::Response & response)
{
  response.success = !is_active();
  if (!response.success)
  {
    response.message = "The controller is still active.";
    return;
  }
  response.message = std::string("Cleared: ") + text(fault_.exchange(Fault::kNone));
  RCLCPP_INFO(get_node()->get_logger(), "%s", response.message.c_str());
}

}  // namespace franka_impedance_controller
