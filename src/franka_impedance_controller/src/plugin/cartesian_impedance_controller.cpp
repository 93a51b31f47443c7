// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/cartesian_impedance_controller.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <hardware_interface/types/hardware_interface_type_values.hpp>
#include <limits>
#include <stdexcept>
#include <string>

#include "settings.hpp"

namespace franka_impedance_controller
{
namespace
{

const char * const kSensorInterfaces[] = {"force.x",  "force.y",  "force.z",
                                          "torque.x", "torque.y", "torque.z"};

/// A misspelt parameter would leave a default in place without a word. Names with a dot are other
/// people's groups, and `type` is the controller manager's.
void warn_of_unknown_parameters(rclcpp_lifecycle::LifecycleNode & node)
{
  for (const auto & [name, value] : node.get_node_parameters_interface()->get_parameter_overrides())
  {
    if (!node.has_parameter(name) && name != "type" && name.find('.') == std::string::npos)
    {
      RCLCPP_WARN(node.get_logger(), "Unknown parameter '%s' is ignored.", name.c_str());
    }
  }
}

/// Gravity comes on top of the law, and only the URDF tells what the motors can in all.
void require_efforts(const RobotModel & model)
{
  const auto & limits = model.torque_limits().array();
  if (!(limits.isFinite() && limits > 0.0).all())
  {
    throw std::invalid_argument(
      "gravity_compensation: expected an effort limit > 0 of every joint");
  }
}

/// Below, the sampled damping of a light wrist may feed energy to it.
void require_rate(unsigned rate)
{
  constexpr unsigned kMinRate = 500;
  if (rate < kMinRate)
  {
    throw std::invalid_argument(
      "update_rate: expected at least " + std::to_string(kMinRate) + " Hz, made for 1000, got " +
      std::to_string(rate));
  }
}

}  // namespace

CartesianImpedanceController::CallbackReturn CartesianImpedanceController::on_init()
{
  try
  {
    param_listener_ = std::make_shared<cartesian_impedance_controller::ParamListener>(get_node());
  } catch (const std::exception & error)
  {
    RCLCPP_ERROR(get_node()->get_logger(), "%s", error.what());
    return CallbackReturn::ERROR;
  }
  warn_of_unknown_parameters(*get_node());
  param_listener_->setUserCallback(
    [this](const Params & params) { settings_.put({gains(params), guards(params)}); });
  // Added last and so called first: what it refuses never reaches the callback above.
  workspace_check_ = get_node()->add_on_set_parameters_callback(
    [this](const std::vector<rclcpp::Parameter> & changes) { return check_workspace(changes); });
  hardware_client_ =
    get_node()->create_client<ListHardware>("controller_manager/list_hardware_components");
  hardware_timer_ =
    get_node()->create_wall_timer(std::chrono::milliseconds(20), [this] { ask_hardware(); });
  clear_fault_service_ = get_node()->create_service<Trigger>(
    "~/clear_fault",
    [this](const Trigger::Request::SharedPtr, const Trigger::Response::SharedPtr response) {
      clear_fault(*response);
    });
  return CallbackReturn::SUCCESS;
}

controller_interface::InterfaceConfiguration
CartesianImpedanceController::command_interface_configuration() const
{
  controller_interface::InterfaceConfiguration configuration;
  configuration.type = controller_interface::interface_configuration_type::INDIVIDUAL;
  for (const auto & joint : params_.joints)
  {
    configuration.names.push_back(joint + "/" + hardware_interface::HW_IF_EFFORT);
  }
  return configuration;
}

// measure() reads them in this order, which is the order in which the controller manager gives them.
controller_interface::InterfaceConfiguration
CartesianImpedanceController::state_interface_configuration() const
{
  controller_interface::InterfaceConfiguration configuration;
  configuration.type = controller_interface::interface_configuration_type::INDIVIDUAL;
  for (const auto * type : {hardware_interface::HW_IF_POSITION, hardware_interface::HW_IF_VELOCITY})
  {
    for (const auto & joint : params_.joints)
    {
      configuration.names.push_back(joint + "/" + type);
    }
  }
  if (!params_.force_torque_sensor.empty())
  {
    for (const auto * name : kSensorInterfaces)
    {
      configuration.names.push_back(params_.force_torque_sensor + "/" + name);
    }
  }
  return configuration;
}

CartesianImpedanceController::CallbackReturn CartesianImpedanceController::on_configure(
  const rclcpp_lifecycle::State & /*previous_state*/)
{
  if (fault_ != Fault::kNone)
  {
    RCLCPP_ERROR(
      get_node()->get_logger(),
      "Refusing to go on after a fault: %s. Check the robot, then call %s, configure and activate.",
      text(fault_), clear_fault_service_->get_service_name());
    return CallbackReturn::FAILURE;
  }
  try
  {
    params_ = param_listener_->get_params();
    const auto & urdf = get_robot_description();
    const auto description = model_description(params_, urdf);
    base_frame_ = base_frame(params_.base_frame, urdf);
    controller_.emplace(
      description, gains(params_), 1.0 / get_update_rate(), limits(params_), guards(params_));
    gravity_model_.reset();
    if (params_.gravity_compensation)
    {
      gravity_model_.emplace(description);
      require_efforts(*gravity_model_);
      RCLCPP_WARN(
        get_node()->get_logger(),
        "This controller carries the arm: while it is inactive the arm falls unless it has "
        "brakes.");
    }
    require_rate(get_update_rate());
  } catch (const std::exception & error)
  {
    RCLCPP_ERROR(get_node()->get_logger(), "%s", error.what());
    return CallbackReturn::FAILURE;
  }
  const auto joints = controller_->model().joints();
  q_.resize(joints);
  dq_.resize(joints);
  gravity_.setZero(joints);
  external_wrench_.setZero();

  const auto ticks_per_message =
    std::max(1.0, std::round(get_update_rate() / params_.state_publish_rate));
  state_publisher_ = std::make_unique<StatePublisher>(
    get_node()->create_publisher<StatePublisher::Message>(
      "~/controller_state", rclcpp::QoS(1).best_effort()),
    base_frame_, joints, static_cast<unsigned>(ticks_per_message));
  target_subscription_ = get_node()->create_subscription<geometry_msgs::msg::PoseStamped>(
    "~/target_pose", rclcpp::QoS(1).reliable(),
    [this](const geometry_msgs::msg::PoseStamped & message, const rclcpp::MessageInfo & info) {
      receive_target(message, info);
    });
  return CallbackReturn::SUCCESS;
}

CartesianImpedanceController::CallbackReturn CartesianImpedanceController::on_activate(
  const rclcpp_lifecycle::State & /*previous_state*/)
{
  q_.setConstant(std::numeric_limits<double>::quiet_NaN());
  dq_ = q_;
  measure();
  take_settings();
  controller_->activate(q_, dq_);
  if (controller_->state().reason == Reason::kHardwareError)
  {
    RCLCPP_ERROR(
      get_node()->get_logger(),
      "Not activated: a joint position or velocity is not a plausible number.");
    return CallbackReturn::FAILURE;
  }
  if (!command_zero())
  {
    RCLCPP_ERROR(get_node()->get_logger(), "Not activated: an effort could not be written.");
    return CallbackReturn::FAILURE;
  }
  target_.take();
  second_publisher_ = false;
  deactivated_ = false;
  failed_writes_ = 0;
  ++activations_;
  state_publisher_->forget();
  state_publisher_->publish(controller_->state(), external_wrench_, get_node()->now());
  return CallbackReturn::SUCCESS;
}

CartesianImpedanceController::CallbackReturn CartesianImpedanceController::on_deactivate(
  const rclcpp_lifecycle::State & /*previous_state*/)
{
  if (!command_zero() && fault_ == Fault::kNone)
  {
    fault_ = Fault::kCommand;
  }
  if (fault_ != Fault::kNone)
  {
    announce(fault_);
    return CallbackReturn::ERROR;  // to on_error() and then unconfigured
  }
  deactivated_ = true;  // by a person, or because the hardware failed: ask_hardware()
  return CallbackReturn::SUCCESS;
}

CartesianImpedanceController::CallbackReturn CartesianImpedanceController::on_error(
  const rclcpp_lifecycle::State & /*previous_state*/)
{
  command_zero();
  return CallbackReturn::SUCCESS;  // to unconfigured
}

const char * CartesianImpedanceController::text(Fault fault)
{
  switch (fault)
  {
    case Fault::kMeasurement:
      return "a joint position or velocity was not a plausible number";
    case Fault::kCommand:
      return "an effort could not be written";
    case Fault::kHardware:
      return "the hardware stopped while the controller was active";
    default:
      return "none";
  }
}

void CartesianImpedanceController::announce(Fault fault)
{
  auto state = controller_->state();
  state.reason = Reason::kHardwareError;
  state_publisher_->publish(state, external_wrench_, get_node()->now());
  RCLCPP_ERROR(
    get_node()->get_logger(), "Fault: %s. Check the robot, then call %s, configure and activate.",
    text(fault), clear_fault_service_->get_service_name());
}

}  // namespace franka_impedance_controller

#include <pluginlib/class_list_macros.hpp>

PLUGINLIB_EXPORT_CLASS(
  franka_impedance_controller::CartesianImpedanceController,
  controller_interface::ControllerInterface)
