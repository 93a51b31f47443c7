// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "franka_impedance_controller/robot_model.hpp"

namespace franka_impedance_controller
{

inline std::vector<std::string> panda_joints()
{
  return {"panda_joint1", "panda_joint2", "panda_joint3", "panda_joint4",
          "panda_joint5", "panda_joint6", "panda_joint7"};
}

inline std::string read_file(const std::string & path)
{
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline ModelDescription panda(const std::string & tool_frame = "panda_link8")
{
  return {read_file(PANDA_URDF), panda_joints(), tool_frame};
}

inline ModelDescription ur5()
{
  return {
    read_file(UR5_URDF),
    {"shoulder_pan_joint", "shoulder_lift_joint", "elbow_joint", "wrist_1_joint", "wrist_2_joint",
     "wrist_3_joint"},
    "tool0"};
}

inline ModelDescription two_link()
{
  return {read_file(TWO_LINK_URDF), {"shoulder", "elbow"}, "tip"};
}

/// A posture of the Panda over a table (rad), and a velocity in which every joint moves (rad/s).
inline JointVector panda_q()
{
  return (JointVector(7) << 0.1, -0.3, 0.2, -2.2, 0.1, 2.0, 0.785).finished();
}
inline JointVector panda_dq()
{
  return (JointVector(7) << 0.1, -0.2, 0.3, 0.1, -0.4, 0.2, 0.5).finished();
}

}  // namespace franka_impedance_controller
