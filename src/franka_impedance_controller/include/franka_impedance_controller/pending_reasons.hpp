// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "franka_impedance_controller/guards.hpp"

namespace franka_impedance_controller
{

/// Reasons that wait for a message. Messages are fewer than ticks, and each names one reason: they
/// take turns, so that none gets lost, however short it was and whatever else happened.
class PendingReasons
{
public:
  void note(Reason reason) { bits_ |= bit(index(reason)); }

  /// The next in turn; kOk if nothing else was noted.
  Reason next() const
  {
    for (unsigned step = 1; step <= kCount; ++step)
    {
      const unsigned candidate = (last_ + step) % kCount;
      if (candidate != 0 && (bits_ & bit(candidate)) != 0)
      {
        return static_cast<Reason>(candidate);
      }
    }
    return Reason::kOk;
  }

  void published(Reason reason)
  {
    last_ = index(reason);
    bits_ &= ~bit(last_);
  }

private:
  static constexpr unsigned kCount = 12;
  static constexpr unsigned index(Reason reason) { return static_cast<unsigned>(reason); }
  static constexpr unsigned bit(unsigned index) { return 1u << index; }

  unsigned bits_ = 0;
  unsigned last_ = 0;
};

}  // namespace franka_impedance_controller
