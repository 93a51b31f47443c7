// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// From a published target to efforts, and what the published state says about it.
#include <limits>
#include <set>

#include "controller_fixture.hpp"

namespace franka_impedance_controller
{
namespace
{

using Targets = ControllerFixture;

TEST_F(Targets, BecomeTorques)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  send(make_publisher(), target(0.005, 0.003));
  tick(50);
  // 2000 N/m * (5 mm, 3 mm) = (10 N, 6 N)
  EXPECT_NEAR(effort(0), -0.5 * 10 + 6, 1e-6);
  EXPECT_NEAR(effort(1), -0.5 * 10, 1e-6);

  ASSERT_TRUE(see(StateMessage::OK));
  const auto & state = states_.back();
  EXPECT_NEAR(state.target_pose.position.x, 1.005, 1e-9);
  EXPECT_NEAR(state.clipped_pose.position.z, 0.503, 1e-9);
  EXPECT_NEAR(state.commanded_wrench.force.x, 10.0, 1e-6);
  EXPECT_NEAR(state.tau[1], -5.0, 1e-6);
  EXPECT_FALSE(state.clipped[0]);
}

TEST_F(Targets, PullNoHarderThanTheClip)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  send(make_publisher(), target(0.0, 0.05));
  tick(50);
  EXPECT_NEAR(effort(0), 2000 * 0.01, 1e-6);
  ASSERT_TRUE(see_state());
  EXPECT_TRUE(states_.back().clipped[2]);
  EXPECT_NEAR(states_.back().clipped_pose.position.z, 0.51, 1e-9);
  EXPECT_NEAR(states_.back().filtered_pose.position.z, 0.55, 1e-9);
}

TEST_F(Targets, MayNameTheBaseFrameAndNoOther)
{
  Log log;
  ASSERT_NO_FATAL_FAILURE(activate());
  const auto publisher = make_publisher();
  auto message = target(0.0, 0.005);
  message.header.frame_id = "tip";
  send(publisher, message);
  tick(50);
  EXPECT_EQ(effort(0), 0.0);
  EXPECT_EQ(
    log.lines().back(), "target_pose refused: expected frame_id 'world' or none, got 'tip'.");
  message.header.frame_id = "world";
  EXPECT_TRUE(leads_to(publisher, message, StateMessage::OK));
}

TEST_F(Targets, AreRefusedWithAReason)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  const auto publisher = make_publisher();
  auto not_finite = target(0.0, 0.0);
  not_finite.pose.position.y = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(leads_to(publisher, not_finite, StateMessage::TARGET_NOT_FINITE));
  auto not_unit = target(0.0, 0.0);
  not_unit.pose.orientation.w = 0.6;
  EXPECT_TRUE(leads_to(publisher, not_unit, StateMessage::TARGET_NOT_UNIT));
  EXPECT_TRUE(leads_to(publisher, target(0.2, 0.0), StateMessage::TARGET_JUMP));
  EXPECT_EQ(states_.back().target_pose, states_.back().pose);
  EXPECT_TRUE(leads_to(publisher, target(0.01, 0.0), StateMessage::OK));
  EXPECT_TRUE(see(StateMessage::TARGET_STALE));
}

TEST_F(Targets, AreMovedIntoTheWorkspace)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"workspace_upper", std::vector<double>{1.002, 1.0, 1.0}}}));
  EXPECT_TRUE(leads_to(make_publisher(), target(0.01, 0.0), StateMessage::WORKSPACE_LIMIT));
  EXPECT_NEAR(states_.back().target_pose.position.x, 1.002, 1e-9);
}

TEST_F(Targets, GiveWayToJointLimits)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  measure(1, 1.95);  // 0.05 rad before the elbow's limit, inside the margin of 0.1 rad
  EXPECT_TRUE(see(StateMessage::JOINT_LIMIT));
  tick(50);
  const double push = effort(1);
  measure(1, M_PI_2 + 1e-3);
  tick(50);
  EXPECT_LT(push, effort(1) - 5.0);
}

TEST_F(Targets, AreRefusedWithAReasonNearAJointLimitToo)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  measure(1, 1.95);
  EXPECT_TRUE(see(StateMessage::JOINT_LIMIT));
  EXPECT_TRUE(leads_to(make_publisher(), target(1.0, 0.0), StateMessage::TARGET_JUMP));
  EXPECT_TRUE(see(StateMessage::JOINT_LIMIT));
}

TEST_F(Targets, AreReportedAtTheStatesRate)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  ASSERT_TRUE(see_state());
  states_.clear();
  for (int count = 0; count < 500; ++count)
  {
    tick(1);
    executor_->spin_some();
  }
  EXPECT_GT(states_.size(), 20u);
  EXPECT_LT(states_.size(), 60u);  // 100 Hz, and those on their way before
}

