// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// The plugin in a real controller manager, with hardware that can fail.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <controller_manager/controller_manager.hpp>
#include <functional>
#include <future>
#include <geometry_msgs/msg/pose_stamped.hpp>
#include <hardware_interface/component_parser.hpp>
#include <hardware_interface/system_interface.hpp>
#include <memory>
#include <serl_msgs/msg/controller_state.hpp>
#include <std_srvs/srv/trigger.hpp>
#include <string>
#include <thread>
#include <vector>

#include "robots.hpp"

namespace franka_impedance_controller
{
namespace
{

using controller_interface::return_type;
using controller_manager_msgs::srv::SwitchController;
using lifecycle_msgs::msg::State;

/// The two-link arm, which stays where it is.
class TwoLinkHardware : public hardware_interface::SystemInterface
{
public:
  using CallbackReturn = hardware_interface::CallbackReturn;

  CallbackReturn on_activate(const rclcpp_lifecycle::State &) override
  {
    fails_ = false;
    set_state("shoulder/position", 0.0);
    set_state("elbow/position", M_PI_2);
    set_state("shoulder/velocity", 0.0);
    set_state("elbow/velocity", 0.0);
    return CallbackReturn::SUCCESS;
  }
  CallbackReturn on_error(const rclcpp_lifecycle::State &) override
  {
    return CallbackReturn::SUCCESS;  // can be configured again
  }
  hardware_interface::return_type perform_command_mode_switch(
    const std::vector<std::string> &, const std::vector<std::string> &) override
  {
    ++mode_switches_;
    return hardware_interface::return_type::OK;
  }
  hardware_interface::return_type read(const rclcpp::Time &, const rclcpp::Duration &) override
  {
    return fails_ ? hardware_interface::return_type::ERROR : hardware_interface::return_type::OK;
  }
  hardware_interface::return_type write(const rclcpp::Time &, const rclcpp::Duration &) override
  {
    effort_ = get_command("shoulder/effort");
    return hardware_interface::return_type::OK;
  }

  std::atomic<bool> fails_ = false;
  std::atomic<int> mode_switches_ = 0;
  std::atomic<double> effort_ = 0.0;  ///< of the shoulder
};

const std::string kSensor = R"(
  <ros2_control name="sensor" type="system">
    <hardware><plugin>mock_components/GenericSystem</plugin></hardware>
    <sensor name="wrist">
      <state_interface name="force.x"><param name="initial_value">1.5</param></state_interface>
      <state_interface name="force.y"/><state_interface name="force.z"/>
      <state_interface name="torque.x"/><state_interface name="torque.y"/>
      <state_interface name="torque.z"/>
    </sensor>
  </ros2_control></robot>)";

const std::string kArm = R"(
  <ros2_control name="arm_hardware" type="system">
    <hardware><plugin>TwoLinkHardware</plugin></hardware>
    <joint name="shoulder">
      <command_interface name="effort"/>
      <state_interface name="position"/><state_interface name="velocity"/>
    </joint>
    <joint name="elbow">
      <command_interface name="effort"/>
      <state_interface name="position"/><state_interface name="velocity"/>
    </joint>
  </ros2_control></robot>)";

std::string two_link_with(const std::string & ending)
{
  auto urdf = read_file(TWO_LINK_URDF);
  return urdf.replace(urdf.rfind("</robot>"), std::string::npos, ending);
}

/// The control loop in one thread, callbacks in another, and the test, which acts as the person.
class Manager : public ::testing::Test
{
protected:
  void SetUp() override
  {
    rclcpp::init(0, nullptr);
    executor_ = std::make_shared<rclcpp::executors::MultiThreadedExecutor>();
    node_ = std::make_shared<rclcpp::Node>("person", name_space_);

    hardware_interface::ResourceManagerParams params;
    params.robot_description = two_link_with(kSensor);
    params.clock = node_->get_clock();
    params.update_rate = 1000;
    params.activate_all = true;
    auto resources = std::make_unique<hardware_interface::ResourceManager>(params, true);
    hardware_interface::HardwareComponentParams arm;
    arm.hardware_info =
      hardware_interface::parse_control_resources_from_urdf(two_link_with(kArm)).front();
    arm.clock = node_->get_clock();
    auto hardware = std::make_unique<TwoLinkHardware>();
    hardware_ = hardware.get();
    resources->import_component(std::move(hardware), arm);
    resources_ = resources.get();
    start_hardware();

    auto options = controller_manager::get_cm_node_options();
    options.parameter_overrides({{"update_rate", 1000}});
    manager_ = std::make_shared<controller_manager::ControllerManager>(
      std::move(resources), executor_, "controller_manager", name_space_, options);
    manager_->set_parameter({"arm.params_file", std::vector<std::string>{TWO_LINK_PARAMETERS}});
    executor_->add_node(manager_);
    executor_->add_node(node_);
    callbacks_ = std::thread([this] { executor_->spin(); });
    loop_ = std::thread([this] { loop(); });
    controller_ =
      manager_->load_controller("arm", "franka_impedance_controller/CartesianImpedanceController");
    ASSERT_NE(controller_, nullptr);
  }

  void TearDown() override
  {
    running_ = false;
    loop_.join();
    executor_->cancel();
    callbacks_.join();
    controller_.reset();
    manager_.reset();
    executor_.reset();
    node_.reset();
    rclcpp::shutdown();
  }

