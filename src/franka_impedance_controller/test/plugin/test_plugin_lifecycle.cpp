// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// What the controller refuses, how it starts and stops, and that a fault stays until it is cleared.
#include <limits>

#include "controller_fixture.hpp"

namespace franka_impedance_controller
{
namespace
{

using Lifecycle = ControllerFixture;
using Strings = std::vector<std::string>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST_F(Lifecycle, AsksForWhatItNeeds)
{
  ASSERT_NO_FATAL_FAILURE(configure({{"force_torque_sensor", "wrist"}}));
  const auto commands = controller_->command_interface_configuration();
  EXPECT_EQ(commands.type, controller_interface::interface_configuration_type::INDIVIDUAL);
  EXPECT_EQ(commands.names, (Strings{"shoulder/effort", "elbow/effort"}));
  const auto states = controller_->state_interface_configuration();
  EXPECT_EQ(states.type, controller_interface::interface_configuration_type::INDIVIDUAL);
  EXPECT_EQ(
    states.names,
    (Strings{
      "shoulder/position", "elbow/position", "shoulder/velocity", "elbow/velocity", "wrist/force.x",
      "wrist/force.y", "wrist/force.z", "wrist/torque.x", "wrist/torque.y", "wrist/torque.z"}));
}

TEST_F(Lifecycle, NeedsJointsAndAToolFrame)
{
  Log log;
  EXPECT_EQ(init_with({{"tool_frame", "tip"}}), return_type::ERROR);
  EXPECT_EQ(init_with({{"joints", Strings{"shoulder", "elbow"}}}), return_type::ERROR);
  EXPECT_NE(log.lines()[0].find("joints"), std::string::npos);
}

struct Refusal
{
  rclcpp::Parameter parameter;
  std::string line;
};

TEST_F(Lifecycle, RefusesBadValuesWhenItIsLoaded)
{
  const std::string prefix = "Invalid value set during initialization for parameter ";
  for (const auto & [parameter, line] : std::vector<Refusal>{
         {{"stiffness", std::vector<double>{1, 2, 3}},
          prefix + "'stiffness': stiffness: expected 6 numbers, got 3"},
         {{"stiffness", std::vector<double>{1, 2, 6001, 4, 5, 6}},
          prefix + "'stiffness': stiffness[2]: expected 0 to 6000, got 6001"},
         {{"clip_negative", std::vector<double>{0, 0, 0, 0, kNan, 0}},
          prefix + "'clip_negative': clip_negative[4]: expected 0 to 0.2, got nan"},
         {{"target_timeout", kNan},
          prefix + "'target_timeout': target_timeout: expected finite numbers, got nan"},
       })
  {
    Log log;
    EXPECT_EQ(init({parameter}), return_type::ERROR);
    ASSERT_FALSE(log.lines().empty());
    EXPECT_EQ(log.lines()[0], line);
  }
}

TEST_F(Lifecycle, NamesParametersThatItDoesNotKnow)
{
  Log log(RCUTILS_LOG_SEVERITY_WARN);
  EXPECT_EQ(init({{"firmness", 1.0}, {"type", "a plugin"}, {"other.name", 1.0}}), return_type::OK);
  EXPECT_EQ(log.lines(), Strings{"Unknown parameter 'firmness' is ignored."});
}

TEST_F(Lifecycle, SaysInOneLineWhatDoesNotFitTheRobot)
{
  const Strings arm = {"shoulder", "elbow"};
  for (const auto & [parameter, line] : std::vector<Refusal>{
         {{"joints", Strings{"shoulder", "wrist"}}, "joint_names: no joint 'wrist' in the URDF"},
         {{"tool_frame", "hand"}, "tool_frame: no frame 'hand' in the URDF"},
         {{"base_frame", "table"}, "base_frame: no link 'table' in the URDF"},
         {{"base_frame", "base"},
          "base_frame: 'base' does not coincide with the root link 'world' of the URDF"},
         {{"torque_limits", std::vector<double>{1, 2, 3}},
          "torque_limits: expected 2 values, got 3"},
         {{"tool_offset.quaternion", std::vector<double>{1, 1, 1, 1}},
          "tool_offset: expected a finite position and a unit quaternion"},
         {{"workspace_lower", std::vector<double>{0, 0, 11}},
          "workspace_lower[2]: expected at most workspace_upper, got 11.000000"},
       })
  {
    Log log;
    ASSERT_EQ(init({parameter}), return_type::OK);
    EXPECT_EQ(controller_->configure().id(), State::PRIMARY_STATE_UNCONFIGURED);
    EXPECT_EQ(log.lines(), Strings{line});
  }
  Log log;
  ASSERT_EQ(init({}, "not a URDF"), return_type::OK);
  EXPECT_EQ(controller_->configure().id(), State::PRIMARY_STATE_UNCONFIGURED);
  EXPECT_EQ(log.lines().back(), "robot_description: not a valid URDF");
}

TEST_F(Lifecycle, CarriesNoArmWhoseMotorsItDoesNotKnow)
{
  std::string urdf = read_file(TWO_LINK_URDF);
  urdf.replace(urdf.find("effort=\"50\""), 11, "effort=\"0\"");
  Log log;
  ASSERT_EQ(
    init(
      {{"gravity_compensation", true}, {"torque_limits", std::vector<double>{50.0, 20.0}}}, urdf),
    return_type::OK);
  EXPECT_EQ(controller_->configure().id(), State::PRIMARY_STATE_UNCONFIGURED);
  EXPECT_EQ(
    log.lines(), Strings{"gravity_compensation: expected an effort limit > 0 of every joint"});
}

TEST_F(Lifecycle, DoesNotRunTooSlowly)
{
  Log log;
  ASSERT_EQ(init({}, read_file(TWO_LINK_URDF), 100), return_type::OK);
  EXPECT_EQ(controller_->configure().id(), State::PRIMARY_STATE_UNCONFIGURED);
  EXPECT_EQ(log.lines(), Strings{"update_rate: expected at least 500 Hz, made for 1000, got 100"});
}

TEST_F(Lifecycle, HoldsStillOnceActive)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  EXPECT_EQ(effort(0), 0.0);  // not what was left in the interface
  ASSERT_TRUE(see_state());
  const auto & state = states_.back();
  EXPECT_EQ(state.reason, StateMessage::HOLDING);
  EXPECT_EQ(state.header.frame_id, "world");
  EXPECT_NEAR(state.pose.position.x, 1.0, 1e-9);
  EXPECT_NEAR(state.pose.position.z, 0.5, 1e-9);
  EXPECT_EQ(state.target_pose, state.pose);
  EXPECT_EQ(state.tau, (std::vector<double>{0.0, 0.0}));
  EXPECT_EQ(effort(0), 0.0);
  EXPECT_EQ(effort(1), 0.0);
}

TEST_F(Lifecycle, LeavesNoTorqueWhenItIsDeactivatedAndHoldsAnewAfter)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  send(make_publisher(), target(0.0, 0.005));
  tick(50);
  EXPECT_GT(effort(0), 5.0);
  EXPECT_EQ(deactivate_node(), State::PRIMARY_STATE_INACTIVE);
  EXPECT_EQ(effort(0), 0.0);
  EXPECT_EQ(effort(1), 0.0);

