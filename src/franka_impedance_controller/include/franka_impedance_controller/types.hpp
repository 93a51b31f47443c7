// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>

namespace franka_impedance_controller
{

/// Arms have up to seven joints; the storage is fixed, so that none of these types allocates.
inline constexpr int kMaxJoints = 7;

using Vector3 = Eigen::Vector3d;
/// Translation first, then rotation: pose error (m, rad), twist (m/s, rad/s), wrench (N, Nm).
using Vector6 = Eigen::Matrix<double, 6, 1>;
using Mask6 = Eigen::Array<bool, 6, 1>;
using JointVector = Eigen::Matrix<double, Eigen::Dynamic, 1, Eigen::ColMajor, kMaxJoints, 1>;
using Jacobian = Eigen::Matrix<double, 6, Eigen::Dynamic, Eigen::ColMajor, 6, kMaxJoints>;

/// Tool frame in the robot's base frame.
struct Pose
{
  Vector3 position = Vector3::Zero();  ///< m
  Eigen::Quaterniond orientation = Eigen::Quaterniond::Identity();
};

}  // namespace franka_impedance_controller
