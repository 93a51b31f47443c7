"""What the environment makes of a robot's messages, and what it tells the robot. No middleware."""

import time

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from serl_actor.reset_path import PRECISION
from serl_actor.robot_env import LATE, LEADS_S, NOTICED_S, PERIOD_S, Lead, RobotEnv
from serl_actor.robot_link import Picture, RobotFault, RobotState
from serl_msgs.msg import ControllerState

DOWN = (1.0, 0.0, 0.0, 0.0)
CENTER = (0.5, 0.0, 0.1, *DOWN)
BOX = {"box_low": (-0.05,) * 3 + (-0.3,) * 3, "box_high": (0.05,) * 3 + (0.3,) * 3}
MS = 1_000_000


class Arm:
    """A link to an arm that is at its target at once."""

    def __init__(self, cameras, crops, size, has_gripper):
        self.at = np.array(CENTER)
        self.reason = ControllerState.OK
        self.told = []  # in order: poses, openings, gains
        self.states = []
        self.taken_ns = {name: 0 for name in cameras}  # when the newest picture was
        self.closed = False

    def state(self):
        state = RobotState(time.time_ns(), self.at.copy(), np.zeros(6), np.arange(6.0), self.reason)
        self.states.append(state)
        return state

    def state_at(self, stamp_ns):
        return min(self.states, key=lambda state: abs(state.stamp_ns - stamp_ns))

    def picture(self, camera):
        stamp_ns = self.taken_ns[camera] or time.time_ns()
        return Picture(stamp_ns, stamp_ns, np.full((8, 8, 3), 9, np.uint8))

    def opening(self):
        return 0.25

    def move(self, pose):
        self.told.append(pose)
        self.at = np.array(pose)

    def grip(self, opening):
        self.told.append(opening)

    def set_gains(self, gains):
        self.told.append(gains)

    def close(self):
        self.closed = True


@pytest.fixture
def make():
    made = []

    def make(**arguments):
        given = {"center": CENTER, "action_scale": (0.01, 0.1), "image_size": 8} | BOX | arguments
        made.append(RobotEnv(link=Arm, **given))
        return made[-1], made[-1]._link

    yield make
    for env in made:
        env.close()
    assert all(env._link.closed for env in made)


def test_an_action_is_a_step_from_the_measured_pose(make):
    env, arm = make()
    env.reset()
    observation, reward, terminated, truncated, info = env.step(np.array([1, 0, -0.5, 0, 0, 1.0]))
    (target,) = arm.told
    np.testing.assert_allclose(target[:3], [0.51, 0.0, 0.095])
    turn = Rotation.from_quat(target[3:]) * Rotation.from_quat(DOWN).inv()
    np.testing.assert_allclose(turn.as_rotvec(), [0.0, 0.0, 0.1], atol=1e-12)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert "success" not in info  # it does not know
    np.testing.assert_allclose(observation["pose"], target, rtol=1e-6)
    assert observation["force"].tolist() == [0, 1, 2] and observation["torque"].tolist() == [
        3,
        4,
        5,
    ]
    assert env.observation_space.contains(observation)


def test_an_action_is_a_step_from_what_was_observed_wherever_the_arm_has_come_to(make):
    env, arm = make(cameras={"wrist": "/a"})
    for age_ms, start in ((60, 0.50), (1000, 0.53)):  # as decided; too long ago
        arm.taken_ns["wrist"] = time.time_ns() - age_ms * MS
        seen = np.array([0.50, 0, 0.1, *DOWN])
        arm.states = [RobotState(arm.taken_ns["wrist"], seen, np.zeros(6), np.zeros(6), 0)]
        arm.at = np.array([0.53, 0, 0.1, *DOWN])
        env.reset()
        env.step(np.array([1.0, 0, 0, 0, 0, 0]))
        assert arm.told[-1][0] == pytest.approx(start + 0.01)


def test_a_step_leaves_time_to_decide_on_the_next(make):
    env, _ = make()
    env.reset()
    began_s = time.monotonic()
    env.step(np.zeros(6))
    decide_s = time.monotonic()
    assert decide_s - began_s > 0.5 * PERIOD_S
    env.step(np.zeros(6))
    env.step(np.zeros(6))
    assert time.monotonic() - began_s > 2.5 * PERIOD_S  # whoever asks at once, waits


def test_it_is_observed_as_late_as_the_time_to_decide_allows():
    """Deciding takes 12 to 20 ms, uniformly; what it takes beyond the lead makes the step late."""
    rng, lead = np.random.default_rng(0), Lead()
    takes_s = rng.uniform(0.012, 0.020, 60_000)
    late = []
    for seconds in takes_s:
        late.append(seconds - lead.seconds > NOTICED_S)
        lead.learn(seconds - lead.seconds)
    settled = late[20_000:]
    assert np.mean(settled) == pytest.approx(LATE, rel=0.2)
    assert lead.seconds == pytest.approx(0.020 - NOTICED_S, abs=0.003)
    for _ in range(100):  # something else takes the processor
        lead.learn(0.01)
    assert lead.seconds == LEADS_S[1]


