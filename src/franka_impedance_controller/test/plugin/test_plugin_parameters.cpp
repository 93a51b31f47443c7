// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// Gains and guards change while the controller runs, by the parameter services.
#include <limits>

#include "controller_fixture.hpp"
#include "settings.hpp"

namespace franka_impedance_controller
{
namespace
{

using Parameters = ControllerFixture;
using Doubles = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST_F(Parameters, ChangeTheGainsSmoothly)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"target_timeout", 60.0}}));
  send(make_publisher(), target(0.0, 0.005));
  tick(100);
  EXPECT_NEAR(effort(0), 2000 * 0.005, 1e-6);
  EXPECT_EQ(set_parameter({"stiffness", Doubles{4000, 4000, 4000, 0, 0, 0}}), "");
  tick(1);
  EXPECT_LT(effort(0), 10.2);
  tick(100);  // one time constant
  EXPECT_NEAR(effort(0), 10.0 + 10.0 * (1.0 - std::exp(-1.0)), 0.1);
  tick(2000);
  EXPECT_NEAR(effort(0), 4000 * 0.005, 1e-6);
}

TEST_F(Parameters, ChangeTheGuards)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  const auto publisher = make_publisher();
  EXPECT_TRUE(leads_to(publisher, target(0.2, 0.0), StateMessage::TARGET_JUMP));
  EXPECT_EQ(set_parameter({"max_target_distance", 0.3}), "");
  EXPECT_TRUE(leads_to(publisher, target(0.2, 0.0), StateMessage::OK));
}

TEST_F(Parameters, SetWhileInactiveHoldFromTheStart)
{
  ASSERT_NO_FATAL_FAILURE(configure());
  EXPECT_EQ(set_parameter({"stiffness", Doubles{1000, 1000, 1000, 0, 0, 0}}), "");
  assign_interfaces();
  ASSERT_EQ(activate_node(), State::PRIMARY_STATE_ACTIVE);
  send(make_publisher(), target(0.0, 0.005));
  tick(50);
  EXPECT_NEAR(effort(0), 1000 * 0.005, 1e-6);
}

struct Refusal
{
  rclcpp::Parameter parameter;
  std::string reason;
};

TEST_F(Parameters, AreRefusedInOneLineAndStayAsTheyWere)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"target_timeout", 60.0}}));
  send(make_publisher(), target(0.0, 0.005));
  for (const auto & [parameter, reason] : std::vector<Refusal>{
         {{"stiffness", Doubles{1, 1, 1, 1, 1, 301}}, "stiffness[5]: expected 0 to 300, got 301"},
         {{"damping", Doubles{1, 1, -1, 1, 1, 1}}, "damping[2]: expected 0 to 400, got -1"},
         {{"clip_positive", Doubles{1}}, "clip_positive: expected 6 numbers, got 1"},
         {{"integral", Doubles{0, 0, kNan, 0, 0, 0}}, "integral[2]: expected 0 to 10000, got nan"},
         {{"target_timeout", kNan}, "target_timeout: expected finite numbers, got nan"},
         {{"workspace_lower", Doubles{0, 0, kNan}},
          "workspace_lower[2]: expected at most workspace_upper, got nan"},
         {{"workspace_lower", Doubles{0, 10.5, 0}},
          "workspace_lower[1]: expected at most workspace_upper, got 10.500000"},
         {{"workspace_upper", Doubles{0, 0}},
          "Length of parameter 'workspace_upper' is '2' but must be equal to '3'"},
       })
  {
    EXPECT_EQ(set_parameter(parameter), reason);
  }
  for (const rclcpp::Parameter & parameter :
       {rclcpp::Parameter("joints", std::vector<std::string>{"elbow"}),
        rclcpp::Parameter("torque_limits", Doubles{1, 1}),
        rclcpp::Parameter("workspace_lower", "everywhere")})
  {
    EXPECT_NE(set_parameter(parameter), "");
  }
  tick(100);
  EXPECT_NEAR(effort(0), 2000 * 0.005, 1e-6);
  const auto node = controller_->get_node();
  EXPECT_EQ(node->get_parameter("stiffness").as_double_array()[0], 2000.0);
  EXPECT_EQ(node->get_parameter("workspace_lower").as_double_array()[0], -10.0);
}

