// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "franka_impedance_controller/robot_model.hpp"

// Pinocchio compiles slowly: this is the only file that includes it.
#include <algorithm>
#include <pinocchio/algorithm/frames.hpp>
#include <pinocchio/algorithm/jacobian.hpp>
#include <pinocchio/algorithm/joint-configuration.hpp>
#include <pinocchio/algorithm/model.hpp>
#include <pinocchio/algorithm/rnea.hpp>
#include <pinocchio/parsers/urdf.hpp>
#include <stdexcept>

namespace franka_impedance_controller
{
namespace
{

[[noreturn]] void fail(const std::string & message) { throw std::invalid_argument(message); }

pinocchio::Model parse_urdf(const std::string & urdf)
{
  pinocchio::Model model;
  try
  {
    pinocchio::urdf::buildModelFromXML(urdf, model);
  } catch (const std::exception & error)
  {
    fail(std::string("urdf: not a valid URDF: ") + error.what());
  }
  return model;
}

/// Locks every joint that is not named, at zero; their links become part of the links they hang on.
pinocchio::Model lock_other_joints(
  const pinocchio::Model & full, const ModelDescription & description)
{
  const auto & names = description.joint_names;
  if (names.empty() || names.size() > static_cast<std::size_t>(kMaxJoints))
  {
    fail(
      "joint_names: expected 1 to " + std::to_string(kMaxJoints) + " names, got " +
      std::to_string(names.size()));
  }
  for (const auto & name : names)
  {
    if (!full.existJointName(name))
    {
      fail("joint_names: no joint '" + name + "' in the URDF");
    }
    const auto & joint = full.joints[full.getJointId(name)];
    if (joint.nq() != 1 || joint.nv() != 1)
    {
      fail("joint_names: '" + name + "' is not a revolute or prismatic joint with limits");
    }
  }
  std::vector<pinocchio::JointIndex> locked;
  for (pinocchio::JointIndex id = 1; id < full.joints.size(); ++id)
  {
    if (std::find(names.begin(), names.end(), full.names[id]) == names.end())
    {
      locked.push_back(id);
    }
  }
  auto model = pinocchio::buildReducedModel(full, locked, pinocchio::neutral(full));
  if (!std::equal(names.begin(), names.end(), model.names.begin() + 1, model.names.end()))
  {
    fail("joint_names: expected each joint once, from base to tool");
  }
  return model;
}

pinocchio::FrameIndex add_tool_frame(pinocchio::Model & model, const ModelDescription & description)
{
  if (!model.existFrame(description.tool_frame))
  {
    fail("tool_frame: no frame '" + description.tool_frame + "' in the URDF");
  }
  const auto & offset = description.tool_offset;
  if (!offset.position.allFinite() || !(std::abs(offset.orientation.norm() - 1.0) < 1e-3))
  {
    fail("tool_offset: expected a finite position and a unit quaternion");
  }
  const auto parent = model.getFrameId(description.tool_frame);
  const auto & frame = model.frames[parent];
  const pinocchio::SE3 placement(offset.orientation.normalized(), offset.position);
  return model.addFrame(
    pinocchio::Frame(
      description.tool_frame + "_with_tool_offset", frame.parentJoint, parent,
      frame.placement * placement, pinocchio::OP_FRAME));
}

}  // namespace

struct RobotModel::Implementation
{
  explicit Implementation(const ModelDescription & description)
  : model(lock_other_joints(parse_urdf(description.urdf), description)),
    tool(add_tool_frame(model, description)),
    weightless(model),
    data(model),
    weightless_data(weightless),
    q(Eigen::VectorXd::Zero(model.nq)),
    dq(Eigen::VectorXd::Zero(model.nv)),
    frame_jacobian(Eigen::Matrix<double, 6, Eigen::Dynamic>::Zero(6, model.nv)),
    joint_names(description.joint_names),
    lower_limits(model.lowerPositionLimit),
    upper_limits(model.upperPositionLimit),
    velocity_limits(model.upperVelocityLimit),
    torque_limits(model.upperEffortLimit)
  {
    weightless.gravity.setZero();
    jacobian.setZero(6, model.nv);
    coriolis.setZero(model.nv);
  }

  pinocchio::Model model;
  pinocchio::FrameIndex tool;
  pinocchio::Model weightless;  ///< without gravity, so that its bias torques are Coriolis alone
  pinocchio::Data data;
  pinocchio::Data weightless_data;

  // Pinocchio's own types, so that its precompiled functions are used.
  Eigen::VectorXd q;
  Eigen::VectorXd dq;
  Eigen::Matrix<double, 6, Eigen::Dynamic> frame_jacobian;

  std::vector<std::string> joint_names;
  JointVector lower_limits;
  JointVector upper_limits;
  JointVector velocity_limits;
  JointVector torque_limits;

  Pose pose;
  Vector6 twist = Vector6::Zero();
  Jacobian jacobian;
  JointVector coriolis;
};

RobotModel::RobotModel(const ModelDescription & description)
: implementation_(std::make_unique<Implementation>(description))
{
}
RobotModel::~RobotModel() = default;
RobotModel::RobotModel(RobotModel &&) noexcept = default;
RobotModel & RobotModel::operator=(RobotModel &&) noexcept = default;

void RobotModel::update(const JointVector & q, const JointVector & dq)
{
  auto & m = *implementation_;
  m.q = q;
  m.dq = dq;

  pinocchio::computeJointJacobians(m.model, m.data, m.q);
  pinocchio::updateFramePlacement(m.model, m.data, m.tool);
  m.frame_jacobian.setZero();
  pinocchio::getFrameJacobian(
    m.model, m.data, m.tool, pinocchio::LOCAL_WORLD_ALIGNED, m.frame_jacobian);
  m.jacobian = m.frame_jacobian;
  m.twist.noalias() = m.jacobian * dq;

  const auto & placement = m.data.oMf[m.tool];
  m.pose.position = placement.translation();
  m.pose.orientation = Eigen::Quaterniond(placement.rotation());

  m.coriolis = pinocchio::nonLinearEffects(m.weightless, m.weightless_data, m.q, m.dq);
}

JointVector RobotModel::gravity(const JointVector & q)
{
  auto & m = *implementation_;
  m.q = q;
  return pinocchio::computeGeneralizedGravity(m.model, m.data, m.q);
}

const Pose & RobotModel::pose() const { return implementation_->pose; }
const Vector6 & RobotModel::twist() const { return implementation_->twist; }
const Jacobian & RobotModel::jacobian() const { return implementation_->jacobian; }
const JointVector & RobotModel::coriolis() const { return implementation_->coriolis; }

Eigen::Index RobotModel::joints() const { return implementation_->model.nv; }
const std::vector<std::string> & RobotModel::joint_names() const
{
  return implementation_->joint_names;
}
const JointVector & RobotModel::lower_limits() const { return implementation_->lower_limits; }
const JointVector & RobotModel::upper_limits() const { return implementation_->upper_limits; }
const JointVector & RobotModel::velocity_limits() const { return implementation_->velocity_limits; }
const JointVector & RobotModel::torque_limits() const { return implementation_->torque_limits; }

}  // namespace franka_impedance_controller
