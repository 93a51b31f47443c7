// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <stdexcept>
#include <string>

#include "franka_impedance_controller/types.hpp"

/// Checks that throw std::invalid_argument with one line. Text is made only for a bad value, so that
/// checking good ones does not allocate.
namespace franka_impedance_controller
{

[[noreturn]] inline void fail(const std::string & name, const char * expected, double got)
{
  throw std::invalid_argument(name + ": expected " + expected + ", got " + std::to_string(got));
}

/// No gain is larger: beyond, a product of two of them and a state could overflow.
inline constexpr double kMaxGain = 1e6;

inline bool is_gain(double value) { return value >= 0.0 && value <= kMaxGain; }

inline void require_gain(const char * name, double value)
{
  if (!is_gain(value))
  {
    fail(name, "a number from 0 to 1e6", value);
  }
}

inline void require_positive(const char * name, double value)
{
  if (!std::isfinite(value) || value <= 0.0)
  {
    fail(name, "a finite number > 0", value);
  }
}

inline void require_gain(const char * name, const Vector6 & values)
{
  for (Eigen::Index axis = 0; axis < values.size(); ++axis)
  {
    if (!is_gain(values[axis]))
    {
      fail(name + ("[" + std::to_string(axis) + "]"), "a number from 0 to 1e6", values[axis]);
    }
  }
}

}  // namespace franka_impedance_controller
