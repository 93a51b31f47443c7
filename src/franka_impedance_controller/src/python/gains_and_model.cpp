// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0

#include "conversions.hpp"
#include "franka_impedance_controller/gains.hpp"
#include "franka_impedance_controller/guards.hpp"
#include "franka_impedance_controller/robot_model.hpp"

namespace franka_impedance_controller::python
{

using namespace py::literals;  // NOLINT(build/namespaces)

namespace
{

Gains make_gains(
  const Array & stiffness, const Array & damping, const Array & integral,
  const Array & clip_positive, const Array & clip_negative, double target_period,
  double max_linear_velocity, double max_angular_velocity, double nullspace_stiffness,
  double nullspace_damping)
{
  const Gains gains{
    fixed<6>(stiffness, "stiffness"),
    fixed<6>(damping, "damping"),
    fixed<6>(integral, "integral"),
    fixed<6>(clip_positive, "clip_positive"),
    fixed<6>(clip_negative, "clip_negative"),
    target_period,
    max_linear_velocity,
    max_angular_velocity,
    nullspace_stiffness,
    nullspace_damping};
  validate(gains);
  return gains;
}

Guards make_guards(
  double max_target_distance, double max_target_angle, double target_timeout,
  const Array & workspace_lower, const Array & workspace_upper, double joint_limit_margin)
{
  const Guards guards{
    max_target_distance,
    max_target_angle,
    target_timeout,
    fixed<3>(workspace_lower, "workspace_lower"),
    fixed<3>(workspace_upper, "workspace_upper"),
    joint_limit_margin};
  validate(guards);
  return guards;
}

/// The model at one joint state, for callers that need one quantity of it.
const RobotModel & at(RobotModel & model, const ConstVector & q)
{
  model.update(joint_vector(q, model.joints(), "q"), JointVector::Zero(model.joints()));
  return model;
}

const RobotModel & at(RobotModel & model, const ConstVector & q, const ConstVector & dq)
{
  model.update(joint_vector(q, model.joints(), "q"), joint_vector(dq, model.joints(), "dq"));
  return model;
}

}  // namespace

void bind_gains(py::module_ & module)
{
  const Gains defaults;
  py::class_<Gains>(module, "Gains", "Gains and clips of a task; see the fields. Frozen.")
    .def(
      py::init(&make_gains), "stiffness"_a = defaults.stiffness, "damping"_a = defaults.damping,
      "integral"_a = defaults.integral, "clip_positive"_a = defaults.clip_positive,
      "clip_negative"_a = defaults.clip_negative, "target_period"_a = defaults.target_period,
      "max_linear_velocity"_a = defaults.max_linear_velocity,
      "max_angular_velocity"_a = defaults.max_angular_velocity,
      "nullspace_stiffness"_a = defaults.nullspace_stiffness,
      "nullspace_damping"_a = defaults.nullspace_damping)
    .def_readonly("stiffness", &Gains::stiffness, "(6,) N/m, Nm/rad (logarithm map)")
    .def_readonly("damping", &Gains::damping, "(6,) Ns/m, Nms/rad")
    .def_readonly("integral", &Gains::integral, "(6,) N/(m s), Nm/(rad s)")
    .def_readonly("clip_positive", &Gains::clip_positive, "(6,) m, rad: pull toward plus")
    .def_readonly("clip_negative", &Gains::clip_negative, "(6,) m, rad: pull toward minus, >= 0")
    .def_readonly("target_period", &Gains::target_period, "s from one target to the next")
    .def_readonly("max_linear_velocity", &Gains::max_linear_velocity, "m/s")
    .def_readonly("max_angular_velocity", &Gains::max_angular_velocity, "rad/s")
    .def_readonly("nullspace_stiffness", &Gains::nullspace_stiffness, "Nm/rad")
    .def_readonly("nullspace_damping", &Gains::nullspace_damping, "Nms/rad");
}

void bind_guards(py::module_ & module)
{
  const Guards defaults;
  py::class_<Guards>(module, "Guards", "What stands between a target and the arm. Frozen.")
    .def(
      py::init(&make_guards), "max_target_distance"_a = defaults.max_target_distance,
      "max_target_angle"_a = defaults.max_target_angle,
      "target_timeout"_a = defaults.target_timeout, "workspace_lower"_a = defaults.workspace_lower,
      "workspace_upper"_a = defaults.workspace_upper,
      "joint_limit_margin"_a = defaults.joint_limit_margin)
    .def_readonly("max_target_distance", &Guards::max_target_distance, "m, from the measured tool")
    .def_readonly("max_target_angle", &Guards::max_target_angle, "rad, likewise")
    .def_readonly("target_timeout", &Guards::target_timeout, "s without a target: stop and hold")
    .def_readonly("workspace_lower", &Guards::workspace_lower, "(3,) m, base frame")
    .def_readonly("workspace_upper", &Guards::workspace_upper, "(3,) m, base frame")
    .def_readonly("joint_limit_margin", &Guards::joint_limit_margin, "rad, of the soft stops");
}

void bind_model(py::module_ & module)
{
  py::class_<RobotModel>(module, "RobotModel", "Kinematics and dynamics of one arm, base frame.")
    .def(
      py::init([](
                 const std::string & urdf, const std::vector<std::string> & joint_names,
                 const std::string & tool_frame, const Array & position, const Array & quaternion) {
        return RobotModel(make_description(urdf, joint_names, tool_frame, position, quaternion));
      }),
      "urdf"_a, "joint_names"_a, "tool_frame"_a, "tool_offset_position"_a = array({0, 0, 0}),
      "tool_offset_quaternion"_a = array({0, 0, 0, 1}))
    .def(
      "pose", [](RobotModel & self, const ConstVector & q) { return to_array(at(self, q).pose()); },
      "q"_a, "(7,) x, y, z in m and quaternion x, y, z, w of the tool")
    .def(
      "jacobian",
      [](RobotModel & self, const ConstVector & q) { return Jacobian(at(self, q).jacobian()); },
      "q"_a, "(6, n) tool twist = jacobian @ dq, at the tool's origin along base axes")
    .def(
      "twist",
      [](RobotModel & self, const ConstVector & q, const ConstVector & dq) {
        return Vector6(at(self, q, dq).twist());
      },
      "q"_a, "dq"_a, "(6,) m/s, rad/s")
    .def(
      "coriolis",
      [](RobotModel & self, const ConstVector & q, const ConstVector & dq) {
        return JointVector(at(self, q, dq).coriolis());
      },
      "q"_a, "dq"_a, "(n,) Nm")
    .def(
      "gravity",
      [](RobotModel & self, const ConstVector & q) {
        return self.gravity(joint_vector(q, self.joints(), "q"));
      },
      "q"_a, "(n,) Nm")
    .def_property_readonly("joint_names", &RobotModel::joint_names)
    .def_property_readonly("lower_limits", &RobotModel::lower_limits, "(n,) rad")
    .def_property_readonly("upper_limits", &RobotModel::upper_limits, "(n,) rad")
    .def_property_readonly("velocity_limits", &RobotModel::velocity_limits, "(n,) rad/s")
    .def_property_readonly("torque_limits", &RobotModel::torque_limits, "(n,) Nm");
}

}  // namespace franka_impedance_controller::python
