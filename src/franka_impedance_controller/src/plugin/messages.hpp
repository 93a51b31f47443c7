// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <geometry_msgs/msg/pose.hpp>
#include <geometry_msgs/msg/twist.hpp>
#include <geometry_msgs/msg/vector3.hpp>
#include <geometry_msgs/msg/wrench.hpp>

#include "franka_impedance_controller/types.hpp"

/// Between messages and the law's types. Real-time safe.
namespace franka_impedance_controller
{

inline Pose read(const geometry_msgs::msg::Pose & message)
{
  const auto & p = message.position;
  const auto & q = message.orientation;
  return {{p.x, p.y, p.z}, {q.w, q.x, q.y, q.z}};
}

inline void write(const Pose & pose, geometry_msgs::msg::Pose & message)
{
  message.position.x = pose.position.x();
  message.position.y = pose.position.y();
  message.position.z = pose.position.z();
  message.orientation.x = pose.orientation.x();
  message.orientation.y = pose.orientation.y();
  message.orientation.z = pose.orientation.z();
  message.orientation.w = pose.orientation.w();
}

inline void write(const Vector3 & vector, geometry_msgs::msg::Vector3 & message)
{
  message.x = vector.x();
  message.y = vector.y();
  message.z = vector.z();
}

inline void write(const Vector6 & twist, geometry_msgs::msg::Twist & message)
{
  write(Vector3(twist.head<3>()), message.linear);
  write(Vector3(twist.tail<3>()), message.angular);
}

inline void write(const Vector6 & wrench, geometry_msgs::msg::Wrench & message)
{
  write(Vector3(wrench.head<3>()), message.force);
  write(Vector3(wrench.tail<3>()), message.torque);
}

}  // namespace franka_impedance_controller