TEST(Settings, ComeFromTheParametersOfTheirNames)
{
  Params params;
  params.stiffness = {1, 2, 3, 4, 5, 6};
  params.damping = {2, 3, 4, 5, 6, 7};
  params.integral = {3, 4, 5, 6, 7, 8};
  params.clip_positive = {4, 5, 6, 7, 8, 9};
  params.clip_negative = {5, 6, 7, 8, 9, 10};
  params.target_period = 11;
  params.max_linear_velocity = 12;
  params.max_angular_velocity = 13;
  params.nullspace_stiffness = 14;
  params.nullspace_damping = 15;
  params.max_target_distance = 16;
  params.max_target_angle = 17;
  params.target_timeout = 18;
  params.workspace_lower = {19, 20, 21};
  params.workspace_upper = {22, 23, 24};
  params.joint_limit_margin = 25;
  params.torque_limits = {26, 27};
  params.torque_rate_limit = 28;
  const Gains g = gains(params);
  const Vector6 up = (Vector6() << 0, 1, 2, 3, 4, 5).finished();
  EXPECT_EQ(g.stiffness, up + Vector6::Constant(1));
  EXPECT_EQ(g.damping, up + Vector6::Constant(2));
  EXPECT_EQ(g.integral, up + Vector6::Constant(3));
  EXPECT_EQ(g.clip_positive, up + Vector6::Constant(4));
  EXPECT_EQ(g.clip_negative, up + Vector6::Constant(5));
  EXPECT_EQ(g.target_period, 11);
  EXPECT_EQ(g.max_linear_velocity, 12);
  EXPECT_EQ(g.max_angular_velocity, 13);
  EXPECT_EQ(g.nullspace_stiffness, 14);
  EXPECT_EQ(g.nullspace_damping, 15);
  const Guards guard = guards(params);
  EXPECT_EQ(guard.max_target_distance, 16);
  EXPECT_EQ(guard.max_target_angle, 17);
  EXPECT_EQ(guard.target_timeout, 18);
  EXPECT_EQ(guard.workspace_lower, Vector3(19, 20, 21));
  EXPECT_EQ(guard.workspace_upper, Vector3(22, 23, 24));
  EXPECT_EQ(guard.joint_limit_margin, 25);
  EXPECT_EQ(limits(params).torque, (JointVector(2) << 26, 27).finished());
  EXPECT_EQ(limits(params).torque_rate, 28);
}

TEST_F(Parameters, HaveTheDefaultsOfTheLaw)
{
  ASSERT_EQ(
    init_with({{"joints", std::vector<std::string>{"shoulder", "elbow"}}, {"tool_frame", "tip"}}),
    return_type::OK);
  const auto get = [this](const char * name) {
    return controller_->get_node()->get_parameter(name);
  };
  const auto values = [&](const char * name) {
    const auto array = get(name).as_double_array();
    return Vector6(Eigen::Map<const Vector6>(array.data()));
  };
  const Gains gains;
  EXPECT_EQ(values("stiffness"), gains.stiffness);
  EXPECT_EQ(values("damping"), gains.damping);
  EXPECT_EQ(values("integral"), gains.integral);
  EXPECT_EQ(values("clip_positive"), gains.clip_positive);
  EXPECT_EQ(values("clip_negative"), gains.clip_negative);
  EXPECT_EQ(get("target_period").as_double(), gains.target_period);
  EXPECT_EQ(get("max_linear_velocity").as_double(), gains.max_linear_velocity);
  EXPECT_EQ(get("max_angular_velocity").as_double(), gains.max_angular_velocity);
  EXPECT_EQ(get("nullspace_stiffness").as_double(), gains.nullspace_stiffness);
  EXPECT_EQ(get("nullspace_damping").as_double(), gains.nullspace_damping);
  const Guards guards;
  EXPECT_EQ(get("max_target_distance").as_double(), guards.max_target_distance);
  EXPECT_EQ(get("max_target_angle").as_double(), guards.max_target_angle);
  EXPECT_EQ(get("target_timeout").as_double(), guards.target_timeout);
  EXPECT_EQ(get("joint_limit_margin").as_double(), guards.joint_limit_margin);
  EXPECT_EQ(get("torque_rate_limit").as_double(), Limits{}.torque_rate);
}

}  // namespace
}  // namespace franka_impedance_controller