TEST_F(Targets, AreBoundedByTheTorqueLimits)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"torque_limits", std::vector<double>{3.0, 3.0}}}));
  EXPECT_TRUE(leads_to(make_publisher(), target(0.0, 0.01), StateMessage::TORQUE_LIMIT));
  EXPECT_EQ(effort(0), 3.0);
}

TEST_F(Targets, AreBoundedByTheTorqueRateLimit)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"torque_rate_limit", 10.0}}));
  EXPECT_TRUE(leads_to(make_publisher(), target(0.0, 0.01), StateMessage::TORQUE_RATE_LIMIT));
  const double before = effort(0);
  tick(10);
  EXPECT_NEAR(effort(0) - before, 0.1, 1e-9);
}

TEST_F(Targets, ThatAreRefusedForATickAreReportedAllTheSame)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"state_publish_rate", 2.0}, {"target_timeout", 60.0}}));
  const auto publisher = make_publisher();
  ASSERT_TRUE(see_state());  // the next one is 500 ticks away
  send(publisher, target(0.2, 0.0));
  tick(1);
  send(publisher, target(0.0, 0.005));
  tick(100);
  ASSERT_TRUE(see_state());
  EXPECT_EQ(states_.back().reason, StateMessage::TARGET_JUMP);
  EXPECT_NEAR(states_.back().target_pose.position.z, 0.505, 1e-9);
}

TEST_F(Targets, OfASecondPublisherAreRefusedWhileTheFirstSpeaks)
{
  ASSERT_NO_FATAL_FAILURE(activate());
  const auto first = make_publisher();
  const auto second = make_publisher();
  ASSERT_TRUE(leads_to(first, target(0.001, 0.0), StateMessage::OK));
  EXPECT_TRUE(leads_to(second, target(0.009, 0.0), StateMessage::SECOND_PUBLISHER));
  EXPECT_NEAR(states_.back().target_pose.position.x, 1.001, 1e-9);
  EXPECT_TRUE(leads_to(first, target(0.002, 0.0), StateMessage::OK));
  EXPECT_TRUE(see(StateMessage::TARGET_STALE));  // the first one is silent
  EXPECT_TRUE(leads_to(second, target(0.009, 0.0), StateMessage::OK));
  EXPECT_NEAR(states_.back().target_pose.position.x, 1.009, 1e-9);
}

TEST_F(Targets, LeaveGravityToTheControllerIfAsked)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"gravity_compensation", true}}));
  tick(1);
  EXPECT_NEAR(effort(0), 5.0 * 9.81, 1e-6);  // 5 kg at 1 m
  EXPECT_NEAR(effort(1), 0.0, 1e-6);
  // 49.05 Nm and 20 N * 1 m are more than the 50 Nm of the URDF.
  EXPECT_TRUE(leads_to(make_publisher(), target(0.0, 0.01), StateMessage::TORQUE_LIMIT));
  tick(50);
  EXPECT_EQ(effort(0), 50.0);
}

TEST_F(Targets, AndTheirReasonsAreForgottenWhenTheControllerStartsAgain)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"target_timeout", 60.0}, {"state_publish_rate", 1.0}}));
  const auto first = make_publisher();
  send(first, target(0.001, 0.0));
  tick(1);
  send(first, target(5.0, 0.0));
  tick(1);  // rejected, and not yet told
  ASSERT_EQ(deactivate_node(), State::PRIMARY_STATE_INACTIVE);
  ASSERT_EQ(activate_node(), State::PRIMARY_STATE_ACTIVE);
  states_.clear();
  // Another publisher gets in, though the first one would own the target for a minute.
  EXPECT_TRUE(leads_to(make_publisher(), target(0.002, 0.0), StateMessage::OK));
  for (const auto & state : states_)
  {
    EXPECT_NE(state.reason, StateMessage::TARGET_JUMP);
    EXPECT_NE(state.reason, StateMessage::SECOND_PUBLISHER);
  }
}

TEST_F(Targets, AreAccompaniedByTheMeasuredForce)
{
  ASSERT_NO_FATAL_FAILURE(activate({{"force_torque_sensor", "wrist"}}));
  for (std::size_t axis = 0; axis < 6; ++axis)
  {
    measure(4 + axis, 1.0 + static_cast<double>(axis));
  }
  ASSERT_TRUE(see_state());
  EXPECT_EQ(states_.back().external_wrench.force.x, 1.0);
  EXPECT_EQ(states_.back().external_wrench.force.z, 3.0);
  EXPECT_EQ(states_.back().external_wrench.torque.x, 4.0);
  EXPECT_EQ(states_.back().external_wrench.torque.z, 6.0);
}

}  // namespace
}  // namespace franka_impedance_controller
