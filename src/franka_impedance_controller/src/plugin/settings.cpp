// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <urdf_parser/urdf_parser.h>

#include <stdexcept>
#include <vector>

namespace franka_impedance_controller
{
namespace
{

Eigen::VectorXd vector(const std::vector<double> & values)
{
  return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

bool is_identity(const urdf::Pose & pose)
{
  constexpr double kTolerance = 1e-9;
  const auto & p = pose.position;
  const auto & q = pose.rotation;
  return Vector3(p.x, p.y, p.z).norm() < kTolerance && Vector3(q.x, q.y, q.z).norm() < kTolerance;
}

bool coincides_with_parent(const urdf::Link & link)
{
  return link.parent_joint->type == urdf::Joint::FIXED &&
         is_identity(link.parent_joint->parent_to_joint_origin_transform);
}

}  // namespace

Gains gains(const Params & params)
{
  Gains gains;
  gains.stiffness = vector(params.stiffness);
  gains.damping = vector(params.damping);
  gains.integral = vector(params.integral);
  gains.clip_positive = vector(params.clip_positive);
  gains.clip_negative = vector(params.clip_negative);
  gains.target_period = params.target_period;
  gains.max_linear_velocity = params.max_linear_velocity;
  gains.max_angular_velocity = params.max_angular_velocity;
  gains.nullspace_stiffness = params.nullspace_stiffness;
  gains.nullspace_damping = params.nullspace_damping;
  return gains;
}

Guards guards(const Params & params)
{
  Guards guards;
  guards.max_target_distance = params.max_target_distance;
  guards.max_target_angle = params.max_target_angle;
  guards.target_timeout = params.target_timeout;
  guards.workspace_lower = vector(params.workspace_lower);
  guards.workspace_upper = vector(params.workspace_upper);
  guards.joint_limit_margin = params.joint_limit_margin;
  return guards;
}

Limits limits(const Params & params)
{
  Limits limits;
  limits.torque = vector(params.torque_limits);
  limits.torque_rate = params.torque_rate_limit;
  return limits;
}

ModelDescription model_description(const Params & params, const std::string & urdf)
{
  const auto & q = params.tool_offset.quaternion;
  return {
    urdf,
    params.joints,
    params.tool_frame,
    {vector(params.tool_offset.position), {q[3], q[0], q[1], q[2]}}};
}

std::string base_frame(const std::string & requested, const std::string & urdf)
{
  const auto model = urdf::parseURDF(urdf);
  if (!model)
  {
    throw std::invalid_argument("robot_description: not a valid URDF");
  }
  const std::string root = model->getRoot()->name;
  if (requested.empty())
  {
    return root;
  }
  urdf::LinkConstSharedPtr link = model->getLink(requested);
  if (!link)
  {
    throw std::invalid_argument("base_frame: no link '" + requested + "' in the URDF");
  }
  while (link->parent_joint && coincides_with_parent(*link))
  {
    link = link->getParent();
  }
  if (link->parent_joint)
  {
    throw std::invalid_argument(
      "base_frame: '" + requested + "' does not coincide with the root link '" + root +
      "' of the URDF");
  }
  return requested;
}

}  // namespace franka_impedance_controller
