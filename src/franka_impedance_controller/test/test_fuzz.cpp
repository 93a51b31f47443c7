// Copyright 2026 SERL ROS 2 maintainers. SPDX-License-Identifier: Apache-2.0
// A million ticks of nonsense through the public interface: whatever comes in, what goes out stays
// finite, within the torque limits and within the torque-rate limit, and says why.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "franka_impedance_controller/impedance_controller.hpp"
#include "robots.hpp"

namespace franka_impedance_controller
{
namespace
{

constexpr int kControllers = 40;
constexpr int kTicksEach = 25000;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class Random
{
public:
  explicit Random(unsigned seed) : engine_(seed) {}

  double uniform(double low, double high) { return low + (high - low) * unit_(engine_); }
  bool chance(double probability) { return unit_(engine_) < probability; }
  int below(int count) { return static_cast<int>(uniform(0.0, count)); }
  double magnitude(double low, double high)
  {
    return std::exp(uniform(std::log(low), std::log(high)));
  }
  double sign() { return chance(0.5) ? 1.0 : -1.0; }

  JointVector joints(Eigen::Index count, double size)
  {
    return JointVector::NullaryExpr(count, [&](Eigen::Index) { return uniform(-size, size); });
  }
  Vector3 direction()
  {
    return Vector3(uniform(-1, 1), uniform(-1, 1), uniform(-1, 1) + 1e-9).normalized();
  }
  /// What a gain or a guard may be, extremes included.
  double parameter()
  {
    constexpr double kExtremes[] = {0.0, 1e-9, 1.0, 1e6};
    return chance(0.5) ? kExtremes[below(4)] : magnitude(1e-3, 1e5);
  }
  double positive_parameter() { return std::max(parameter(), 1e-9); }
  /// What no gain and no guard may be.
  double bad_parameter()
  {
    constexpr double kBad[] = {kNan, kInfinity, -kInfinity, -1.0, -1e-300};
    return kBad[below(5)];
  }
  /// What no joint's position or speed is.
  double garbage()
  {
    constexpr double kGarbage[] = {kNan, kInfinity, -kInfinity, 1.7e308};
    return chance(0.5) ? kGarbage[below(4)] : sign() * magnitude(1e4, 1e300);
  }

private:
  std::mt19937_64 engine_;
  std::uniform_real_distribution<double> unit_;
};

Gains random_gains(Random & random)
{
  Gains gains;
  if (random.chance(0.3))
  {
    return gains;
  }
  for (Vector6 * values :
       {&gains.stiffness, &gains.damping, &gains.integral, &gains.clip_positive,
        &gains.clip_negative})
  {
    *values = Vector6::NullaryExpr([&] { return random.parameter(); });
  }
  gains.target_period = random.parameter();
  gains.max_linear_velocity = random.positive_parameter();
  gains.max_angular_velocity = random.positive_parameter();
  gains.nullspace_stiffness = random.parameter();
  gains.nullspace_damping = random.parameter();
  return gains;
}

Gains bad_gains(Random & random)
{
  Gains gains = random_gains(random);
  double * entries[] = {
    &gains.stiffness[random.below(6)],
    &gains.damping[random.below(6)],
    &gains.integral[random.below(6)],
    &gains.clip_positive[random.below(6)],
    &gains.clip_negative[random.below(6)],
    &gains.target_period,
    &gains.nullspace_stiffness,
    &gains.nullspace_damping,
    &gains.max_linear_velocity,
    &gains.max_angular_velocity};
  if (random.chance(0.2))
  {
    *entries[random.below(8)] = 1.001e6;  // a speed has no upper bound
  }
  else
  {
    *entries[random.below(10)] = random.bad_parameter();
  }
  return gains;
}

Guards random_guards(Random & random)
{
  Guards guards;
  guards.max_target_distance = random.positive_parameter();
  guards.max_target_angle = random.positive_parameter();
  guards.target_timeout = random.magnitude(1e-3, 1.0);
  guards.joint_limit_margin = random.magnitude(1e-6, 1.0);
  if (random.chance(0.5))
  {
    const Vector3 center = random.magnitude(1e-2, 1e3) * random.direction();
    const int axis = random.below(3);
    guards.workspace_lower[axis] = center[axis] - random.parameter();
    guards.workspace_upper = center + random.parameter() * Vector3::Ones();
  }
  return guards;
}

Guards bad_guards(Random & random)
{
  Guards guards = random_guards(random);
  const double value = random.bad_parameter();
  const int axis = random.below(3);
  switch (random.below(7))
  {
    case 0:
      guards.max_target_distance = value;
      break;
    case 1:
      guards.max_target_angle = value;
      break;
    case 2:
      guards.target_timeout = value;
      break;
    case 3:
      guards.joint_limit_margin = value;
      break;
    case 4:
      guards.workspace_lower[axis] = random.chance(0.5) ? kNan : kInfinity;
      break;
    case 5:
      guards.workspace_upper[axis] = random.chance(0.5) ? kNan : -kInfinity;
      break;
    default:
      guards.workspace_lower[axis] = 1.0;
      guards.workspace_upper[axis] = 0.999;
      break;
  }
  return guards;
}

bool equal(const Gains & a, const Gains & b)
{
  return a.stiffness == b.stiffness && a.damping == b.damping && a.integral == b.integral &&
         a.clip_positive == b.clip_positive && a.clip_negative == b.clip_negative &&
         a.target_period == b.target_period && a.max_linear_velocity == b.max_linear_velocity &&
         a.max_angular_velocity == b.max_angular_velocity &&
         a.nullspace_stiffness == b.nullspace_stiffness &&
         a.nullspace_damping == b.nullspace_damping;
}

bool equal(const Guards & a, const Guards & b)
{
  return a.max_target_distance == b.max_target_distance &&
         a.max_target_angle == b.max_target_angle && a.target_timeout == b.target_timeout &&
         a.workspace_lower == b.workspace_lower && a.workspace_upper == b.workspace_upper &&
         a.joint_limit_margin == b.joint_limit_margin;
}

bool is_finite(const Pose & pose)
{
  return pose.position.allFinite() && std::abs(pose.orientation.norm() - 1.0) < 1e-6;
}

/// One controller, one stream of random events, and what the reason has to be after them.
class Fuzz
{
public:
  Fuzz(const ModelDescription & description, unsigned seed)
  : random_(seed), controller_(make_controller(description, random_))
  {
    q_ = random_configuration();
    dq_.setZero(q_.size());
    tau_.setZero(q_.size());
  }

