// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// Times one tick of the controller, counts its heap allocations, and prints one JSON object:
//   benchmark_controller URDF TOOL_FRAME JOINT...
#include <Eigen/Dense>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "franka_impedance_controller/impedance_controller.hpp"
#include "heap_counter.hpp"

using namespace franka_impedance_controller;  // NOLINT(build/namespaces)

namespace
{

constexpr int kTicks = 100000;
constexpr int kWarmUp = 1000;
constexpr double kDt = 0.001;

/// The law as Cartesian impedance controllers usually write it: dynamic matrices and a damped
/// pseudo-inverse by SVD in every tick. The model is the same, so the ratio is about the law alone.
class UsualController
{
public:
  explicit UsualController(const ModelDescription & description) : model_(description) {}

  Eigen::VectorXd update(const JointVector & q, const JointVector & dq, const Pose & target)
  {
    model_.update(q, dq);
    const Eigen::MatrixXd jacobian = model_.jacobian();
    const Eigen::VectorXd error = pose_error(model_.pose(), target);
    const Eigen::VectorXd clipped = clip_error(error, gains_);
    const Eigen::VectorXd wrench =
      gains_.stiffness.asDiagonal() * clipped - gains_.damping.asDiagonal() * (jacobian * dq);
    const Eigen::MatrixXd identity = Eigen::MatrixXd::Identity(q.size(), q.size());
    const Eigen::MatrixXd nullspace =
      identity - jacobian.transpose() * pseudo_inverse(jacobian.transpose());
    const Eigen::VectorXd posture = -gains_.nullspace_damping * dq;
    return jacobian.transpose() * wrench + nullspace * posture + model_.coriolis();
  }

private:
  static Eigen::MatrixXd pseudo_inverse(const Eigen::MatrixXd & matrix)
  {
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
    const Eigen::VectorXd inverted =
      svd.singularValues().array() / (svd.singularValues().array().square() + 0.04);
    return svd.matrixV() * inverted.asDiagonal() * svd.matrixU().transpose();
  }

  RobotModel model_;
  Gains gains_;
};

struct Timing
{
  double median_us;
  double p999_us;
};

template <typename Tick>
Timing time_ticks(Tick tick)
{
  using Clock = std::chrono::steady_clock;
  std::vector<double> microseconds;
  microseconds.reserve(kTicks);
  for (int index = -kWarmUp; index < kTicks; ++index)
  {
    const auto begin = Clock::now();
    tick(index);
    const std::chrono::duration<double, std::micro> elapsed = Clock::now() - begin;
    if (index >= 0)
    {
      microseconds.push_back(elapsed.count());
    }
  }
  std::sort(microseconds.begin(), microseconds.end());
  return {microseconds[kTicks / 2], microseconds[kTicks - 1 - kTicks / 1000]};
}

void benchmark(const ModelDescription & description)
{
  ImpedanceController controller(description, Gains{}, kDt);
  UsualController usual(description);
  const Eigen::Index joints = controller.model().joints();
  const JointVector middle =
    0.5 * (controller.model().lower_limits() + controller.model().upper_limits());
  const JointVector q = middle + 0.1 * JointVector::LinSpaced(joints, 1.0, 2.0);
  const JointVector dq = JointVector::LinSpaced(joints, -0.2, 0.2);
  controller.activate(q, dq);
  const Pose start = controller.state().pose;
  const auto target = [&](int tick) {
    Pose moved = start;
    moved.position.x() += 0.02 * std::sin(1e-3 * tick);
    return moved;
  };

  volatile double sink = 0.0;  // keeps the compiler from dropping the work
  const Timing ours = time_ticks([&](int tick) {
    controller.set_target(target(tick));
    sink = controller.update(q, dq)[0];
  });
  const Timing theirs = time_ticks([&](int tick) { sink = usual.update(q, dq, target(tick))[0]; });

  heap_counter::start();
  for (int tick = 0; tick < kTicks; ++tick)
  {
    controller.update(q, dq);
  }
  const unsigned long allocations = heap_counter::stop();

  std::printf(
    "{\"ticks\": %d, \"median_us\": %.3f, \"p999_us\": %.3f, \"allocations\": %lu, "
    "\"usual_median_us\": %.3f, \"usual_p999_us\": %.3f, \"ratio_to_usual\": %.3f}\n",
    kTicks, ours.median_us, ours.p999_us, allocations, theirs.median_us, theirs.p999_us,
    theirs.median_us / ours.median_us);
}

}  // namespace

int main(int argc, char ** argv)
{
  if (argc < 4)
  {
    std::fprintf(stderr, "usage: benchmark_controller URDF TOOL_FRAME JOINT...\n");
    return 2;
  }
  try
  {
    benchmark({argv[1], {argv + 3, argv + argc}, argv[2]});
  } catch (const std::exception & error)
  {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
