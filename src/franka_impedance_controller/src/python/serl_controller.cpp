// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "serl_controller.hpp"

#include "conversions.hpp"

namespace franka_impedance_controller::python
{

using namespace py::literals;  // NOLINT(build/namespaces)

void bind_serl_controller(py::module_ & module)
{
  const auto activate = [](SerlController & self, const ConstVector & q, const ConstVector & dq) {
    const auto joints = self.model().joints();
    self.activate(joint_vector(q, joints, "q"), joint_vector(dq, joints, "dq"));
  };
  const auto set_target =
    [](SerlController & self, const Array & position, const Array & quaternion_xyzw) {
      self.set_target(pose_from(position, quaternion_xyzw));
    };
  const auto update = [](SerlController & self, const ConstVector & q, const ConstVector & dq) {
    const auto joints = self.model().joints();
    return self.update(joint_vector(q, joints, "q"), joint_vector(dq, joints, "dq"));
  };
  const auto update_into = [](
                             SerlController & self, const ConstVector & q, const ConstVector & dq,
                             Eigen::Ref<Eigen::VectorXd> out) {
    const auto joints = self.model().joints();
    joint_vector(out, joints, "out");
    out = self.update(joint_vector(q, joints, "q"), joint_vector(dq, joints, "dq"));
  };
  py::class_<SerlController>(
    module, "SerlController",
    "SERL's own law with the forces of `gains`, for comparison only: never for a robot.\n\n"
    "It damps the tool's absolute velocity, low-passes the target by 0.5 % per tick, and checks "
    "nothing. Used like ImpedanceController.")
    .def(
      py::init([](
                 const std::string & urdf, const std::vector<std::string> & joint_names,
                 const std::string & tool_frame, const Gains & gains, double dt) {
        return SerlController({urdf, joint_names, tool_frame, Pose{}}, gains, dt);
      }),
      "urdf"_a, "joint_names"_a, "tool_frame"_a, "gains"_a = Gains{}, "dt"_a = 0.001)
    .def("activate", activate, "q"_a, "dq"_a, "Holds the measured pose and posture.")
    .def("set_target", set_target, "position"_a, "quaternion_xyzw"_a, "Takes any pose.")
    .def("update", update, "q"_a, "dq"_a, "One tick: (n,) joint torques in Nm, without gravity.")
    .def("update", update_into, "q"_a, "dq"_a, "out"_a, "The same, into a float64 array.");
}

}  // namespace franka_impedance_controller::python
