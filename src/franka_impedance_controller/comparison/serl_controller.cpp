// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include "serl_controller.hpp"

#include <Eigen/SVD>
#include <cmath>

namespace franka_impedance_controller
{
namespace
{

constexpr double kFilter = 0.005;                ///< share of the way to the target, per tick
constexpr double kMaxTorqueStep = 1.0;           ///< Nm per tick
constexpr double kMaxTranslationIntegral = 0.1;  ///< m, a sum over ticks
constexpr double kMaxRotationIntegral = 0.3;     ///< half rad, likewise
constexpr double kNullspaceStiffness = 0.2;      ///< Nm/rad
constexpr double kJoint1Factor = 100.0;
constexpr double kPseudoInverseDamping = 0.2;

/// SERL's rotation error is the vector part of a quaternion, about half the angle.
const Vector6 kSerlUnit = (Vector6() << 1, 1, 1, 0.5, 0.5, 0.5).finished();

Eigen::MatrixXd pseudo_inverse(const Eigen::MatrixXd & matrix)
{
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(matrix, Eigen::ComputeFullU | Eigen::ComputeFullV);
  const Eigen::VectorXd sigma = svd.singularValues();
  Eigen::MatrixXd inverted = Eigen::MatrixXd::Zero(matrix.cols(), matrix.rows());
  inverted.diagonal() =
    sigma.array() / (sigma.array().square() + kPseudoInverseDamping * kPseudoInverseDamping);
  return svd.matrixV() * inverted * svd.matrixU().transpose();
}

template <typename T>
void move_toward(T & value, const T & desired)
{
  value = kFilter * desired + (1.0 - kFilter) * value;
}

}  // namespace

SerlController::SerlController(const ModelDescription & description, const Gains & gains, double dt)
: model_(description),
  desired_impedance_{
    gains.stiffness.cwiseQuotient(kSerlUnit).asDiagonal(), gains.damping.asDiagonal(),
    (dt * gains.integral.cwiseQuotient(kSerlUnit)).asDiagonal(), kNullspaceStiffness,
    kJoint1Factor},
  impedance_(desired_impedance_),
  clip_lower_(-gains.clip_positive.cwiseProduct(kSerlUnit)),
  clip_upper_(gains.clip_negative.cwiseProduct(kSerlUnit)),
  posture_(JointVector::Zero(model_.joints())),
  tau_(JointVector::Zero(model_.joints()))
{
  validate(gains);
}

void SerlController::activate(const JointVector & q, const JointVector & dq)
{
  model_.update(q, dq);
  target_ = filtered_ = model_.pose();
  posture_ = q;
  error_integral_.setZero();
  tau_.setZero();
}

void SerlController::set_target(const Pose & target)
{
  target_ = target;
  error_integral_.setZero();
}

const JointVector & SerlController::update(const JointVector & q, const JointVector & dq)
{
  model_.update(q, dq);
  const Jacobian & jacobian = model_.jacobian();
  const Vector6 error = clipped_error();
  error_integral_ += error;
  error_integral_.head<3>() =
    error_integral_.head<3>().cwiseMin(kMaxTranslationIntegral).cwiseMax(-kMaxTranslationIntegral);
  error_integral_.tail<3>() =
    error_integral_.tail<3>().cwiseMin(kMaxRotationIntegral).cwiseMax(-kMaxRotationIntegral);

  const Eigen::VectorXd tau_task =
    jacobian.transpose() * (-impedance_.stiffness * error - impedance_.damping * (jacobian * dq) -
                            impedance_.integral * error_integral_);
  const Eigen::MatrixXd nullspace = Eigen::MatrixXd::Identity(q.size(), q.size()) -
                                    jacobian.transpose() * pseudo_inverse(jacobian.transpose());
  const Eigen::VectorXd tau_d = tau_task + nullspace * posture_torque(q, dq) + model_.coriolis();
  tau_ += (tau_d - tau_).cwiseMin(kMaxTorqueStep).cwiseMax(-kMaxTorqueStep);

  low_pass();
  return tau_;
}

/// measured - low-passed target, in the base frame.
Vector6 SerlController::clipped_error() const
{
  const Eigen::Matrix3d rotation = model_.pose().orientation.toRotationMatrix();
  Eigen::Quaterniond orientation = model_.pose().orientation;
  if (orientation.coeffs().dot(filtered_.orientation.coeffs()) < 0.0)
  {
    orientation.coeffs() = -orientation.coeffs();
  }
  Vector6 error;
  error.head<3>() = model_.pose().position - filtered_.position;
  error.tail<3>() = -rotation * (orientation.inverse() * filtered_.orientation).vec();
  return error.cwiseMin(clip_upper_).cwiseMax(clip_lower_);
}

Eigen::VectorXd SerlController::posture_torque(const JointVector & q, const JointVector & dq) const
{
  Eigen::VectorXd error = posture_ - q;
  Eigen::VectorXd velocity = dq;
  error[0] *= impedance_.joint1_factor;
  velocity[0] *= 2.0 * std::sqrt(impedance_.joint1_factor);
  return impedance_.nullspace_stiffness * error -
         2.0 * std::sqrt(impedance_.nullspace_stiffness) * velocity;
}

/// The gains do not change here, but SERL spends the time.
void SerlController::low_pass()
{
  move_toward(impedance_.stiffness, desired_impedance_.stiffness);
  move_toward(impedance_.damping, desired_impedance_.damping);
  move_toward(impedance_.integral, desired_impedance_.integral);
  move_toward(impedance_.nullspace_stiffness, desired_impedance_.nullspace_stiffness);
  move_toward(impedance_.joint1_factor, desired_impedance_.joint1_factor);
  move_toward(filtered_.position, target_.position);
  filtered_.orientation = filtered_.orientation.slerp(kFilter, target_.orientation);
}

}  // namespace franka_impedance_controller
