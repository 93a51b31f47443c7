// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <franka_impedance_controller/cartesian_impedance_controller_parameters.hpp>
#include <string>

#include "franka_impedance_controller/impedance_controller.hpp"

/// From checked parameters to what the law takes.
namespace franka_impedance_controller
{

using Params = cartesian_impedance_controller::Params;

Gains gains(const Params & params);
Guards guards(const Params & params);
Limits limits(const Params & params);
ModelDescription model_description(const Params & params, const std::string & urdf);

/// Name of the frame in which the model gives its poses. Throws std::invalid_argument with one line
/// if `requested` is neither empty nor a link that coincides with the root of the URDF.
std::string base_frame(const std::string & requested, const std::string & urdf);

}  // namespace franka_impedance_controller
