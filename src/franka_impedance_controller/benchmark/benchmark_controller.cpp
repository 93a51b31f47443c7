// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// Times each tick of our controller and of SERL's along one motion, model included, counts what a
// real-time thread must not do, and prints one JSON object:
//   benchmark_controller URDF TOOL_FRAME TICKS JOINT...
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "franka_impedance_controller/impedance_controller.hpp"
#include "realtime_trap.hpp"
#include "serl_controller.hpp"

using namespace franka_impedance_controller;  // NOLINT(build/namespaces)

namespace
{

constexpr double kDt = 0.001;
constexpr int kActionPeriod = 100;  ///< ticks: targets at 10 Hz
constexpr int kBlock = 1000;        ///< ticks of one law before it is the other's turn
constexpr int kWarmUp = 10000;      ///< ticks that are not counted

constexpr double kFirstEdge = 0.1;  ///< us
constexpr int kBinsPerDecade = 25;
constexpr int kBins = 6 * kBinsPerDecade;

/// All joints swing about the middle of their ranges, each at a frequency of its own.
class Trajectory
{
public:
  explicit Trajectory(const ModelDescription & description)
  : model_(description),
    middle_(0.5 * (model_.lower_limits() + model_.upper_limits())),
    frequency_(JointVector::LinSpaced(model_.joints(), 0.7, 2.0))
  {
  }

  JointVector q(int tick) const
  {
    return middle_.array() + kAmplitude * (kDt * tick * frequency_).array().sin();
  }
  JointVector dq(int tick) const
  {
    return kAmplitude * frequency_.array() * (kDt * tick * frequency_).array().cos();
  }
  Pose pose(int tick)
  {
    model_.update(q(tick), dq(tick));
    return model_.pose();
  }

private:
  static constexpr double kAmplitude = 0.3;  ///< rad

  RobotModel model_;
  JointVector middle_;
  JointVector frequency_;  ///< rad/s
};

/// A law on that motion: the time of each tick (us), and its forbidden calls.
template <typename Law>
class Course
{
public:
  Course(Law law, Trajectory & trajectory, int ticks)
  : law_(std::move(law)), trajectory_(trajectory)
  {
    microseconds.reserve(static_cast<std::size_t>(std::max(ticks, kWarmUp)));
    law_.activate(trajectory_.q(0), trajectory_.dq(0));
  }

  void run(int first, int last)
  {
    realtime_trap::arm();
    for (int tick = first; tick < last; ++tick)
    {
      microseconds.push_back(time(tick));
    }
    const realtime_trap::Calls block = realtime_trap::disarm();
    calls.allocations += block.allocations;
    calls.frees += block.frees;
    calls.locks += block.locks;
  }

  void forget()
  {
    microseconds.clear();
    calls = {};
  }

  std::vector<double> microseconds;
  realtime_trap::Calls calls;

private:
  /// What a control loop does with the law in a tick.
  double time(int tick)
  {
    const bool has_target = tick % kActionPeriod == 0;
    const Pose target = has_target ? trajectory_.pose(tick + kActionPeriod) : Pose{};
    const JointVector q = trajectory_.q(tick);
    const JointVector dq = trajectory_.dq(tick);
    const auto begin = std::chrono::steady_clock::now();
    if (has_target)
    {
      law_.set_target(target);
    }
    law_.update(q, dq);
    const std::chrono::duration<double, std::micro> elapsed =
      std::chrono::steady_clock::now() - begin;
    return elapsed.count();
  }

  Law law_;
  Trajectory & trajectory_;
};

double percentile(const std::vector<double> & sorted, double share)
{
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

/// Counts in bins of equal ratio; what is outside falls into the first or the last.
std::vector<int> histogram(const std::vector<double> & microseconds)
{
  std::vector<int> counts(kBins);
  for (const double value : microseconds)
  {
    const int bin = static_cast<int>(kBinsPerDecade * std::log10(value / kFirstEdge));
    ++counts[static_cast<std::size_t>(std::clamp(bin, 0, kBins - 1))];
  }
  return counts;
}

void print_histogram(const char * name, const std::vector<double> & microseconds)
{
  std::printf(", \"%s\": [", name);
  const char * separator = "";
  for (const int count : histogram(microseconds))
  {
    std::printf("%s%d", separator, count);
    separator = ", ";
  }
  std::printf("]");
}

void print(Course<ImpedanceController> & ours, Course<SerlController> & usual)
{
  auto & us = ours.microseconds;
  auto & usual_us = usual.microseconds;
  std::sort(us.begin(), us.end());
  std::sort(usual_us.begin(), usual_us.end());
  const double median = percentile(us, 0.5);
  const double usual_median = percentile(usual_us, 0.5);
  std::printf("{\"ticks\": %zu", us.size());
  std::printf(", \"median_us\": %.3f, \"p99_us\": %.3f", median, percentile(us, 0.99));
  std::printf(", \"p999_us\": %.3f, \"max_us\": %.3f", percentile(us, 0.999), us.back());
  std::printf(", \"allocations\": %lu, \"frees\": %lu", ours.calls.allocations, ours.calls.frees);
  std::printf(", \"mutex_locks\": %lu", ours.calls.locks);
  std::printf(", \"usual_median_us\": %.3f", usual_median);
  std::printf(", \"usual_p999_us\": %.3f", percentile(usual_us, 0.999));
  std::printf(", \"usual_allocations\": %lu", usual.calls.allocations);
  std::printf(", \"ratio_to_usual\": %.3f", usual_median / median);
  std::printf(", \"histogram\": {\"first_edge_us\": %g", kFirstEdge);
  std::printf(", \"bins_per_decade\": %d", kBinsPerDecade);
  print_histogram("ours", us);
  print_histogram("usual", usual_us);
  std::printf("}}\n");
}

void benchmark(const ModelDescription & description, int ticks)
{
  Trajectory trajectory(description);
  Course<ImpedanceController> ours({description, Gains{}, kDt}, trajectory, ticks);
  Course<SerlController> usual({description, Gains{}, kDt}, trajectory, ticks);
  ours.run(-kWarmUp, 0);
  usual.run(-kWarmUp, 0);
  ours.forget();
  usual.forget();

  // In turn, so that what else the machine does meets both alike.
  for (int first = 0; first < ticks; first += kBlock)
  {
    const int last = std::min(first + kBlock, ticks);
    ours.run(first, last);
    usual.run(first, last);
  }
  print(ours, usual);
}

int parse_ticks(const char * text)
{
  const int ticks = std::atoi(text);
  if (ticks < 1)
  {
    throw std::invalid_argument(std::string("TICKS: expected a number > 0, got ") + text);
  }
  return ticks;
}

std::string read_file(const char * path)
{
  std::ifstream file(path);
  if (!file)
  {
    throw std::invalid_argument(std::string("URDF: no such file: ") + path);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char ** argv)
{
  if (argc < 5)
  {
    std::fprintf(stderr, "usage: benchmark_controller URDF TOOL_FRAME TICKS JOINT...\n");
    return 2;
  }
  try
  {
    benchmark({read_file(argv[1]), {argv + 4, argv + argc}, argv[2]}, parse_ticks(argv[3]));
  } catch (const std::exception & error)
  {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