  measure(1, 1.0);
  EXPECT_EQ(activate_node(), State::PRIMARY_STATE_ACTIVE);
  tick(20);
  EXPECT_EQ(effort(0), 0.0);
  EXPECT_EQ(effort(1), 0.0);
}

TEST_F(Lifecycle, ForgetsATargetThatItDidNotTakeWhileItWasActive)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  send(make_publisher(), target(0.0, 0.005));
  EXPECT_EQ(deactivate_node(), State::PRIMARY_STATE_INACTIVE);
  EXPECT_EQ(activate_node(), State::PRIMARY_STATE_ACTIVE);
  EXPECT_TRUE(see(StateMessage::HOLDING));
  EXPECT_EQ(effort(0), 0.0);
}

TEST_F(Lifecycle, IgnoresWhoSpeaksWhileItIsInactive)
{
  ASSERT_NO_FATAL_FAILURE(configure());
  assign_interfaces();
  const auto before = make_publisher();
  const auto after = make_publisher();
  send(before, target(0.0, 0.005));
  ASSERT_EQ(activate_node(), State::PRIMARY_STATE_ACTIVE);
  EXPECT_TRUE(see(StateMessage::HOLDING));
  EXPECT_EQ(effort(0), 0.0);
  EXPECT_TRUE(leads_to(after, target(0.005, 0.0), StateMessage::OK));
  EXPECT_TRUE(leads_to(before, target(0.0, 0.005), StateMessage::SECOND_PUBLISHER));
}

