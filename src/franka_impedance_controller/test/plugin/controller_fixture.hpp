// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <rcutils/logging.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <geometry_msgs/msg/pose_stamped.hpp>
#include <memory>
#include <rclcpp/rclcpp.hpp>
#include <serl_msgs/msg/controller_state.hpp>
#include <std_srvs/srv/trigger.hpp>
#include <string>
#include <utility>
#include <vector>

#include "franka_impedance_controller/cartesian_impedance_controller.hpp"
#include "robots.hpp"

namespace franka_impedance_controller
{

using controller_interface::return_type;
using geometry_msgs::msg::PoseStamped;
using lifecycle_msgs::msg::State;
using StateMessage = serl_msgs::msg::ControllerState;
using std::chrono_literals::operator""s;

/// Collects what nodes log from a severity on, line by line.
class Log
{
public:
  explicit Log(int severity = RCUTILS_LOG_SEVERITY_ERROR)
  {
    lines().clear();
    minimum() = severity;
    previous_ = rcutils_logging_get_output_handler();
    rcutils_logging_set_output_handler(&collect);
  }
  ~Log() { rcutils_logging_set_output_handler(previous_); }

  static std::vector<std::string> & lines()
  {
    static std::vector<std::string> lines;
    return lines;
  }

private:
  static int & minimum()
  {
    static int severity = RCUTILS_LOG_SEVERITY_ERROR;
    return severity;
  }

  static void collect(
    const rcutils_log_location_t *, int severity, const char *, rcutils_time_point_value_t,
    const char * format, va_list * arguments)
  {
    if (severity < minimum())
    {
      return;
    }
    char text[1024];
    va_list copy;
    va_copy(copy, *arguments);
    std::vsnprintf(text, sizeof(text), format, copy);
    va_end(copy);
    lines().push_back(text);
  }

  rcutils_logging_output_handler_t previous_;
};

/// The two-link arm at q = (0, 90 deg): the tool is at (1, 0, 0.5) m, and a force (x, z) on it is
/// balanced by the torques (-0.5 x + z, -0.5 x).
///
/// The real controller with real topics; only the hardware is values in this fixture.
class ControllerFixture : public ::testing::Test
{
protected:
  void SetUp() override { rclcpp::init(0, nullptr); }
  void TearDown() override
  {
    state_subscription_.reset();
    parameters_client_.reset();
    executor_.reset();
    test_node_.reset();
    controller_.reset();
    rclcpp::shutdown();
  }

  static std::vector<rclcpp::Parameter> parameters()
  {
    return {
      {"joints", std::vector<std::string>{"shoulder", "elbow"}},
      {"tool_frame", "tip"},
      {"stiffness", std::vector<double>{2000, 2000, 2000, 0, 0, 0}},
      {"target_period", 0.0},
      {"max_linear_velocity", 2.0},
      {"nullspace_stiffness", 0.0},
    };
  }

  /// `changes` replace parameters() or come on top of them.
  return_type init(
    const std::vector<rclcpp::Parameter> & changes = {},
    const std::string & urdf = read_file(TWO_LINK_URDF), unsigned update_rate = 1000)
  {
    auto overrides = parameters();
    overrides.insert(overrides.end(), changes.begin(), changes.end());
    return init_with(overrides, urdf, update_rate);
  }

  return_type init_with(
    const std::vector<rclcpp::Parameter> & overrides,
    const std::string & urdf = read_file(TWO_LINK_URDF), unsigned update_rate = 1000)
  {
    controller_ = std::make_shared<CartesianImpedanceController>();
    controller_interface::ControllerInterfaceParams params;
    params.controller_name = "arm";
    params.robot_description = urdf;
    params.update_rate = update_rate;
    params.controller_manager_update_rate = 1000;
    params.node_namespace = "/test_" + std::to_string(getpid());
    params.node_options = controller_->define_custom_node_options().parameter_overrides(overrides);
    return controller_->init(params);
  }

  void configure(const std::vector<rclcpp::Parameter> & changes = {})
  {
    ASSERT_EQ(init(changes), return_type::OK);
    ASSERT_EQ(controller_->configure().id(), State::PRIMARY_STATE_INACTIVE);
    test_node_ = std::make_shared<rclcpp::Node>("test", controller_->get_node()->get_namespace());
    executor_ = std::make_shared<rclcpp::executors::SingleThreadedExecutor>();
    executor_->add_node(controller_->get_node()->get_node_base_interface());
    executor_->add_node(test_node_);
    state_subscription_ = test_node_->create_subscription<StateMessage>(
      "arm/controller_state", rclcpp::QoS(100).best_effort(),
      [this](const StateMessage & message) { states_.push_back(message); });
    ASSERT_TRUE(spin_until([this] { return state_subscription_->get_publisher_count() == 1; }));
    parameters_client_ = std::make_shared<rclcpp::AsyncParametersClient>(test_node_, node_name());
    ASSERT_TRUE(spin_until([this] { return parameters_client_->service_is_ready(); }));
  }

  std::string node_name() const { return controller_->get_node()->get_fully_qualified_name(); }

