// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "franka_impedance_controller/types.hpp"

namespace franka_impedance_controller
{

/// Which arm and which point of it. A payload that is always held belongs into the URDF.
struct ModelDescription
{
  std::string urdf;                      ///< its XML
  std::vector<std::string> joint_names;  ///< from base to tool; all other joints are locked at zero
  std::string tool_frame;                ///< a link of the URDF
  Pose tool_offset = {};  ///< tool in tool_frame, for example the tip of a connector that is held
};

/// Kinematics and dynamics of one arm, by Pinocchio. Nothing allocates after construction.
class RobotModel
{
public:
  /// Throws std::invalid_argument with one line: bad XML, a joint or frame that is not there.
  explicit RobotModel(const ModelDescription & description);
  ~RobotModel();
  RobotModel(RobotModel &&) noexcept;
  RobotModel & operator=(RobotModel &&) noexcept;

  /// Computes what the accessors of one tick return. q in rad, dq in rad/s, in order of joint_names.
  void update(const JointVector & q, const JointVector & dq);

  const Pose & pose() const;             ///< of the tool, base frame
  const Vector6 & twist() const;         ///< of the tool's origin, base axes
  const Jacobian & jacobian() const;     ///< twist = jacobian * dq
  const JointVector & coriolis() const;  ///< C(q, dq) dq, Nm

  JointVector gravity(const JointVector & q);  ///< Nm

  Eigen::Index joints() const;
  const std::vector<std::string> & joint_names() const;
  const JointVector & lower_limits() const;     ///< rad
  const JointVector & upper_limits() const;     ///< rad
  const JointVector & velocity_limits() const;  ///< rad/s
  const JointVector & torque_limits() const;    ///< Nm

private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace franka_impedance_controller
