// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <realtime_tools/realtime_thread_safe_box.hpp>

namespace franka_impedance_controller
{

/// Hands the newest value of other threads to the control loop, once. The loop never waits: while
/// somebody writes, it finds the box empty and takes the value a tick later.
template <typename T>
class Mailbox
{
public:
  void put(const T & value) { box_.set(std::optional<T>(value)); }

  std::optional<T> take()
  {
    std::optional<T> value;
    box_.try_set([&value](std::optional<T> & content) { value.swap(content); });
    return value;
  }

private:
  realtime_tools::RealtimeThreadSafeBox<std::optional<T>> box_;
};

}  // namespace franka_impedance_controller
