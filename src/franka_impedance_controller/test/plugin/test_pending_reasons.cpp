// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "franka_impedance_controller/pending_reasons.hpp"

namespace franka_impedance_controller
{
namespace
{

Reason publish(PendingReasons & pending)
{
  const Reason reason = pending.next();
  pending.published(reason);
  return reason;
}

TEST(PendingReasons, AreOkAtFirst)
{
  PendingReasons pending;
  EXPECT_EQ(publish(pending), Reason::kOk);
  pending.note(Reason::kOk);
  EXPECT_EQ(publish(pending), Reason::kOk);
}

TEST(PendingReasons, KeepOneOfASingleTick)
{
  PendingReasons pending;
  pending.note(Reason::kOk);
  pending.note(Reason::kTargetJump);
  pending.note(Reason::kOk);
  EXPECT_EQ(pending.next(), Reason::kTargetJump);  // and again, until it is out
  EXPECT_EQ(publish(pending), Reason::kTargetJump);
  EXPECT_EQ(publish(pending), Reason::kOk);
}

TEST(PendingReasons, AllGetTheirTurn)
{
  PendingReasons pending;
  pending.note(Reason::kHolding);
  pending.note(Reason::kTargetJump);
  pending.note(Reason::kHardwareError);
  std::set<Reason> seen;
  for (int message = 0; message < 4; ++message)
  {
    pending.note(Reason::kTorqueRateLimit);  // comes up again and again
    seen.insert(publish(pending));
  }
  EXPECT_EQ(
    seen,
    (std::set<Reason>{
      Reason::kHolding, Reason::kTargetJump, Reason::kHardwareError, Reason::kTorqueRateLimit}));
}

}  // namespace
}  // namespace franka_impedance_controller
