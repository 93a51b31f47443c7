// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "conversions.hpp"
#include "franka_impedance_controller/impedance_controller.hpp"

namespace franka_impedance_controller::python
{

using namespace py::literals;  // NOLINT(build/namespaces)

namespace
{

Limits make_limits(const Array & torque, double torque_rate)
{
  if (torque.size() > kMaxJoints)
  {
    throw py::value_error("torque_limits: expected at most 7 values");
  }
  return {Eigen::Map<const Eigen::VectorXd>(torque.data(), torque.size()), torque_rate};
}

void set_target(
  ImpedanceController & controller, const Array & position, const Array & quaternion_xyzw)
{
  switch (controller.set_target(pose_from(position, quaternion_xyzw)))
  {
    case Reason::kTargetNotFinite:
      throw py::value_error("target: expected finite numbers, got NaN or infinity");
    case Reason::kTargetNotUnit:
      throw py::value_error("target: expected a quaternion of unit length");
    case Reason::kTargetJump:
      throw py::value_error("target: expected a pose near the measured one, got one too far away");
    case Reason::kHolding:
    case Reason::kHardwareError:
      throw py::value_error("target: the controller is not active: call activate() first");
    default:
      return;
  }
}

}  // namespace

void bind_state(py::module_ & module)
{
  py::enum_<Reason>(module, "Reason", py::arithmetic(), "Values of serl_msgs/msg/ControllerState.")
    .value("OK", Reason::kOk)
    .value("HOLDING", Reason::kHolding)
    .value("TARGET_NOT_FINITE", Reason::kTargetNotFinite)
    .value("TARGET_NOT_UNIT", Reason::kTargetNotUnit)
    .value("TARGET_JUMP", Reason::kTargetJump)
    .value("TARGET_STALE", Reason::kTargetStale)
    .value("SECOND_PUBLISHER", Reason::kSecondPublisher)
    .value("WORKSPACE_LIMIT", Reason::kWorkspaceLimit)
    .value("JOINT_LIMIT", Reason::kJointLimit)
    .value("TORQUE_LIMIT", Reason::kTorqueLimit)
    .value("TORQUE_RATE_LIMIT", Reason::kTorqueRateLimit)
    .value("HARDWARE_ERROR", Reason::kHardwareError);

  const auto pose = [](Pose ControllerState::* member) {
    return [member](const ControllerState & state) { return to_array(state.*member); };
  };
  py::class_<ControllerState>(
    module, "ControllerState", "One tick, base frame; poses are (7,): m, quaternion x, y, z, w.")
    .def_readonly("reason", &ControllerState::reason)
    .def_property_readonly("pose", pose(&ControllerState::pose), "measured")
    .def_property_readonly("target", pose(&ControllerState::target), "commanded")
    .def_property_readonly("filtered", pose(&ControllerState::filtered), "smoothed target")
    .def_property_readonly("clipped", pose(&ControllerState::clipped), "what the spring pulls to")
    .def_readonly("twist", &ControllerState::twist, "(6,) m/s, rad/s, measured")
    .def_readonly("wrench", &ControllerState::wrench, "(6,) N, Nm, commanded")
    .def_readonly("clipped_axes", &ControllerState::clipped_axes, "(6,) bool")
    .def_readonly("tau", &ControllerState::tau, "(n,) Nm, without gravity");
}

void bind_controller(py::module_ & module)
{
  const auto activate =
    [](ImpedanceController & self, const ConstVector & q, const ConstVector & dq) {
      const auto joints = self.model().joints();
      self.activate(joint_vector(q, joints, "q"), joint_vector(dq, joints, "dq"));
    };
  const auto update = [](
                        ImpedanceController & self, const ConstVector & q, const ConstVector & dq) {
    const auto joints = self.model().joints();
    return self.update(joint_vector(q, joints, "q"), joint_vector(dq, joints, "dq"));
  };
  const auto update_into = [](
                             ImpedanceController & self, const ConstVector & q,
                             const ConstVector & dq, Eigen::Ref<Eigen::VectorXd> out) {
    const auto joints = self.model().joints();
    joint_vector(out, joints, "out");
    out = self.update(joint_vector(q, joints, "q"), joint_vector(dq, joints, "dq"));
  };
  py::class_<ImpedanceController>(
    module, "ImpedanceController", "The law, its model and its state.")
    .def(
      py::init([](
                 const std::string & urdf, const std::vector<std::string> & joint_names,
                 const std::string & tool_frame, const Gains & gains, double dt,
                 const Array & position, const Array & quaternion, const Array & torque_limits,
                 double torque_rate_limit, const Guards & guards) {
        return ImpedanceController(
          make_description(urdf, joint_names, tool_frame, position, quaternion), gains, dt,
          make_limits(torque_limits, torque_rate_limit), guards);
      }),
      "urdf"_a, "joint_names"_a, "tool_frame"_a, "gains"_a = Gains{}, "dt"_a = 0.001,
      "tool_offset_position"_a = array({0, 0, 0}), "tool_offset_quaternion"_a = array({0, 0, 0, 1}),
      "torque_limits"_a = array({}), "torque_rate_limit"_a = 1000.0, "guards"_a = Guards{})
    .def("activate", activate, "q"_a, "dq"_a, "Holds the measured pose and posture.")
    .def(
      "set_target", &set_target, "position"_a, "quaternion_xyzw"_a,
      "ValueError, and the old target, for one that is not finite, not of unit length or too far.")
    .def("set_gains", &ImpedanceController::set_gains, "gains"_a, "Takes effect within 0.3 s.")
    .def("set_guards", &ImpedanceController::set_guards, "guards"_a)
    .def("update", update, "q"_a, "dq"_a, "One tick: (n,) joint torques in Nm, without gravity.")
    .def("update", update_into, "q"_a, "dq"_a, "out"_a, "The same, into a float64 array.")
    .def_property_readonly(
      "state", [](const ImpedanceController & self) { return self.state(); }, "Copy of the tick.")
    .def_property_readonly("gains", [](const ImpedanceController & self) { return self.gains(); })
    .def_property_readonly("guards", [](const ImpedanceController & self) { return self.guards(); })
    .def_property_readonly("dt", &ImpedanceController::dt, "s")
    .def_property_readonly(
      "torque_limits", [](const ImpedanceController & self) { return self.limits().torque; });
}

}  // namespace franka_impedance_controller::python

PYBIND11_MODULE(_core, module)
{
  using namespace franka_impedance_controller::python;  // NOLINT(build/namespaces)
  bind_gains(module);
  bind_guards(module);
  bind_model(module);
  bind_state(module);
  bind_controller(module);
  bind_serl_controller(module);
}