  void run(int ticks)
  {
    for (int tick = 0; tick < ticks; ++tick)
    {
      if (random_.chance(0.005))
      {
        activate();
      }
      if (random_.chance(0.01))
      {
        change_parameters();
      }
      if (random_.chance(0.001))
      {
        pause_ = 500;  // more than most timeouts
      }
      if (pause_ > 0)
      {
        --pause_;
      }
      else if (random_.chance(0.1))
      {
        send_target();
      }
      update();
      ASSERT_EQ(violation(), "") << "tick " << tick << ", reason "
                                 << static_cast<int>(controller_.state().reason);
      ASSERT_FALSE(::testing::Test::HasFailure()) << "tick " << tick;
      tau_ = controller_.state().tau;
      ++ticks_of[static_cast<std::size_t>(controller_.state().reason)];
    }
  }

  std::array<int, 12> ticks_of{};  ///< by reason

private:
  static ImpedanceController make_controller(const ModelDescription & description, Random & random)
  {
    Limits limits;
    limits.torque_rate = random.magnitude(1.0, 1e6);
    if (random.chance(0.5))
    {
      const auto joints = static_cast<Eigen::Index>(description.joint_names.size());
      limits.torque = JointVector::NullaryExpr(
        joints, [&](Eigen::Index) { return random.magnitude(0.1, 100.0); });
    }
    const double dt = random.magnitude(1e-4, 1e-2);
    return {description, random_gains(random), dt, limits, random_guards(random)};
  }

  /// Mostly between the joint limits.
  JointVector random_configuration()
  {
    const JointVector & lower = controller_.model().lower_limits();
    const JointVector & upper = controller_.model().upper_limits();
    const double beyond = random_.chance(0.1) ? random_.magnitude(1e-3, 900.0) : 0.0;
    return JointVector::NullaryExpr(lower.size(), [&](Eigen::Index joint) {
      return random_.uniform(lower[joint] - beyond, upper[joint] + beyond);
    });
  }

