// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <rclcpp/parameter.hpp>
#include <string>
#include <tl/expected.hpp>
#include <vector>

/// Checks of single parameters, for generate_parameter_library. Its own let NaN pass.
namespace franka_impedance_controller
{

/// A number, or every element of an array, is neither NaN nor infinite.
inline tl::expected<void, std::string> finite(const rclcpp::Parameter & parameter)
{
  const bool is_array = parameter.get_type() == rclcpp::ParameterType::PARAMETER_DOUBLE_ARRAY;
  const auto values =
    is_array ? parameter.as_double_array() : std::vector<double>{parameter.as_double()};
  const auto bad =
    std::find_if(values.begin(), values.end(), [](double value) { return !std::isfinite(value); });
  if (bad != values.end())
  {
    return tl::make_unexpected(
      fmt::format("{}: expected finite numbers, got {}", parameter.get_name(), *bad));
  }
  return {};
}

/// Six numbers, from zero to `linear` for x, y, z and to `angular` for the rotations.
inline tl::expected<void, std::string> six_within(
  const rclcpp::Parameter & parameter, double linear, double angular)
{
  const auto values = parameter.as_double_array();
  if (values.size() != 6)
  {
    return tl::make_unexpected(
      fmt::format("{}: expected 6 numbers, got {}", parameter.get_name(), values.size()));
  }
  for (std::size_t axis = 0; axis < 6; ++axis)
  {
    const double bound = axis < 3 ? linear : angular;
    if (!(values[axis] >= 0.0 && values[axis] <= bound))
    {
      return tl::make_unexpected(
        fmt::format(
          "{}[{}]: expected 0 to {}, got {}", parameter.get_name(), axis, bound, values[axis]));
    }
  }
  return {};
}

}  // namespace franka_impedance_controller
