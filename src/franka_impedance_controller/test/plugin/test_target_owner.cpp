// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "franka_impedance_controller/target_owner.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr double kTimeout = 0.15;
constexpr TargetOwner::Publisher kFirst = {1};
constexpr TargetOwner::Publisher kSecond = {2};

TEST(TargetOwner, IsTheFirstToSpeak)
{
  TargetOwner owner;
  EXPECT_TRUE(owner.accepts(kSecond, 5.0, kTimeout));
  EXPECT_FALSE(owner.accepts(kFirst, 5.0, kTimeout));
  EXPECT_TRUE(owner.accepts(kSecond, 5.1, kTimeout));
}

TEST(TargetOwner, KeepsTheTopicWhileItSpeaks)
{
  TargetOwner owner;
  for (int message = 0; message < 100; ++message)
  {
    EXPECT_TRUE(owner.accepts(kFirst, 0.1 * message, kTimeout));
    EXPECT_FALSE(owner.accepts(kSecond, 0.1 * message + 0.05, kTimeout));
  }
}

TEST(TargetOwner, LosesTheTopicBySilence)
{
  TargetOwner owner;
  EXPECT_TRUE(owner.accepts(kFirst, 1.0, kTimeout));
  EXPECT_FALSE(owner.accepts(kSecond, 1.14, kTimeout));
  EXPECT_TRUE(
    owner.accepts(kSecond, 1.16, kTimeout));  // what was refused does not count as silence
  EXPECT_FALSE(owner.accepts(kFirst, 1.17, kTimeout));
}

TEST(TargetOwner, MayComeBackFromSilence)
{
  TargetOwner owner;
  EXPECT_TRUE(owner.accepts(kFirst, 1.0, kTimeout));
  EXPECT_TRUE(owner.accepts(kFirst, 9.0, kTimeout));
  EXPECT_FALSE(owner.accepts(kSecond, 9.1, kTimeout));
}

}  // namespace
}  // namespace franka_impedance_controller