  /// As `ros2 param set` does it. Returns why it was refused, or nothing.
  std::string set_parameter(const rclcpp::Parameter & parameter)
  {
    const auto answer = parameters_client_->set_parameters({parameter});
    EXPECT_TRUE(spin_until([&] { return answer.wait_for(0s) == std::future_status::ready; }));
    const auto result = answer.get().front();
    EXPECT_EQ(result.successful, result.reason.empty());
    return result.reason;
  }

  /// Publishes, and returns when the controller has received it: it answers its services after that.
  void send(
    const rclcpp::Publisher<PoseStamped>::SharedPtr & publisher, const PoseStamped & message)
  {
    publisher->publish(message);
    set_parameter(
      {"target_timeout", controller_->get_node()->get_parameter("target_timeout").as_double()});
  }

  /// Gives the interfaces that the controller asks for, as a controller manager does.
  void assign_interfaces()
  {
    std::vector<hardware_interface::LoanedCommandInterface> commands;
    for (const auto & name : controller_->command_interface_configuration().names)
    {
      const auto slash = name.find('/');
      commands_.push_back(
        std::make_shared<hardware_interface::CommandInterface>(
          name.substr(0, slash), name.substr(slash + 1)));
      EXPECT_TRUE(commands_.back()->set_value(123.0));
      commands.emplace_back(commands_.back(), nullptr);
    }
    std::vector<hardware_interface::LoanedStateInterface> states;
    for (const auto & name : controller_->state_interface_configuration().names)
    {
      const auto slash = name.find('/');
      measurements_.push_back(
        std::make_shared<hardware_interface::StateInterface>(
          name.substr(0, slash), name.substr(slash + 1)));
      EXPECT_TRUE(measurements_.back()->set_value(0.0));
      states.emplace_back(measurements_.back(), nullptr);
    }
    measure(1, M_PI_2);
    controller_->assign_interfaces(std::move(commands), std::move(states));
  }

  void activate(const std::vector<rclcpp::Parameter> & changes = {})
  {
    ASSERT_NO_FATAL_FAILURE(configure(changes));
    assign_interfaces();
    ASSERT_EQ(activate_node(), State::PRIMARY_STATE_ACTIVE);
  }

  std::uint8_t activate_node() { return controller_->get_node()->activate().id(); }

  std::uint8_t deactivate_node() { return controller_->get_node()->deactivate().id(); }

  void measure(std::size_t index, double value)
  {
    EXPECT_TRUE(measurements_[index]->set_value(value));
  }

  double effort(std::size_t joint) const { return commands_[joint]->get_optional().value(); }

  return_type tick()
  {
    return controller_->update(test_node_->now(), rclcpp::Duration::from_seconds(0.001));
  }

  void tick(int count)
  {
    for (int index = 0; index < count; ++index)
    {
      ASSERT_EQ(tick(), return_type::OK);
    }
  }

  /// Callbacks, until `done` or ten seconds are over.
  bool spin_until(const std::function<bool()> & done)
  {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < deadline)
    {
      executor_->spin_once(std::chrono::milliseconds(1));
    }
    return done();
  }

  /// A publisher of targets that the controller knows of.
  rclcpp::Publisher<PoseStamped>::SharedPtr make_publisher()
  {
    const auto publisher =
      test_node_->create_publisher<PoseStamped>("arm/target_pose", rclcpp::QoS(1).reliable());
    EXPECT_TRUE(spin_until([&] { return publisher->get_subscription_count() == 1; }));
    return publisher;
  }

  /// The tool's pose at the start, moved.
  static PoseStamped target(double x, double z)
  {
    PoseStamped message;
    message.pose.position.x = 1.0 + x;
    message.pose.position.z = 0.5 + z;
    // The tool's frame turns from x to z by 90 deg, after the base's mount by 90 deg about x.
    message.pose.orientation.w = 0.5;
    message.pose.orientation.x = 0.5;
    message.pose.orientation.y = -0.5;
    message.pose.orientation.z = 0.5;
    return message;
  }

  /// Sends, and ticks until a state with this reason arrives.
  bool leads_to(
    const rclcpp::Publisher<PoseStamped>::SharedPtr & publisher, const PoseStamped & message,
    std::uint8_t reason)
  {
    send(publisher, message);
    return see(reason);
  }

  /// Ticks, until a state of such a tick arrives.
  bool see_state()
  {
    return see([](const StateMessage &) { return true; });
  }

  /// Ticks, until the state of such a tick has this reason.
  bool see(std::uint8_t reason)
  {
    return see([reason](const StateMessage & state) { return state.reason == reason; });
  }

  bool see(const std::function<bool(const StateMessage &)> & wanted)
  {
    const rclcpp::Time start = test_node_->now();
    return spin_until([&] {
      tick();
      return !states_.empty() && rclcpp::Time(states_.back().header.stamp) > start &&
             wanted(states_.back());
    });
  }

  std::shared_ptr<CartesianImpedanceController> controller_;
  std::shared_ptr<rclcpp::Node> test_node_;
  std::shared_ptr<rclcpp::executors::SingleThreadedExecutor> executor_;
  std::shared_ptr<rclcpp::AsyncParametersClient> parameters_client_;
  rclcpp::Subscription<StateMessage>::SharedPtr state_subscription_;
  std::vector<StateMessage> states_;
  std::vector<hardware_interface::CommandInterface::SharedPtr> commands_;
  std::vector<hardware_interface::StateInterface::SharedPtr> measurements_;
};

}  // namespace franka_impedance_controller
