// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "franka_impedance_controller/gains.hpp"
#include "franka_impedance_controller/impedance_law.hpp"
#include "franka_impedance_controller/robot_model.hpp"

namespace franka_impedance_controller
{

/// Why the controller does not simply follow its target; values of serl_msgs/msg/ControllerState.
enum class Reason : std::uint8_t
{
  kOk = 0,
  kHolding = 1,
  kTargetNotFinite = 2,
  kTargetNotUnit = 3,
  kJointLimit = 8,
  kTorqueLimit = 9,
  kTorqueRateLimit = 10,
  kHardwareError = 11,
};

/// One tick, in the base frame.
struct ControllerState
{
  Reason reason = Reason::kHolding;
  Pose pose;      ///< measured
  Pose target;    ///< commanded
  Pose filtered;  ///< low-passed target
  Pose clipped;   ///< what the spring pulls to
  Vector6 twist = Vector6::Zero();
  Vector6 wrench = Vector6::Zero();  ///< that the law commands at the tool's origin
  Mask6 clipped_axes = Mask6::Constant(false);
  JointVector tau;  ///< Nm, without gravity
};

/// The law, its model and its state. One thread calls it; a ROS wrapper hands targets over by a
/// real-time box of its own.
class ImpedanceController
{
public:
  /// No torque limits given: those of the URDF. Throws std::invalid_argument.
  ImpedanceController(
    const ModelDescription & description, const Gains & gains, double dt,
    const Limits & limits = {});

  /// Holds the measured pose and posture, with filters cleared and torque zero before the first tick.
  void activate(const JointVector & q, const JointVector & dq);

  /// Takes a target, or leaves the old one and says why. Real-time safe.
  Reason set_target(const Pose & target);

  /// Throws std::invalid_argument and keeps the old gains if a value is bad; real-time safe if not.
  /// The torque-rate limit smooths the change.
  void set_gains(const Gains & gains);

  /// One tick: joint torques in Nm, without gravity. Real-time safe: no allocation, lock, exception.
  /// Before activate(), and for a state that is not finite, the torque goes to zero at its rate limit.
  const JointVector & update(const JointVector & q, const JointVector & dq);

  const ControllerState & state() const { return state_; }
  const Gains & gains() const { return gains_; }
  const Limits & limits() const { return limits_; }
  const RobotModel & model() const { return model_; }
  double dt() const { return dt_; }

private:
  JointVector task_torque(const JointVector & q, const JointVector & dq);
  void saturate(const JointVector & tau_d);

  RobotModel model_;
  Gains gains_;
  Limits limits_;
  double dt_;

  bool active_ = false;
  Reason target_reason_ = Reason::kHolding;
  Reference reference_;
  Vector6 error_integral_ = Vector6::Zero();
  JointVector posture_;
  ControllerState state_;
};

}  // namespace franka_impedance_controller