TEST_F(Lifecycle, DoesNotStartFromAMeasurementThatIsNoNumber)
{
  Log log;
  ASSERT_NO_FATAL_FAILURE(configure());
  assign_interfaces();
  measure(2, kNan);
  EXPECT_EQ(activate_node(), State::PRIMARY_STATE_INACTIVE);
  EXPECT_EQ(
    log.lines(), Strings{"Not activated: a joint position or velocity is not a plausible number."});
  measure(2, 0.0);
  EXPECT_EQ(activate_node(), State::PRIMARY_STATE_ACTIVE);
}

class Faults : public ControllerFixture
{
protected:
  std_srvs::srv::Trigger::Response clear_fault()
  {
    const auto client = test_node_->create_client<std_srvs::srv::Trigger>("arm/clear_fault");
    EXPECT_TRUE(spin_until([&] { return client->service_is_ready(); }));
    auto answer = client->async_send_request(std::make_shared<std_srvs::srv::Trigger::Request>());
    EXPECT_TRUE(spin_until([&] { return answer.wait_for(0s) == std::future_status::ready; }));
    return *answer.get();
  }
};

TEST_F(Faults, LetTheTorqueFadeAndStayUntilAPersonClearsThem)
{
  Log log;
  ASSERT_NO_FATAL_FAILURE(activate());
  send(make_publisher(), target(0.0, 0.005));
  tick(50);
  const double before = effort(0);
  EXPECT_NEAR(before, 10.0, 1e-6);  // 2000 N/m * 5 mm * 1 m
  measure(0, kNan);
  for (int count = 1; count <= 9; ++count)  // 1 Nm per tick
  {
    EXPECT_EQ(tick(), return_type::OK);
    EXPECT_NEAR(effort(0), before - count, 1e-9);
  }
  EXPECT_TRUE(tick() == return_type::ERROR || tick() == return_type::ERROR);
  EXPECT_EQ(effort(0), 0.0);

  // What the controller manager does then, in the control loop.
  EXPECT_EQ(controller_->get_node()->deactivate().id(), State::PRIMARY_STATE_UNCONFIGURED);
  EXPECT_TRUE(spin_until(
    [this] { return !states_.empty() && states_.back().reason == StateMessage::HARDWARE_ERROR; }));

  measure(0, 0.0);
  const std::string service = node_name() + "/clear_fault";
  const std::string fault = "a joint position or velocity was not a plausible number";
  EXPECT_EQ(controller_->configure().id(), State::PRIMARY_STATE_UNCONFIGURED);
  EXPECT_EQ(
    log.lines(),
    (Strings{
      "Fault: " + fault + ". Check the robot, then call " + service + ", configure and activate.",
      "Refusing to go on after a fault: " + fault + ". Check the robot, then call " + service +
        ", configure and activate."}));

  const auto response = clear_fault();
  EXPECT_TRUE(response.success);
  EXPECT_EQ(response.message, "Cleared: " + fault);
  EXPECT_EQ(controller_->configure().id(), State::PRIMARY_STATE_INACTIVE);
  assign_interfaces();
  EXPECT_EQ(activate_node(), State::PRIMARY_STATE_ACTIVE);
  EXPECT_EQ(tick(), return_type::OK);
}

TEST_F(Faults, AreNotClearedWhileTheControllerIsActive)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  const auto response = clear_fault();
  EXPECT_FALSE(response.success);
  EXPECT_EQ(response.message, "The controller is still active.");
}

}  // namespace
}  // namespace franka_impedance_controller
