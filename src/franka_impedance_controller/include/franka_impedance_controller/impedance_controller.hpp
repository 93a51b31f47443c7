// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "franka_impedance_controller/gains.hpp"
#include "franka_impedance_controller/guards.hpp"
#include "franka_impedance_controller/impedance_law.hpp"
#include "franka_impedance_controller/robot_model.hpp"

namespace franka_impedance_controller
{

/// One tick, in the base frame.
struct ControllerState
{
  Reason reason = Reason::kHolding;
  Pose pose;      ///< measured
  Pose target;    ///< commanded
  Pose filtered;  ///< smoothed target
  Pose clipped;   ///< what the spring pulls to
  Vector6 twist = Vector6::Zero();
  Vector6 wrench = Vector6::Zero();  ///< that the law commands at the tool's origin
  Mask6 clipped_axes = Mask6::Constant(false);
  JointVector tau;  ///< Nm, without gravity
};

/// The law, its model, its guards and its state. One thread calls it; a ROS wrapper hands targets,
/// gains and guards over by real-time boxes of its own. It knows no clock: a tick is a tick.
class ImpedanceController
{
public:
  /// No torque limits given: those of the URDF. Throws std::invalid_argument.
  ImpedanceController(
    const ModelDescription & description, const Gains & gains, double dt,
    const Limits & limits = {}, const Guards & guards = {});

  /// Holds the measured pose and posture, with filters cleared and torque zero before the first tick.
  /// The only way out of a fault; with a measurement that is itself a fault, into one.
  void activate(const JointVector & q, const JointVector & dq);

  /// Takes a target (kOk, or kWorkspaceLimit where it was moved onto the box), or leaves the old one
  /// and says why. Nothing is taken before activate() or after a fault. Real-time safe.
  Reason set_target(const Pose & target);

  /// For a wrapper that drops a target for a reason of its own.
  void refuse_target(Reason reason);

  /// Throws std::invalid_argument and keeps the old gains if a value is bad; real-time safe if not.
  /// The change takes effect smoothly, with a time constant of 0.1 s.
  void set_gains(const Gains & gains);

  /// Throws std::invalid_argument and keeps the old guards if a value is bad; real-time safe if not.
  void set_guards(const Guards & guards);

  /// One tick: joint torques in Nm, without gravity. Real-time safe: no allocation, lock, exception.
  /// Before activate() the torque is zero. A measurement that is not finite or not plausible is a
  /// fault: the torque goes to zero at its rate limit and stays there until activate().
  const JointVector & update(const JointVector & q, const JointVector & dq);

  const ControllerState & state() const { return state_; }
  const Gains & gains() const { return new_gains_; }  ///< as they were set
  const Limits & limits() const { return limits_; }
  const Guards & guards() const { return guards_; }
  const RobotModel & model() const { return model_; }
  double dt() const { return dt_; }

private:
  void fault();
  void approach_new_gains();
  void watch_target();
  void stop();
  JointVector task_torque(const JointVector & q, const JointVector & dq);
  void saturate(const JointVector & tau_d);

  RobotModel model_;
  Gains gains_;
  Gains new_gains_;
  Limits limits_;
  Guards guards_;
  double dt_;
  JointLimits joint_limits_;
  JointVector joint_margins_;

  bool active_ = false;
  bool following_ = false;   ///< a target was taken and is not stale
  double target_age_ = 0.0;  ///< s
  double gains_age_ = 0.0;   ///< s
  Reason target_reason_ = Reason::kHolding;
  Reference reference_;
  double time_left_ = 0.0;  ///< s, for the reference to reach the target
  Vector6 integral_wrench_ = Vector6::Zero();
  JointVector posture_;
  ControllerState state_;
};

}  // namespace franka_impedance_controller