  void move()
  {
    if (random_.chance(jumps_) || q_.cwiseAbs().maxCoeff() > 900.0)
    {
      q_ = random_configuration();  // the arm is elsewhere from one tick to the next
    }
    dq_ = 0.9 * dq_ + 0.1 * random_.joints(q_.size(), speed_);
    q_ += controller_.dt() * dq_;
  }

  void activate()
  {
    jumps_ = random_.chance(0.5) ? 0.0 : random_.magnitude(1e-3, 1.0);
    speed_ = random_.magnitude(1e-4, 900.0);
    dq_ = random_.joints(q_.size(), speed_);
    q_ = random_configuration();
    const bool plausible = !random_.chance(0.05);
    JointVector q = q_;
    if (!plausible)
    {
      q[random_.below(static_cast<int>(q.size()))] = random_.garbage();
    }
    controller_.activate(q, dq_);
    active_ = plausible;
    following_ = false;
    cause_ = plausible ? Reason::kHolding : Reason::kHardwareError;
    tau_.setZero();
  }

  void change_parameters()
  {
    const Gains gains = controller_.gains();
    const Guards guards = controller_.guards();
    EXPECT_THROW(controller_.set_gains(bad_gains(random_)), std::invalid_argument);
    EXPECT_THROW(controller_.set_guards(bad_guards(random_)), std::invalid_argument);
    EXPECT_TRUE(equal(controller_.gains(), gains));
    EXPECT_TRUE(equal(controller_.guards(), guards));
    if (random_.chance(0.5))
    {
      controller_.set_gains(random_gains(random_));
    }
    if (random_.chance(0.5))
    {
      controller_.set_guards(random_guards(random_));
    }
  }

  void send_target()
  {
    if (random_.chance(0.1))
    {
      controller_.refuse_target(Reason::kSecondPublisher);
      cause_ = active_ ? Reason::kSecondPublisher : cause_;
      return;
    }
    const auto [target, fate] = random_target();
    const Pose before = controller_.state().target;
    EXPECT_EQ(controller_.set_target(target), active_ ? fate : cause_);
    if (active_)
    {
      cause_ = fate;
    }
    if (active_ && (fate == Reason::kOk || fate == Reason::kWorkspaceLimit))
    {
      following_ = true;
      age_ = 0.0;
    }
    else
    {
      EXPECT_EQ(controller_.state().target.position, before.position);
      EXPECT_EQ(controller_.state().target.orientation.coeffs(), before.orientation.coeffs());
    }
  }

  /// A target, and what is to become of it.
  std::pair<Pose, Reason> random_target()
  {
    const Guards & guards = controller_.guards();
    Pose target = near_target();
    switch (random_.below(10))
    {
      case 0:
        corrupt(target, random_.chance(0.5) ? kNan : random_.sign() * kInfinity);
        return {target, Reason::kTargetNotFinite};
      case 1:
        target.orientation.coeffs() *= random_.chance(0.5) ? random_.uniform(0.0, 0.99) : 1e200;
        return {target, Reason::kTargetNotUnit};
      case 2:
        target.position +=
          std::max(2.1 * guards.max_target_distance, random_.magnitude(1e-3, 1e300)) *
          random_.direction();
        return {target, Reason::kTargetJump};
      case 3:
        if (guards.max_target_angle < 3.0)
        {
          const double angle = random_.uniform(1.01 * guards.max_target_angle, 3.1);
          target.orientation =
            exp_map(angle * random_.direction()) * controller_.state().pose.orientation;
          return {target, Reason::kTargetJump};
        }
        break;
      default:
        break;
    }
    return {target, on_the_workspace_box(target)};
  }

  /// Near enough to be taken, as the one or the other quaternion, as good as unit length.
  Pose near_target()
  {
    const Guards & guards = controller_.guards();
    Vector6 step;
    step.head<3>() =
      random_.uniform(0.0, 0.99) * std::min(guards.max_target_distance, 1e3) * random_.direction();
    step.tail<3>() =
      random_.uniform(0.0, 0.99) * std::min(guards.max_target_angle, 3.1) * random_.direction();
    Pose target = displace(controller_.state().pose, step);
    target.orientation.coeffs() *= random_.sign() * random_.uniform(0.9995, 1.0005);
    return target;
  }

  void corrupt(Pose & target, double value)
  {
    const int entry = random_.below(7);
    (entry < 3 ? target.position[entry] : target.orientation.coeffs()[entry - 3]) = value;
  }

