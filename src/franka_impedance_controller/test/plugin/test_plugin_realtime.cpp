// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// The control loop uses neither heap nor lock, whatever other threads hand it.
#include <limits>

#include "controller_fixture.hpp"
#include "realtime_trap.hpp"

namespace franka_impedance_controller
{
namespace
{

class PluginRealtime : public ControllerFixture
{
protected:
  void expect_realtime(int ticks)
  {
    const rclcpp::Time now = test_node_->now();
    const auto period = rclcpp::Duration::from_seconds(0.001);
    realtime_trap::arm();
    for (int count = 0; count < ticks; ++count)
    {
      controller_->update(now, period);
    }
    const auto calls = realtime_trap::disarm();
    EXPECT_EQ(calls.allocations, 0u);
    EXPECT_EQ(calls.frees, 0u);
    EXPECT_EQ(calls.locks, 0u);
  }
};

TEST_F(PluginRealtime, UpdateNeitherAllocatesNorLocks)
{
  ASSERT_NO_FATAL_FAILURE(activate(
    {{"force_torque_sensor", "wrist"},
     {"gravity_compensation", true},
     {"base_frame", "world"},
     {"state_publish_rate", 1000.0}}));
  const auto first = make_publisher();
  const auto second = make_publisher();
  expect_realtime(1000);  // holds
  send(first, target(0.0, 0.005));
  send(second, target(0.0, 0.005));
  expect_realtime(100);  // follows, and refuses
  send(first, target(0.2, 0.0));
  expect_realtime(1000);  // rejects, and stops
  EXPECT_EQ(set_parameter({"stiffness", std::vector<double>{9, 9, 9, 9, 9, 9}}), "");
  EXPECT_EQ(set_parameter({"max_target_distance", 0.3}), "");
  send(first, target(0.2, 0.0));
  expect_realtime(3000);  // blends the gains
  measure(0, std::numeric_limits<double>::quiet_NaN());
  expect_realtime(100);  // lets go
}

}  // namespace
}  // namespace franka_impedance_controller