  void loop()
  {
    const auto period = rclcpp::Duration::from_seconds(0.001);
    auto next = std::chrono::steady_clock::now();
    while (running_)
    {
      const auto now = manager_->now();
      manager_->read(now, period);
      manager_->update(now, period);
      manager_->write(now, period);
      std::this_thread::sleep_until(next += std::chrono::milliseconds(1));
    }
  }

  void start_hardware()
  {
    rclcpp_lifecycle::State active(State::PRIMARY_STATE_ACTIVE, "active");
    resources_->set_component_state("arm_hardware", active);
  }

  return_type activate()
  {
    return manager_->switch_controller({"arm"}, {}, SwitchController::Request::STRICT);
  }

  /// The spawner does it in its own time, the `ros2 control` commands in the control loop.
  return_type deactivate(bool in_the_control_loop)
  {
    return manager_->switch_controller(
      {}, {"arm"}, SwitchController::Request::STRICT, in_the_control_loop,
      rclcpp::Duration::from_seconds(10.0));
  }

  std::string clear_fault()
  {
    const auto client = node_->create_client<std_srvs::srv::Trigger>("arm/clear_fault");
    EXPECT_TRUE(client->wait_for_service(std::chrono::seconds(10)));
    auto answer = client->async_send_request(std::make_shared<std_srvs::srv::Trigger::Request>());
    EXPECT_EQ(answer.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    return answer.get()->message;
  }

  std::uint8_t state() const { return controller_->get_lifecycle_state().id(); }

  static bool wait_for(
    const std::function<bool()> & done,
    std::chrono::milliseconds patience = std::chrono::seconds(10))
  {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!done() && std::chrono::steady_clock::now() < deadline)
    {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return done();
  }

  const std::string name_space_ = "/test_" + std::to_string(getpid());
  std::shared_ptr<rclcpp::Executor> executor_;
  std::shared_ptr<rclcpp::Node> node_;
  std::shared_ptr<controller_manager::ControllerManager> manager_;
  controller_interface::ControllerInterfaceBaseSharedPtr controller_;
  hardware_interface::ResourceManager * resources_ = nullptr;
  TwoLinkHardware * hardware_ = nullptr;
  std::atomic<bool> running_ = true;
  std::thread callbacks_;
  std::thread loop_;
};

TEST_F(Manager, RunsTheController)
{
  std::atomic<double> external_force = 0.0;
  const auto states = node_->create_subscription<serl_msgs::msg::ControllerState>(
    "arm/controller_state", rclcpp::QoS(1).best_effort(),
    [&](const serl_msgs::msg::ControllerState & message) {
      external_force = message.external_wrench.force.x;
    });
  ASSERT_EQ(manager_->configure_controller("arm"), return_type::OK);
  ASSERT_EQ(activate(), return_type::OK);
  const auto targets = node_->create_publisher<geometry_msgs::msg::PoseStamped>(
    "arm/target_pose", rclcpp::QoS(1).reliable());
  ASSERT_TRUE(wait_for([&] { return targets->get_subscription_count() == 1; }));
  geometry_msgs::msg::PoseStamped target;
  target.pose.position.x = 1.0;
  target.pose.position.z = 0.505;
  target.pose.orientation.w = target.pose.orientation.x = target.pose.orientation.z = 0.5;
  target.pose.orientation.y = -0.5;
  targets->publish(target);
  EXPECT_TRUE(wait_for([&] { return std::abs(hardware_->effort_ - 10.0) < 1e-3; }));
  EXPECT_TRUE(wait_for([&] { return external_force == 1.5; }));

  EXPECT_EQ(deactivate(false), return_type::OK);
  EXPECT_EQ(state(), State::PRIMARY_STATE_INACTIVE);
  EXPECT_TRUE(wait_for([&] { return hardware_->effort_ == 0.0; }));
  EXPECT_EQ(activate(), return_type::OK);
}

TEST_F(Manager, KnowsAPersonsDeactivationFromAHardwareError)
{
  ASSERT_EQ(manager_->configure_controller("arm"), return_type::OK);
  for (const bool in_the_control_loop : {false, true})
  {
    ASSERT_EQ(activate(), return_type::OK);
    ASSERT_EQ(deactivate(in_the_control_loop), return_type::OK);
    EXPECT_FALSE(wait_for(
      [this] { return state() != State::PRIMARY_STATE_INACTIVE; }, std::chrono::milliseconds(300)));
  }
}

TEST_F(Manager, NeverActivatesAfterAHardwareErrorUntilAPersonClearsIt)
{
  ASSERT_EQ(manager_->configure_controller("arm"), return_type::OK);
  ASSERT_EQ(activate(), return_type::OK);
  hardware_->fails_ = true;
  ASSERT_TRUE(wait_for([&] { return state() == State::PRIMARY_STATE_UNCONFIGURED; }));
  start_hardware();

  // The manager refuses before it switches the hardware's mode, which may clear a robot's error.
  const int mode_switches = hardware_->mode_switches_;
  EXPECT_EQ(activate(), return_type::ERROR);
  EXPECT_EQ(manager_->configure_controller("arm"), return_type::ERROR);
  EXPECT_EQ(activate(), return_type::ERROR);
  EXPECT_EQ(hardware_->mode_switches_, mode_switches);

  EXPECT_EQ(clear_fault(), "Cleared: the hardware stopped while the controller was active");
  EXPECT_EQ(manager_->configure_controller("arm"), return_type::OK);
  EXPECT_EQ(activate(), return_type::OK);
  EXPECT_EQ(state(), State::PRIMARY_STATE_ACTIVE);
}

}  // namespace
}  // namespace franka_impedance_controller
