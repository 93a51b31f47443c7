"""Peg insertion: which pegs go into their holes, and who solves it, of each cross section."""

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.spatial.transform import Rotation

from serl_sim import peg_scene
from serl_sim.demonstrators import PegInsertionDemonstrator, RetractionDemonstrator
from serl_sim.peg_env import PegInsertionConfig, PegInsertionEnv
from serl_sim.robot import Pose

SCALE = (0.01, 0.1)
AROUND = np.deg2rad([0, 45, 90, 200, 300])


@pytest.fixture(scope="module", params=peg_scene.SHAPES)
def shape(request):
    return request.param


@pytest.fixture(scope="module")
def env(shape):
    environment = PegInsertionEnv(shape=shape, action_scale=SCALE)
    yield environment
    environment.close()


def tool_at(env, xyz, rz=0.0) -> Pose:
    return Pose(env.goal.position + xyz, Rotation.from_rotvec([0, 0, rz]) * env.goal.rotation)


def lower(env, aside, angle=0.0, rz=0.0) -> float:
    """Lowers the peg from above the rim straight down; its tip's final height over the floor."""
    height, xy = env.depth + 0.003, aside * np.array([np.cos(angle), np.sin(angle)])
    env.robot.reset(tool_at(env, [*xy, height], rz))
    for z in np.linspace(height, -0.004, 30):
        env.robot.set_target(tool_at(env, [*xy, z], rz))
        env.robot.run(100)
    return env.robot.pose.position[2] - env.goal.position[2]


def test_a_centred_peg_slides_in(env):
    assert abs(lower(env, 0.0)) < 0.0005
    assert env.is_success()


@pytest.mark.parametrize("angle", AROUND)
def test_the_lead_in_guides_one_millimetre_from_every_side(env, angle):
    lower(env, 0.001, angle)
    assert env.is_success()


@pytest.mark.parametrize("angle", AROUND)
def test_five_millimetres_aside_the_peg_stands_on_the_rim(env, angle):
    assert lower(env, 0.005, angle) > env.depth - 0.001
    assert not env.is_success()


def test_turned_only_a_round_peg_enters_and_that_is_no_success_either(env, shape):
    enters = lower(env, 0.0, rz=0.3) < 0.001
    assert enters == (shape == "round")
    assert not env.is_success()


@pytest.mark.parametrize("side", [-1, 1])
def test_in_the_hole_there_is_as_much_play_as_the_clearance(env, side):
    """Pushed with 6 N along y, where each cross section has a side, halfway down."""
    env.robot.reset(tool_at(env, [0, 0, env.depth / 2]))
    for _ in range(20):
        env.robot.set_target(tool_at(env, [0, side * 0.02, env.depth / 2]))
        env.robot.run(100)
    moved = side * (env.robot.pose.position - env.goal.position)[1]
    assert moved == pytest.approx(peg_scene.CLEARANCE, rel=0.2)


@pytest.mark.parametrize("aside", [0.0, 0.004, 0.010])
def test_nothing_is_penetrated_at_full_speed(env, aside):
    env.robot.reset(tool_at(env, [aside, 0.0, 0.08]))
    deepest = 0.0
    for _ in range(80):
        env.robot.set_target(tool_at(env, [aside, 0.0, -0.02]))
        env.robot.run(10)
        contacts = env.robot.data.contact.dist[: env.robot.data.ncon]
        deepest = min(deepest, contacts.min(initial=0.0))
    assert -0.001 < deepest < 0.0
    assert env.robot.data.contact.dist[: env.robot.data.ncon].min() > -0.0002  # at rest


def test_the_demonstrator_succeeds_like_a_careful_person(env):
    demonstrator = PegInsertionDemonstrator(env, seed=0)
    lengths = []
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        demonstrator.reset()
        for step in range(1, 101):
            action = demonstrator(observation)
            assert env.action_space.contains(action)
            observation, reward, terminated, _, info = env.step(action)
            if terminated:
                assert (reward, info["success"]) == (1.0, True)
                lengths.append(step)
                break
    assert len(lengths) >= 16
    assert 25 <= np.mean(lengths) <= 80


def test_a_random_policy_does_not_succeed(env):
    rng = np.random.default_rng(0)
    for seed in range(5):
        env.reset(seed=seed)
        assert not any(env.step(rng.uniform(-1, 1, 6))[2] for _ in range(100))


def test_a_start_is_ten_centimetres_up_and_anywhere_in_the_stated_range(env):
    starts = []
    for seed in range(100):
        env.reset(seed=seed)
        turn = (env.robot.pose.rotation * env.goal.rotation.inv()).as_rotvec()
        starts.append([*(env.robot.pose.position - env.goal.position), turn[2]])
    starts, limit = np.array(starts), np.array([0.05, 0.05, np.deg2rad(30)])
    np.testing.assert_allclose(starts[:, 2], 0.1, atol=1e-5)
    spread = np.abs(starts[:, [0, 1, 3]])
    assert (spread <= limit + 1e-5).all() and (spread.max(axis=0) > 0.9 * limit).all()


def test_gymnasium_checker():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*infinit.*")  # observations are not bounded
        check_env(PegInsertionEnv(), skip_render_check=True)


def test_the_goal_moves_with_the_hole_in_an_episode():
    env = PegInsertionEnv(perturbation=0.03, action_scale=SCALE)
    demonstrator = PegInsertionDemonstrator(env, seed=0)
    observation, _ = env.reset(seed=1)
    for _ in range(100):
        observation, _, terminated, *_ = env.step(demonstrator(observation))
        if terminated:
            break
    assert terminated
    moved = env.robot.pose.position - peg_scene.SEAT
    assert np.linalg.norm(moved[:2]) > 0.005
    np.testing.assert_array_equal(env.robot.data.body("fixture").xpos, env.goal.position)


def test_a_second_agent_pulls_the_peg_out():
    env = PegInsertionEnv(agent="backward", action_scale=SCALE)
    observation, _ = env.reset(seed=0)
    assert env.robot.pose.position[2] - env.goal.position[2] < 0.001
    demonstrator = RetractionDemonstrator(env, seed=0)
    for _ in range(100):
        observation, _, terminated, *_ = env.step(demonstrator(observation))
        if terminated:
            break
    assert terminated and env.is_at_start()


def test_defaults_are_serls():
    config = PegInsertionConfig()
    assert config.action_scale == (0.02, 0.1)
    force = np.multiply(config.stiffness, config.clip_negative)
    np.testing.assert_allclose(force, [6.0, 6.0, 20.0, 3.0, 3.0, 3.0])  # N, Nm


def test_an_unknown_shape_is_a_one_line_error():
    with pytest.raises(ValueError, match=r"^shape: expected one of hexagon, .*, got 'star'$"):
        PegInsertionEnv(shape="star")
