// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// Nothing that the control loop calls uses the heap or a lock, whichever way it goes.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "franka_impedance_controller/impedance_controller.hpp"
#include "realtime_trap.hpp"
#include "robots.hpp"

namespace franka_impedance_controller
{
namespace
{

template <typename Action>
realtime_trap::Calls calls_of(Action action)
{
  realtime_trap::arm();
  action();
  return realtime_trap::disarm();
}

TEST(RealtimeTrap, CountsTheHeap)
{
  const auto calls = calls_of([] {
    const std::vector<double> values(100);
    const Eigen::VectorXd vector = Eigen::VectorXd::Zero(100);
    EXPECT_EQ(values.size() + static_cast<std::size_t>(vector.size()), 200u);
  });
  EXPECT_EQ(calls.allocations, 2u);
  EXPECT_EQ(calls.frees, 2u);
  EXPECT_EQ(calls.locks, 0u);
}

TEST(RealtimeTrap, CountsLocksAndWaits)
{
  std::mutex mutex;
  std::shared_mutex shared_mutex;
  std::condition_variable condition;
  const auto calls = calls_of([&] {
    std::unique_lock<std::mutex> lock(mutex);
    condition.wait_for(lock, std::chrono::microseconds(1));
    condition.wait_until(lock, std::chrono::system_clock::now());
    shared_mutex.lock();
    shared_mutex.unlock();
    shared_mutex.lock_shared();
    shared_mutex.unlock_shared();
  });
  EXPECT_EQ(calls.locks, 5u);
}

TEST(RealtimeTrap, LeavesOtherThreadsAlone)
{
  std::atomic<bool> go{false};
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!go)
    {
    }
    const std::vector<double> values(100);
    done = true;
  });
  const auto calls = calls_of([&] {
    go = true;
    while (!done)
    {
    }
  });
  other.join();
  EXPECT_EQ(calls.allocations, 0u);
}

struct Arm
{
  ModelDescription description;
  JointVector q;
};

class Realtime : public ::testing::TestWithParam<int>
{
protected:
  Realtime() : controller_(arm_.description, Gains{}, 0.001)
  {
    dq_.setZero(arm_.q.size());
    controller_.activate(arm_.q, dq_);
    start_ = controller_.state().pose;
  }

  Pose beside(double x) const
  {
    Vector6 step = Vector6::Zero();
    step[0] = x;
    return displace(start_, step);
  }

  void tick(int count)
  {
    for (int index = 0; index < count; ++index)
    {
      controller_.update(arm_.q, dq_);
    }
  }

  /// Runs `action`, which has to end for `reason`, and may do nothing that a trap counts.
  template <typename Action>
  void expect_realtime(Reason reason, Action action)
  {
    const auto calls = calls_of(action);
    EXPECT_EQ(controller_.state().reason, reason);
    EXPECT_EQ(calls.allocations, 0u);
    EXPECT_EQ(calls.frees, 0u);
    EXPECT_EQ(calls.locks, 0u);
  }

  Arm arm_ = GetParam() == 7
               ? Arm{panda(), panda_q()}
               : Arm{ur5(), (JointVector(6) << 0.1, -1.2, 1.4, -1.7, -1.5, 0.3).finished()};
  ImpedanceController controller_;
  JointVector dq_;
  Pose start_;
};

TEST_P(Realtime, Holds)
{
  expect_realtime(Reason::kHolding, [&] {
    tick(10);
    controller_.activate(arm_.q, dq_);
    tick(10);
  });
}

TEST_P(Realtime, FollowsATargetAndIsClipped)
{
  expect_realtime(Reason::kOk, [&] {
    for (int step = 1; step <= 10; ++step)
    {
      controller_.set_target(beside(0.01 * step));
      tick(100);
    }
  });
  EXPECT_TRUE(controller_.state().clipped_axes[0]);
}

TEST_P(Realtime, StopsWhenTheTargetIsStale)
{
  expect_realtime(Reason::kTargetStale, [&] {
    controller_.set_target(beside(0.02));
    tick(1000);
  });
}

TEST_P(Realtime, RejectsTargets)
{
  Pose not_finite = start_;
  not_finite.position[1] = std::numeric_limits<double>::quiet_NaN();
  Pose not_unit = start_;
  not_unit.orientation.coeffs() *= 2.0;
  expect_realtime(Reason::kTargetNotFinite, [&] {
    controller_.set_target(not_finite);
    tick(10);
  });
  expect_realtime(Reason::kTargetNotUnit, [&] {
    controller_.set_target(not_unit);
    tick(10);
  });
  expect_realtime(Reason::kTargetJump, [&] {
    controller_.set_target(beside(10.0));
    tick(10);
  });
  expect_realtime(Reason::kSecondPublisher, [&] {
    controller_.refuse_target(Reason::kSecondPublisher);
    tick(10);
  });
}

TEST_P(Realtime, KeepsToTheWorkspace)
{
  Guards guards;
  guards.workspace_lower = guards.workspace_upper = start_.position;
  expect_realtime(Reason::kWorkspaceLimit, [&] {
    controller_.set_guards(guards);
    controller_.set_target(beside(0.05));
    tick(100);
  });
}

TEST_P(Realtime, StaysAwayFromAJointLimit)
{
  arm_.q[2] = controller_.model().upper_limits()[2] - 0.01;
  dq_[2] = 0.1;
  expect_realtime(Reason::kJointLimit, [&] { tick(100); });
}

TEST_P(Realtime, LimitsTheTorqueAndItsRate)
{
  dq_.setConstant(100.0);
  controller_.set_target(start_);
  expect_realtime(Reason::kTorqueRateLimit, [&] { tick(1); });
  expect_realtime(Reason::kTorqueLimit, [&] { tick(140); });
}

TEST_P(Realtime, LetsGoWhenTheMeasurementIsNotFinite)
{
  dq_.setConstant(1.0);
  tick(10);
  arm_.q[1] = std::numeric_limits<double>::quiet_NaN();
  expect_realtime(Reason::kHardwareError, [&] { tick(100); });
  EXPECT_TRUE(controller_.state().tau.isZero(0.0));
}

TEST_P(Realtime, BlendsNewGains)
{
  Gains soft;
  soft.stiffness.setConstant(10.0);
  soft.integral.setConstant(1.0);
  expect_realtime(Reason::kOk, [&] {
    for (int step = 0; step < 30; ++step)  // until the change is done, after two seconds
    {
      controller_.set_target(beside(0.005));
      if (step == 0)
      {
        controller_.set_gains(soft);
      }
      tick(100);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(ArmsOfSevenAndSixJoints, Realtime, ::testing::Values(7, 6));

}  // namespace
}  // namespace franka_impedance_controller
