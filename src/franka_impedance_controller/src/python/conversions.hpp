// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/eigen.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "franka_impedance_controller/robot_model.hpp"
#include "franka_impedance_controller/types.hpp"

/// Between NumPy and the library's types. Wrong sizes are a ValueError of one line.
namespace franka_impedance_controller::python
{

namespace py = pybind11;

using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;
using ConstVector = Eigen::Ref<const Eigen::VectorXd>;
using Vector7 = Eigen::Matrix<double, 7, 1>;

/// A fixed-size vector from any sequence; a wrong length is a one-line ValueError.
template <int N>
Eigen::Matrix<double, N, 1> fixed(const Array & values, const char * name)
{
  if (values.ndim() != 1 || values.size() != N)
  {
    throw py::value_error(
      std::string(name) + ": expected " + std::to_string(N) + " values, got " +
      std::to_string(values.size()));
  }
  return Eigen::Map<const Eigen::Matrix<double, N, 1>>(values.data());
}

inline JointVector joint_vector(const ConstVector & values, Eigen::Index joints, const char * name)
{
  if (values.size() != joints)
  {
    throw py::value_error(
      std::string(name) + ": expected " + std::to_string(joints) + " values, got " +
      std::to_string(values.size()));
  }
  return values;
}

inline Pose pose_from(const Array & position, const Array & quaternion_xyzw)
{
  const auto xyzw = fixed<4>(quaternion_xyzw, "quaternion_xyzw");
  return {fixed<3>(position, "position"), Eigen::Quaterniond(xyzw[3], xyzw[0], xyzw[1], xyzw[2])};
}

inline Array array(const std::vector<double> & values)
{
  return Array(static_cast<py::ssize_t>(values.size()), values.data());
}

/// x, y, z, then quaternion x, y, z, w, the order in which Eigen stores it.
inline Vector7 to_array(const Pose & pose)
{
  return (Vector7() << pose.position, pose.orientation.coeffs()).finished();
}

inline ModelDescription make_description(
  const std::string & urdf, const std::vector<std::string> & joint_names,
  const std::string & tool_frame, const Array & offset_position, const Array & offset_quaternion)
{
  return {urdf, joint_names, tool_frame, pose_from(offset_position, offset_quaternion)};
}

void bind_gains(py::module_ & module);
void bind_guards(py::module_ & module);
void bind_model(py::module_ & module);
void bind_state(py::module_ & module);
void bind_controller(py::module_ & module);
void bind_serl_controller(py::module_ & module);

}  // namespace franka_impedance_controller::python
