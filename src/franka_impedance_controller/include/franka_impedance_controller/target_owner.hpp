// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace franka_impedance_controller
{

/// One publisher commands the arm: the first to speak, until it has been silent for a while. So two
/// never pull in turn, and a restarted one gets in.
class TargetOwner
{
public:
  using Publisher = std::array<std::uint8_t, 16>;  ///< its globally unique identifier

  /// Whether a message of `publisher` at `time` counts; s, from a clock that never runs backward.
  bool accepts(const Publisher & publisher, double time, double timeout)
  {
    if (owner_ && *owner_ != publisher && time - last_heard_ <= timeout)
    {
      return false;
    }
    owner_ = publisher;
    last_heard_ = time;
    return true;
  }

private:
  std::optional<Publisher> owner_;
  double last_heard_ = 0.0;
};

}  // namespace franka_impedance_controller
