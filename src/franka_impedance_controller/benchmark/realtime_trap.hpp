// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

/// Counts what a real-time thread must not do, in the whole executable that realtime_trap.cpp is
/// linked into, its libraries included. Per thread: other threads may do as they like meanwhile.
namespace realtime_trap
{

struct Calls
{
  unsigned long allocations = 0;
  unsigned long frees = 0;
  unsigned long locks = 0;  ///< of mutexes and read-write locks, and waits for condition variables
};

void arm();      ///< this thread's counts begin at zero
Calls disarm();  ///< what this thread called since arm()

}  // namespace realtime_trap
