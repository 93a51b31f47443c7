// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "franka_impedance_controller/impedance_law.hpp"
#include "franka_impedance_controller/robot_model.hpp"
#include "robots.hpp"

namespace franka_impedance_controller
{
namespace
{

std::string error_of(const ModelDescription & description)
{
  try
  {
    RobotModel model(description);
  } catch (const std::invalid_argument & error)
  {
    return error.what();
  }
  return "";
}

// Point masses of 3 kg at 1 m and 2 kg at 0.5 m further: the textbook's two-link arm.
TEST(TwoLinkArm, MatchesTheTextbook)
{
  RobotModel model(two_link());
  const double q1 = 0.4, q2 = -0.7, w1 = 0.5, w2 = 1.5;
  const JointVector q = (JointVector(2) << q1, q2).finished();
  model.update(q, (JointVector(2) << w1, w2).finished());

  const double x = std::cos(q1) + 0.5 * std::cos(q1 + q2);
  const double z = std::sin(q1) + 0.5 * std::sin(q1 + q2);
  EXPECT_TRUE(model.pose().position.isApprox(Vector3(x, 0, z), 1e-12));
  EXPECT_NEAR(model.twist()[0], -z * w1 - 0.5 * std::sin(q1 + q2) * w2, 1e-12);
  EXPECT_NEAR(model.twist()[2], x * w1 + 0.5 * std::cos(q1 + q2) * w2, 1e-12);
  EXPECT_NEAR(model.twist()[4], -(w1 + w2), 1e-12);  // turning up is about minus y

  const double h = 2.0 * 1.0 * 0.5 * std::sin(q2);  // m2 l1 l2 sin(q2)
  EXPECT_NEAR(model.coriolis()[0], -h * (2 * w1 * w2 + w2 * w2), 1e-12);
  EXPECT_NEAR(model.coriolis()[1], h * w1 * w1, 1e-12);

  const JointVector gravity = model.gravity(q);
  EXPECT_NEAR(gravity[0], 9.81 * (3 * std::cos(q1) + 2 * x), 1e-9);
  EXPECT_NEAR(gravity[1], 9.81 * 2 * 0.5 * std::cos(q1 + q2), 1e-9);
}

TEST(TwoLinkArm, HasTheLimitsOfItsUrdf)
{
  const RobotModel model(two_link());
  EXPECT_EQ(model.joints(), 2);
  EXPECT_EQ(model.lower_limits(), (JointVector(2) << -3, -2).finished());
  EXPECT_EQ(model.upper_limits(), (JointVector(2) << 3, 2).finished());
  EXPECT_EQ(model.velocity_limits(), (JointVector(2) << 2, 3).finished());
  EXPECT_EQ(model.torque_limits(), (JointVector(2) << 50, 20).finished());
}

TEST(Panda, StandsWhereItsDataSheetSays)
{
  RobotModel model(panda());
  model.update(JointVector::Zero(7), JointVector::Zero(7));
  EXPECT_TRUE(model.pose().position.isApprox(Vector3(0.088, 0, 0.926), 1e-9));
  // The flange looks down.
  EXPECT_TRUE((model.pose().orientation * Vector3::UnitZ()).isApprox(-Vector3::UnitZ(), 1e-9));
  EXPECT_EQ(model.torque_limits(), (JointVector(7) << 87, 87, 87, 87, 12, 12, 12).finished());
}

TEST(Panda, ToolOffsetMovesTheToolFrame)
{
  auto description = panda();
  description.tool_offset = {
    Vector3(0.01, 0, 0.1), Eigen::Quaterniond(Eigen::AngleAxisd(0.5, Vector3::UnitZ()))};
  RobotModel model(description);
  RobotModel flange(panda());
  model.update(panda_q(), panda_dq());
  flange.update(panda_q(), panda_dq());
  const Pose & base = flange.pose();
  EXPECT_TRUE(model.pose().position.isApprox(
    base.position + base.orientation * description.tool_offset.position, 1e-12));
  EXPECT_NEAR(
    model.pose().orientation.angularDistance(
      base.orientation * description.tool_offset.orientation),
    0.0, 1e-9);
  // A rigid body: v_tool = v_flange + w x r.
  const Vector3 arm = model.pose().position - base.position;
  EXPECT_TRUE(model.twist().head<3>().isApprox(
    flange.twist().head<3>() + flange.twist().tail<3>().cross(arm), 1e-9));
}

void expect_jacobian_matches_differences(
  const ModelDescription & description, const JointVector & q)
{
  RobotModel model(description);
  const JointVector zero = JointVector::Zero(q.size());
  model.update(q, zero);
  const Jacobian jacobian = model.jacobian();
  const double step = 1e-6;
  for (Eigen::Index joint = 0; joint < q.size(); ++joint)
  {
    const JointVector delta = step * JointVector::Unit(q.size(), joint);
    model.update(q - delta, zero);
    const Pose before = model.pose();
    model.update(q + delta, zero);
    const Vector6 column = pose_error(before, model.pose()) / (2 * step);
    EXPECT_LT((column - jacobian.col(joint)).norm(), 1e-8) << "joint " << joint;
  }
}

TEST(Panda, JacobianMatchesDifferences) { expect_jacobian_matches_differences(panda(), panda_q()); }

TEST(Ur5, JacobianMatchesDifferences)
{
  expect_jacobian_matches_differences(
    ur5(), (JointVector(6) << 0.1, -1.2, 1.4, -1.7, -1.5, 0.3).finished());
}

TEST(Panda, CoriolisIsQuadraticInVelocity)
{
  RobotModel model(panda());
  model.update(panda_q(), panda_dq());
  const JointVector once = model.coriolis();
  model.update(panda_q(), 2 * panda_dq());
  EXPECT_GT(once.norm(), 0.01);
  EXPECT_TRUE(model.coriolis().isApprox(4 * once, 1e-9));
  model.update(panda_q(), JointVector::Zero(7));
  EXPECT_LT(model.coriolis().norm(), 1e-12);
}

TEST(RobotModel, ErrorsNameWhatIsMissing)
{
  auto description = panda();
  description.urdf = "";
  EXPECT_NE(error_of(description).find("urdf: not a valid URDF"), std::string::npos);

  description = panda("panda_link99");
  EXPECT_EQ(error_of(description), "tool_frame: no frame 'panda_link99' in the URDF");

  description = panda();
  description.joint_names[3] = "elbow";
  EXPECT_EQ(error_of(description), "joint_names: no joint 'elbow' in the URDF");

  description = panda();
  std::swap(description.joint_names[0], description.joint_names[1]);
  EXPECT_NE(error_of(description).find("from base to tool"), std::string::npos);

  description = panda();
  description.joint_names.clear();
  EXPECT_EQ(error_of(description), "joint_names: expected 1 to 7 names, got 0");

  description = panda();
  description.tool_offset.orientation.coeffs().setConstant(0.3);
  EXPECT_NE(error_of(description).find("unit quaternion"), std::string::npos);

  description = panda();
  description.urdf = read_file(__FILE__);
  EXPECT_NE(error_of(description).find("not a valid URDF"), std::string::npos);
  EXPECT_EQ(error_of(description).find('\n'), std::string::npos);
}

}  // namespace
}  // namespace franka_impedance_controller
