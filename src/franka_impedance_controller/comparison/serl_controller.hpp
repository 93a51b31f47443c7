// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "franka_impedance_controller/gains.hpp"
#include "franka_impedance_controller/robot_model.hpp"

namespace franka_impedance_controller
{

/// SERL's own controller (Luo et al., 2024, section 4.5 and the code of serl_franka_controllers), to
/// compare with. Never for a robot: it allocates in every tick and checks nothing.
///
///   e = clip(measured - low-passed target), in rotation the vector part of the quaternion
///   tau = J^T (-K e - D J dq - Ki sum(e)) + (I - J^T (J^T)^+) tau_posture + coriolis
///
/// Each tick moves target and gains by 0.5 % toward what was set, and a torque by at most 1 Nm.
/// The null space has SERL's own gains: 0.2 Nm/rad, the first joint a hundred times that.
class SerlController
{
public:
  /// Runs with the forces of `gains`, in SERL's units: half angles and sums over ticks of `dt` (s).
  /// Throws std::invalid_argument.
  SerlController(const ModelDescription & description, const Gains & gains, double dt);

  /// Holds the measured pose and posture, torque zero before the first tick.
  void activate(const JointVector & q, const JointVector & dq);

  /// Any pose is taken, and clears the integral.
  void set_target(const Pose & target);

  /// One tick: joint torques in Nm, without gravity.
  const JointVector & update(const JointVector & q, const JointVector & dq);

  const RobotModel & model() const { return model_; }

private:
  using Matrix6 = Eigen::Matrix<double, 6, 6>;

  /// What is low-passed beside the target.
  struct Impedance
  {
    Matrix6 stiffness;
    Matrix6 damping;
    Matrix6 integral;
    double nullspace_stiffness;
    double joint1_factor;
  };

  Vector6 clipped_error() const;
  Eigen::VectorXd posture_torque(const JointVector & q, const JointVector & dq) const;
  void low_pass();

  RobotModel model_;
  Impedance desired_impedance_;
  Impedance impedance_;
  Vector6 clip_lower_;
  Vector6 clip_upper_;

  Pose target_;
  Pose filtered_;
  Vector6 error_integral_ = Vector6::Zero();
  JointVector posture_;
  JointVector tau_;
};

}  // namespace franka_impedance_controller