  /// What is to become of a good target.
  Reason on_the_workspace_box(const Pose & target) const
  {
    const Guards & guards = controller_.guards();
    const Vector3 inside =
      target.position.cwiseMax(guards.workspace_lower).cwiseMin(guards.workspace_upper);
    const double distance = (inside - controller_.state().pose.position).norm();
    if (distance > guards.max_target_distance)
    {
      return Reason::kTargetJump;
    }
    return inside == target.position ? Reason::kOk : Reason::kWorkspaceLimit;
  }

  void update()
  {
    move();
    JointVector q = q_;
    JointVector dq = dq_;
    if (random_.chance(0.001))
    {
      (random_.chance(0.5) ? q : dq)[random_.below(static_cast<int>(q.size()))] = random_.garbage();
      active_ = false;
      cause_ = Reason::kHardwareError;
    }
    controller_.update(q, dq);
    if (!active_)
    {
      return;
    }
    age_ += controller_.dt();
    if (following_ && age_ > controller_.guards().target_timeout)
    {
      following_ = false;
      cause_ = Reason::kTargetStale;
    }
  }

  /// Empty, or the property that does not hold.
  std::string violation() const
  {
    const ControllerState & state = controller_.state();
    const Limits & limits = controller_.limits();
    const double step = limits.torque_rate * controller_.dt();
    if (!state.tau.allFinite())
    {
      return "torque is not finite";
    }
    if ((state.tau.cwiseAbs().array() > limits.torque.array()).any())
    {
      return "torque exceeds its limit";
    }
    if (((state.tau - tau_).cwiseAbs().array() > step + 1e-9).any())
    {
      return "torque changes too fast";
    }
    if (
      !is_finite(state.pose) || !is_finite(state.target) || !is_finite(state.filtered) ||
      !is_finite(state.clipped) || !state.twist.allFinite() || !state.wrench.allFinite())
    {
      return "state is not finite";
    }
    return reason_is_right(state) ? "" : "reason is wrong";
  }

  bool reason_is_right(const ControllerState & state) const
  {
    const Limits & limits = controller_.limits();
    const bool as_asked =
      cause_ == Reason::kOk || cause_ == Reason::kHolding || cause_ == Reason::kWorkspaceLimit;
    if (active_ && as_asked && near_joint_limit())
    {
      return state.reason == Reason::kJointLimit;
    }
    if (cause_ != Reason::kOk)
    {
      return state.reason == cause_;
    }
    const double step = limits.torque_rate * controller_.dt();
    switch (state.reason)
    {
      case Reason::kTorqueLimit:
        return (state.tau.cwiseAbs().array() == limits.torque.array()).any();
      case Reason::kTorqueRateLimit:
        return ((state.tau - tau_).cwiseAbs().array() > step - 1e-9).any();
      default:
        return state.reason == Reason::kOk;
    }
  }

  bool near_joint_limit() const
  {
    const double margin = controller_.guards().joint_limit_margin;
    return (q_.array() < controller_.model().lower_limits().array() + margin).any() ||
           (q_.array() > controller_.model().upper_limits().array() - margin).any();
  }

  Random random_;
  ImpedanceController controller_;
  double jumps_ = 0.0;  ///< probability, per tick
  double speed_ = 0.0;  ///< rad/s
  JointVector q_;
  JointVector dq_;
  JointVector tau_;  ///< of the tick before
  int pause_ = 0;    ///< ticks without targets that are left

  bool active_ = false;
  bool following_ = false;
  double age_ = 0.0;
  Reason cause_ = Reason::kHolding;
};

TEST(Fuzz, NothingGetsPastTheLimits)
{
  const ModelDescription robots[] = {panda(), ur5(), two_link()};
  std::array<int, 12> ticks_of{};
  for (unsigned seed = 0; seed < kControllers; ++seed)
  {
    Fuzz fuzz(robots[seed % 3], seed);
    fuzz.run(kTicksEach);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    std::transform(
      ticks_of.begin(), ticks_of.end(), fuzz.ticks_of.begin(), ticks_of.begin(), std::plus<>());
  }
  for (std::size_t reason = 0; reason < ticks_of.size(); ++reason)
  {
    EXPECT_GT(ticks_of[reason], 1000) << "ticks with reason " << reason;
  }
}

}  // namespace
}  // namespace franka_impedance_controller
