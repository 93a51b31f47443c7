"""Who asks, drives and begins: an environment whose resets somebody else plans."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from serl_actor.faults import Fault
from serl_actor.planned_reset import MOST_PLANS, PlannedReset, ResetFault
from serl_actor.reset import ResetConfig, ResetKind, ResetPlan, ResetPlanner
from serl_learner.reward import Judgement

START = (0.5, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0)
TURNS = ("forward", "backward")
REST = np.zeros(3, np.float32)
BEGIN = ResetPlan(ResetKind.SWITCH_AGENT, "forward")
CONFIRM = ResetPlan(ResetKind.CONFIRM, message="put it back")
DRIVE = ResetPlan(ResetKind.WAYPOINTS, waypoints=np.array([[0.1, *START]]))


class World(gym.Env):
    """A tool that goes wherever it is driven; remembers the arguments of its resets."""

    action_space = spaces.Box(-1.0, 1.0, (3,), np.float32)

    def __init__(self):
        self.pose = np.array([0.4, 0.1, 0.1, 1.0, 0.0, 0.0, 0.0])
        self.seeds, self.options = [], []
        self.reset_infos, self.succeeds = [], False  # what it says in the resets and steps to come

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        self.options.append(options)
        if options is not None and len(options["waypoints"]):
            self.pose = options["waypoints"][-1, 1:]
        info = self.reset_infos.pop(0) if self.reset_infos else {}
        if isinstance(info, Exception):
            raise info
        return {"pose": self.pose.astype(np.float32)}, dict(info)

    def step(self, action):
        self.pose = self.pose + np.array([*action, 0.0, 0.0, 0.0, 0.0])
        return {"pose": self.pose.astype(np.float32)}, 0.0, False, False, {"success": self.succeeds}

    @property
    def driven(self):
        """(agent, number of way-points, gripper) of each reset; None: its own."""
        return [o and (o["agent"], len(o["waypoints"]), o["gripper"]) for o in self.options]


class Script:
    """Plans by a list, the last of which stands for all that follow; remembers the requests."""

    def __init__(self, *plans):
        self.plans, self.requests = list(plans), []

    def __call__(self, request):
        self.requests.append(request)
        plan = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
        if isinstance(plan, Exception):
            raise plan
        return plan


def agents(*start):
    return ResetPlanner(ResetConfig("agents", start, agents=TURNS, gripper=1.0), seed=0).plan


def episode(environment, world, succeeds):
    """One reset and one step; the agent."""
    _, info = environment.reset()
    world.succeeds = succeeds
    environment.step(REST)
    return info["agent"]


def judge(holds):
    return lambda step: Judgement(float(holds(step)), holds(step), 1.0)


def test_only_the_first_reset_is_the_environments_own():
    world = World()
    environment = PlannedReset(world, agents(), {})
    environment.reset(seed=7)
    environment.reset()
    assert world.driven == [None, ("forward", 0, 1.0), ("forward", 0, 1.0)]
    assert world.seeds == [7, None, None]
    assert world.options[1]["waypoints"].shape == (0, 8)


def test_it_drives_then_asks_again_and_then_an_agent_begins():
    world = World()
    environment = PlannedReset(world, agents(*START), {})
    observation, info = environment.reset(seed=0)
    own, drive, begin = world.driven
    assert own is None and drive[0] == "" and drive[1] > 10 and drive[2] == 1.0
    assert begin == ("forward", 0, None)
    np.testing.assert_allclose(observation["pose"], START, atol=1e-7)
    assert info == {"agent": "forward", "rescued": False}


def test_way_points_with_an_agent_are_the_whole_reset():
    world = World()
    config = ResetConfig("scripted", START, agents=("insertion",))
    environment = PlannedReset(world, ResetPlanner(config, seed=0).plan, {})
    assert environment.reset(seed=0)[1]["agent"] == "insertion"
    (own, (agent, count, gripper)) = world.driven
    assert (own, agent, gripper) == (None, "insertion", None) and count > 10


def test_what_is_asked():
    planner = Script(BEGIN, DRIVE, BEGIN)
    world = World()
    environment = PlannedReset(world, planner, {})
    environment.reset(seed=0)
    environment.step(np.array([0.0, 0.0, 0.1], np.float32))
    environment.reset()
    asked = [
        (r.agent, r.driven, round(float(r.observation["pose"][2]), 6)) for r in planner.requests
    ]
    assert asked == [("", False, 0.1), ("forward", False, 0.2), ("forward", True, 0.3)]


def test_after_a_success_that_holds_the_arm_is_not_driven_away_again():
    planner, world = Script(BEGIN, DRIVE, BEGIN, DRIVE, BEGIN), World()
    environment = PlannedReset(world, planner, {"forward": judge(lambda step: True)})
    environment.reset(seed=0)
    seen = environment.withdraw()
    np.testing.assert_allclose(seen["pose"], START, atol=1e-7)
    assert environment.reset()[1]["agent"] == "forward"
    environment.reset()
    assert [(r.agent, r.driven) for r in planner.requests] == [
        ("", False), ("forward", False), ("forward", True), ("forward", False), ("forward", True)
    ]  # fmt: skip
    assert [count for _, count, _ in world.driven[1:]] == [0, 1, 0, 1, 0]
    assert planner.requests[1].solved == ("forward",)  # its success is looked at, not undone


def test_the_environments_own_word_is_that_of_the_newest_look():
    world = World()
    environment = PlannedReset(world, Script(BEGIN, DRIVE, BEGIN), {})
    environment.reset(seed=0)
    environment.step(REST)
    assert not environment.is_done()
    world.reset_infos = [{"solved": ("forward",)}]  # what the hand let go has fallen
    environment.withdraw()
    assert environment.is_done()


def test_after_one_that_does_not_hold_it_is_as_after_a_failure():
    planner, world = Script(BEGIN, DRIVE, DRIVE, BEGIN), World()
    environment = PlannedReset(world, planner, {"forward": judge(lambda step: False)})
    environment.reset(seed=0)
    environment.withdraw()
    environment.reset()
    assert [(r.driven, r.solved) for r in planner.requests] == [
        (False, ()), (False, ("forward",)), (False, ()), (True, ())
    ]  # fmt: skip


def test_nothing_moves_ahead_of_a_reset_that_is_no_drive():
    environment = PlannedReset(World(), Script(BEGIN, CONFIRM, BEGIN), {})
    environment.reset(seed=0)
    seen = environment.withdraw()
    assert seen["pose"][0] == np.float32(0.4) and environment.unwrapped.driven[1:] == [
        ("forward", 0, None)
    ]
    environment.reset()


def test_without_judges_an_episodes_success_decides_who_is_next():
    world = World()
    environment = PlannedReset(world, agents(*START), {})
    outcomes = [False, True, True, False, False, True]
    acted = [episode(environment, world, succeeds) for succeeds in outcomes]
    assert acted == ["forward", "forward", "backward", "forward", "forward", "forward"]
    assert episode(environment, world, False) == "backward"


def test_what_the_environment_finds_solved_at_a_reset_counts():
    world = World()
    environment = PlannedReset(world, agents(*START), {})
    # Failed, but then what it held fell to where it belongs.
    world.reset_infos = [{}, {}, {}, {"solved": ("forward",)}]
    assert [episode(environment, world, False) for _ in range(2)] == ["forward", "backward"]


def test_with_judges_what_is_seen_decides():
    # The object, here the tool, is on one side or the other; the environment's word counts nothing.
    judges = {
        "forward": judge(lambda step: step.observation["pose"][1] > 0.0),
        "backward": judge(lambda step: step.observation["pose"][1] < 0.0),
    }
    world = World()
    environment = PlannedReset(world, agents(), judges)
    world.reset_infos = [{"solved": ("backward",)}]
    assert environment.reset(seed=0)[1]["agent"] == "backward"  # it lies where forward brings it
    environment.step(np.array([0.0, -0.3, 0.0], np.float32))
    assert environment.reset()[1]["agent"] == "forward"


def test_judges_see_the_newest_observation_at_rest():
    steps = []
    environment = PlannedReset(
        World(), Script(BEGIN), {"forward": lambda s: steps.append(s) or ALL}
    )
    environment.reset(seed=0)
    (step,) = steps
    assert step.previous is step.observation and step.observation["pose"][0] == np.float32(0.4)
    assert step.action.tolist() == [0.0, 0.0, 0.0] and not step.last and step.began_ns > 0


ALL = Judgement(1.0, True, 1.0)


def test_a_judge_that_cannot_judge_is_a_fault():
    def blind(step):
        raise ValueError("wrist_1: missing")

    with pytest.raises(ResetFault, match=r"^reset: reward of forward: wrist_1: missing$"):
        PlannedReset(World(), Script(BEGIN), {"forward": blind}).reset(seed=0)

    def gone(step):
        raise Fault("reward: the node that computes it is gone")

    with pytest.raises(Fault, match=r"^reward: the node"):
        PlannedReset(World(), Script(BEGIN), {"forward": gone}).reset(seed=0)


def test_a_person_is_asked_once_and_the_drive_begins_where_the_arm_was_left():
    world, said, slept = World(), [], []
    planner = ResetPlanner(ResetConfig("person", START), seed=0)

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            world.pose = np.array([0.2, -0.3, 0.1, *START[3:]])  # the person moves the arm
            planner.confirm()

    environment = PlannedReset(world, planner.plan, {}, said.append, sleep=sleep)
    assert environment.reset(seed=0)[1]["agent"] == "agent"
    assert said == ["put it back, then press SPACE"] and slept == [0.1] * 3
    assert world.driven[:4] == [None, *[("", 0, None)] * 3]  # held still, and looked
    drive = world.options[4]["waypoints"]
    np.testing.assert_allclose(drive[0, 1:3], [0.2, -0.3], atol=1e-6)
    np.testing.assert_allclose(drive[-1, 1:], START)


def test_a_person_is_waited_for_until_the_run_stops():
    waits = iter([False, False, True])
    environment = PlannedReset(
        World(),
        ResetPlanner(ResetConfig("person"), seed=0).plan,
        {},
        stop=lambda: next(waits),
        sleep=lambda seconds: None,
    )
    with pytest.raises(ResetFault, match=r"^reset: stopped while a person had still to confirm$"):
        environment.reset(seed=0)
    assert next(waits, "all asked") == "all asked"


def test_a_rescue_is_told_with_the_episode_that_follows_and_once():
    world = World()
    environment = PlannedReset(world, agents(*START), {})
    world.reset_infos = [{}, {"rescued": True}, {"rescued": False}]
    assert environment.reset(seed=0)[1]["rescued"] is True
    assert environment.reset()[1]["rescued"] is False


def test_a_rescue_is_remembered_over_a_reset_that_fails():
    world = World()
    environment = PlannedReset(world, agents(*START), {})
    world.reset_infos = [{}, {"rescued": True}, Fault("wrist_1: black")]
    with pytest.raises(Fault, match="black"):
        environment.reset(seed=0)
    assert environment.reset(seed=0)[1]["rescued"] is True


def test_after_a_fault_the_reset_goes_on_and_does_not_begin_anew():
    world = World()
    environment = PlannedReset(world, Script(ResetFault("reset: gone"), BEGIN), {})
    with pytest.raises(ResetFault, match="gone"):
        environment.reset(seed=7)
    assert environment.reset(seed=7)[1]["agent"] == "forward"
    assert world.seeds == [7, None]


def test_the_environments_own_reset_is_tried_again():
    world = World()
    world.reset_infos = [Fault("wrist_1: black")]
    environment = PlannedReset(world, Script(BEGIN), {})
    with pytest.raises(Fault, match="black"):
        environment.reset(seed=7)
    environment.reset(seed=7)
    assert world.seeds == [7, 7, None]


def test_drives_without_an_end_are_a_fault():
    world, planner = World(), Script(DRIVE)
    with pytest.raises(ResetFault, match=r"^reset: expected an agent to begin with plan 3 at"):
        PlannedReset(world, planner, {}).reset(seed=0)
    assert world.driven == [None, *[("", 1, None)] * MOST_PLANS]
