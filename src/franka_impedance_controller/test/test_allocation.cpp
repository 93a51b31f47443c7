// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "franka_impedance_controller/impedance_controller.hpp"
#include "heap_counter.hpp"
#include "robots.hpp"

namespace franka_impedance_controller
{
namespace
{

TEST(HeapCounter, Counts)
{
  heap_counter::start();
  const std::vector<double> values(100);
  const Eigen::VectorXd vector = Eigen::VectorXd::Zero(100);
  EXPECT_GE(heap_counter::stop(), 2u);
  EXPECT_EQ(values.size() + static_cast<std::size_t>(vector.size()), 200u);
}

void expect_no_allocation(const ModelDescription & description, const JointVector & q)
{
  ImpedanceController controller(description, Gains{}, 0.001);
  const JointVector dq = JointVector::Constant(q.size(), 0.1);
  controller.activate(q, dq);
  Pose target = controller.state().pose;
  const Gains gains;

  heap_counter::start();
  for (int tick = 0; tick < 1000; ++tick)
  {
    target.position.x() += 1e-4;
    controller.set_target(target);
    controller.set_gains(gains);
    controller.update(q, dq);
  }
  EXPECT_EQ(heap_counter::stop(), 0u);
}

TEST(Update, DoesNotAllocateForAPanda) { expect_no_allocation(panda(), panda_q()); }

TEST(Update, DoesNotAllocateForAUr5)
{
  expect_no_allocation(ur5(), (JointVector(6) << 0.1, -1.2, 1.4, -1.7, -1.5, 0.3).finished());
}

}  // namespace
}  // namespace franka_impedance_controller
