"""What the reset agent plans: where to, who next, and when a person has confirmed."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from serl_actor.reset import ResetConfig, ResetKind, ResetPlanner, ResetRequest
from serl_learner.config import ConfigError, from_dict
from serl_msgs.srv import PlanReset

DOWN = (1.0, 0.0, 0.0, 0.0)  # the tool points down
START = (0.5, 0.0, 0.3, *DOWN)
HERE = {"pose": np.array([0.45, 0.1, 0.1, *DOWN], np.float32)}
TURNS = ("forward", "backward")


def ask(agent="", driven=False, solved=(), observation=HERE):
    return ResetRequest(agent, driven, observation, solved)


def test_kinds_are_those_of_the_message():
    numbers = {kind.name: int(kind) for kind in ResetKind}
    assert numbers == {name: getattr(PlanReset.Response, name) for name in numbers}


# -- scripted


def test_scripted_drives_to_the_start_and_the_same_agent_begins():
    planner = ResetPlanner(ResetConfig("scripted", START, gripper=0.75), seed=0)
    plan = planner.plan(ask("insertion"))
    assert (plan.kind, plan.agent, plan.gripper) == (ResetKind.WAYPOINTS, "insertion", 0.75)
    np.testing.assert_allclose(plan.waypoints[0, 1:4], HERE["pose"][:3], atol=0.025)
    np.testing.assert_allclose(plan.waypoints[-1, 1:], START, atol=1e-12)
    assert plan.waypoints[:, 3].max() == pytest.approx(0.3)
    assert planner.plan(ask()).agent == "agent"
    first = ResetPlanner(ResetConfig("scripted", START, agents=("only",)), seed=0).plan(ask())
    assert first.agent == "only" and first.gripper is None


def test_starts_are_uniform_about_the_start_pose():
    config = ResetConfig("scripted", START, random_xy=0.02, random_rz=0.4)
    planner = ResetPlanner(config, seed=3)
    goals = np.array([planner.plan(ask()).waypoints[-1, 1:] for _ in range(300)])
    offsets = goals[:, :3] - START[:3]
    # About the base's z, composed on the left: the tool keeps pointing down.
    turns = (Rotation.from_quat(goals[:, 3:]) * Rotation.from_quat(DOWN).inv()).as_rotvec()
    np.testing.assert_allclose(offsets[:, 2], 0.0)
    np.testing.assert_allclose(turns[:, :2], 0.0, atol=1e-12)
    for values, bound in ((offsets[:, 0], 0.02), (offsets[:, 1], 0.02), (turns[:, 2], 0.4)):
        assert np.abs(values).max() <= bound
        quarters, _ = np.histogram(values, 4, (-bound, bound))
        assert quarters.min() > 50  # of 75 expected in each
    assert np.abs(np.corrcoef([*offsets[:, :2].T, turns[:, 2]])[np.triu_indices(3, 1)]).max() < 0.2


def test_the_seed_decides():
    config = ResetConfig("scripted", START, random_xy=0.02, random_rz=0.4)
    goals = [ResetPlanner(config, seed).plan(ask()).waypoints[-1].tolist() for seed in (1, 1, 2)]
    assert goals[0] == goals[1] != goals[2]


def test_lift_and_speeds_are_those_of_the_configuration():
    slow = ResetConfig("scripted", START, lift=0.3, linear_speed=0.1, angular_speed=0.5)
    waypoints = ResetPlanner(slow, seed=0).plan(ask()).waypoints
    assert waypoints[:, 3].max() == pytest.approx(0.4, abs=1e-6)  # 0.1 m, and the lift
    steps = np.linalg.norm(np.diff(waypoints[:, 1:4], axis=0), axis=1)
    assert 0.0095 < steps.max() <= 0.01


@pytest.mark.parametrize(
    "pose",
    [None, np.zeros(7), np.array([0.4, 0.1, 0.1, *DOWN[:2]]), np.full(7, np.nan)],
    ids=["missing", "no rotation", "six", "nan"],
)
def test_without_a_measured_pose_there_is_no_plan(pose):
    observation = {} if pose is None else {"pose": pose}
    planner = ResetPlanner(ResetConfig("scripted", START), seed=0)
    with pytest.raises(ValueError, match=r"^observation.pose: expected x, y, z \(m\) and a unit"):
        planner.plan(ask(observation=observation))


# -- agents


@pytest.mark.parametrize(
    ("last", "solved", "expected"),
    [
        ("", [], "forward"),  # nobody has acted: the first
        ("", ["backward"], "forward"),
        ("", ["forward"], "backward"),
        ("", ["forward", "backward"], "forward"),
        ("forward", ["forward"], "backward"),  # solved: the other one undoes it
        ("forward", ["backward"], "forward"),  # failed, and nothing has changed
        ("forward", [], "forward"),  # it is between the two: tries again
        ("forward", ["forward", "backward"], "backward"),
        ("backward", ["backward"], "forward"),
        ("backward", ["forward"], "backward"),
        ("backward", [], "backward"),
        ("backward", ["forward", "backward"], "forward"),
    ],
)
@pytest.mark.parametrize("driven", [False, True])
def test_who_is_next(last, solved, expected, driven):
    start = START if driven else ()
    planner = ResetPlanner(ResetConfig("agents", start, agents=TURNS, gripper=1.0), seed=0)
    plan = planner.plan(ask(last, driven, tuple(solved)))
    assert (plan.kind, plan.agent) == (ResetKind.SWITCH_AGENT, expected)
    assert plan.waypoints.shape == (0, 8)
    assert plan.gripper == (None if driven else 1.0)  # it was opened before the drive
    assert plan.message.startswith(f"{expected} begins")


def test_three_agents_take_turns():
    planner = ResetPlanner(ResetConfig("agents", agents=("a", "b", "c")), seed=0)

    def after(last, *solved):
        return planner.plan(ask(last, solved=solved)).agent

    assert [after("a", "a"), after("b", "b"), after("c", "c")] == ["b", "c", "a"]
    assert after("a", "b") == "c"  # the next whose task is not solved
    assert after("a", "b", "c") == "a"


def test_agents_drive_to_the_start_before_one_is_chosen():
    config = ResetConfig("agents", START, agents=TURNS, gripper=1.0)
    plan = ResetPlanner(config, seed=0).plan(ask("forward", solved=("forward",)))
    assert (plan.kind, plan.agent, plan.gripper) == (ResetKind.WAYPOINTS, "", 1.0)
    np.testing.assert_allclose(plan.waypoints[-1, 1:], START, atol=1e-12)


def test_an_agent_of_another_run_is_not_known():
    planner = ResetPlanner(ResetConfig("agents", agents=TURNS), seed=0)
    expected = r"^agent: expected one of forward, backward, or none, got sideways$"
    with pytest.raises(ValueError, match=expected):
        planner.plan(ask("sideways"))


# -- stirring

LOW = 0.06  # m
STROKES = (0.4, -0.1, 0.6, -0.1, 0.4, 0.1, 0.6, 0.1, 0.5, 0.2, 0.5, 0.0)  # forward's
OTHERS = (0.3, 0.4, 0.3, 0.5, 0.2, 0.4, 0.2, 0.5, 0.1, 0.4, 0.1, 0.5)  # backward's
STIRRED = ResetConfig(
    *("agents", START),
    agents=TURNS,
    stir_count=2,
    stir_strokes=STROKES + OTHERS,
    stir_height=LOW,
)


def stirs(agent, *solved) -> bool:
    """Whether the tool goes down to the object on its way to the start."""
    plan = ResetPlanner(STIRRED, seed=0).plan(ask(agent, solved=solved))
    assert (plan.kind, plan.agent) == (ResetKind.WAYPOINTS, "")
    np.testing.assert_allclose(plan.waypoints[-1, 1:], START, atol=1e-12)
    down = plan.waypoints[:, 3].min() < HERE["pose"][2] - 0.01
    assert down == (plan.message == f"drives through what {agent} has failed at to the start")
    return down


def test_what_an_agent_has_failed_at_is_moved():
    assert stirs("forward") and stirs("backward") and stirs("forward", "backward")


def test_a_success_is_not_touched_nor_anything_at_the_beginning():
    assert not stirs("forward", "forward") and not stirs("backward", "backward", "forward")
    assert not stirs("")  # of a run, or of an actor that was started again


def test_strokes_are_those_of_the_agent_that_failed():
    planner = ResetPlanner(STIRRED, seed=0)
    for agent, first, last in (("forward", -0.1, 0.2), ("backward", 0.4, 0.5)):
        path = planner.plan(ask(agent)).waypoints
        low = np.abs(path[:, 3] - LOW) < 1e-9
        assert first - 1e-9 <= path[low, 2].min() and path[low, 2].max() <= last + 1e-9


def test_strokes_end_at_a_random_place_of_their_second_half():
    planner = ResetPlanner(STIRRED, seed=0)
    ends = np.reshape(STROKES, (3, 2, 2))
    shares, chosen = [], []
    for _ in range(60):
        path = planner.plan(ask("forward")).waypoints[:, 1:4]
        low = np.abs(path[:, 2] - LOW) < 1e-9
        runs = np.split(path, np.flatnonzero(np.diff(low.astype(int))) + 1)
        strokes = [run for run in runs if abs(run[0, 2] - LOW) < 1e-9]
        assert len(strokes) == 2
        for stroke in strokes:
            begins = np.abs(ends[:, 0] - stroke[0, :2]).max(axis=1) < 1e-9
            (number,) = np.flatnonzero(begins)
            way = ends[number, 1] - ends[number, 0]
            share = (stroke[-1, :2] - ends[number, 0]) @ way / (way @ way)
            np.testing.assert_allclose(stroke[-1, :2], ends[number, 0] + share * way, atol=1e-9)
            shares.append(share)
            chosen.append(number)
    assert min(shares) >= 0.5 and max(shares) <= 1.0
    assert np.histogram(shares, 4, (0.5, 1))[0].min() > 15  # of 30 expected in each
    assert np.bincount(chosen).min() > 25  # of 40


# -- person


def test_a_person_confirms_after_the_question_and_once_for_each_reset():
    planner = ResetPlanner(ResetConfig("person", START), seed=0)
    planner.confirm()  # nothing was asked
    for _ in range(2):
        question = planner.plan(ask("agent"))
        assert (question.kind, question.agent) == (ResetKind.CONFIRM, "")
        assert question.message == "put it back, then press SPACE"
        assert planner.plan(ask("agent")).kind is ResetKind.CONFIRM
        planner.confirm()
        plan = planner.plan(ask("agent"))
        assert (plan.kind, plan.agent) == (ResetKind.WAYPOINTS, "agent")
        planner.confirm()  # of the reset before, during the episode


def test_without_a_start_pose_the_arm_stays_where_the_person_left_it():
    planner = ResetPlanner(ResetConfig("person", gripper=1.0), seed=0)
    planner.plan(ask("forward", observation={}))
    planner.confirm()
    plan = planner.plan(ask("forward", observation={}))
    assert (plan.kind, plan.agent, plan.gripper) == (ResetKind.SWITCH_AGENT, "forward", 1.0)


# -- configuration


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            {"source": "magic"},
            "reset.source: expected one of environment, scripted, person, agents",
        ),
        ({"source": "scripted"}, "reset.start_pose: expected one for source: scripted, got none"),
        ({"source": "agents"}, "reset.agents: expected 2 or more for source: agents, got []"),
        ({"source": "agents", "agents": ["a"]}, "reset.agents: expected 2 or more for source"),
        ({"agents": ["a", "a"]}, "reset.agents: expected distinct names, got ['a', 'a']"),
        ({"agents": ["a", ""]}, "reset.agents: expected distinct names, got ['a', '']"),
        ({"start_pose": [0.5, 0.0, 0.3]}, "reset.start_pose: expected x, y, z (m) and a unit"),
        ({"start_pose": [0.5, 0, 0.3, 1, 1, 0, 0]}, "reset.start_pose: expected x, y, z (m) and"),
        ({"random_xy": 0.1}, "reset.start_pose: expected one, with random_xy or random_rz"),
        ({"random_rz": -0.1}, "reset.random_rz: expected at least 0, got -0.1"),
        ({"lift": -0.1}, "reset.lift: expected at least 0, got -0.1"),
        ({"linear_speed": 0.0}, "reset.linear_speed: expected above 0, got 0.0"),
        ({"angular_speed": 0.0}, "reset.angular_speed: expected above 0, got 0.0"),
        ({"gripper": 1.5}, "reset.gripper: expected 0 to 1, got 1.5"),
        ({"stir_count": -1}, "reset.stir_count: expected 0 to 0, an agent's strokes, got -1"),
        ({"stir_strokes": [0.1, 0.2]}, "reset.stir_strokes: expected 4 numbers for each, as many"),
        (
            {"stir_count": 1, "stir_strokes": [0.1, 0.2, 0.3, 0.4]},
            "reset.stir_count: expected 0 without start_pose and source: agents, got 1",
        ),
        (
            {"source": "agents", "agents": TURNS, "start_pose": START}
            | {"stir_count": 1, "stir_strokes": [0.0] * 8},
            "reset.stir_height: expected one, with strokes, got none",
        ),
    ],
)
def test_a_mistake_is_one_line(section, expected):
    with pytest.raises(ConfigError) as error:
        from_dict(ResetConfig, section, "reset")
    assert str(error.value).startswith(expected) and "\n" not in str(error.value)


def test_an_environment_that_resets_itself_is_not_planned_for():
    with pytest.raises(ConfigError, match=r"^reset.source: expected one that is planned, got env"):
        ResetPlanner(ResetConfig(), seed=0)