def test_a_first_step_tells_nothing_of_the_time_to_decide(make):
    env, _ = make()
    for _ in range(3):
        env.reset()
        env.step(np.zeros(6))
    assert env._lead.seconds == Lead().seconds


def test_all_is_seen_at_the_time_of_the_oldest_picture(make):
    env, arm = make(cameras={"wrist": "/a", "side": "/b"})
    env.reset()
    now_ns = time.time_ns()
    for age_ms in (60, 40, 20):
        pose = np.array([0.5 + age_ms / 1000, 0, 0.1, *DOWN])
        arm.states.append(RobotState(now_ns - age_ms * MS, pose, np.zeros(6), np.zeros(6), 0))
    arm.taken_ns = {"wrist": now_ns - 10 * MS, "side": now_ns - 38 * MS}
    observation, info = env.reset()
    assert observation["pose"][0] == pytest.approx(0.54)
    ages = info["image_age_s"]
    assert ages["side"] - ages["wrist"] == pytest.approx(0.028)
    assert 0.01 <= ages["wrist"] < 1.0
    assert env.observation_space.contains(observation)


def test_the_seventh_element_is_the_grippers(make):
    env, arm = make(has_gripper=True)
    env.reset()
    for asked in (0.4, 0.6, -0.4, -0.5):
        env.step(np.array([0, 0, 0, 0, 0, 0, asked]))
    assert [told for told in arm.told if np.ndim(told) == 0] == [1.0, 0.0]


def test_a_reset_with_waypoints_drives_them_with_precision_and_then_takes_the_tasks_gains(make):
    task = {"stiffness": (900.0,) * 6, "target_period": 0.1}
    env, arm = make(has_gripper=True, **task)
    env.reset()
    assert arm.told == [task]
    ways = [[0.01, 0.5, 0.0, 0.12, *DOWN], [0.02, 0.5, 0.02, 0.12, *DOWN]]
    observation, _ = env.reset(options={"waypoints": np.array(ways), "gripper": None})
    _, precise, first, second, after = arm.told
    assert precise == task | PRECISION and after == task
    assert (first.tolist(), second.tolist()) == (ways[0][1:], ways[1][1:])
    np.testing.assert_allclose(observation["pose"], ways[1][1:], rtol=1e-6)


def test_who_knows_no_gains_of_the_task_leaves_the_controllers(make):
    env, arm = make()
    env.reset()
    env.reset(options={"waypoints": np.array([[0.01, *CENTER]])})
    assert [np.shape(told) for told in arm.told] == [(7,)]  # the way-point alone


def test_after_a_drive_that_failed_nobody_acts_with_its_gains(make):
    task = {"stiffness": (900.0,) * 6}
    env, arm = make(**task)
    env.reset()
    moved = arm.move

    def fails(pose):
        arm.reason = ControllerState.HARDWARE_ERROR
        moved(pose)

    arm.move = fails
    with pytest.raises(RobotFault):
        env.reset(options={"waypoints": np.array([[0.01, *CENTER]])})
    assert arm.told[-2] == task | PRECISION  # and then the way-point
    arm.reason = ControllerState.OK  # a person has cleared it
    env.reset(options={"waypoints": np.empty((0, 8)), "gripper": None})
    assert arm.told[-1] == task


@pytest.mark.parametrize(
    ("reason", "named"),
    [
        (ControllerState.HARDWARE_ERROR, "HARDWARE_ERROR"),
        (ControllerState.SECOND_PUBLISHER, "SECOND_PUBLISHER"),
    ],
)
def test_an_arm_that_does_not_follow_is_told_nothing_more(make, reason, named):
    env, arm = make()
    env.reset()
    arm.reason = reason
    with pytest.raises(
        RobotFault, match=f"robot: expected a controller that follows, got {named}$"
    ):
        env.step(np.ones(6))
    with pytest.raises(RobotFault, match=named):
        env.reset(options={"waypoints": np.array([[0.1, *CENTER]])})
    assert arm.told == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"center": (0.5, 0.0, 0.1)}, r"center: expected 7 finite numbers, got \(0.5"),
        ({"box_low": [0.0] * 5}, "box_low: expected 6 finite numbers"),
        ({"action_scale": "fast"}, "action_scale: expected 2 finite numbers, got 'fast'"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(make, arguments, expected):
    with pytest.raises(ValueError, match=expected):
        make(**arguments)
