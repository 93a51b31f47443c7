"""The insertion task: its interface, its start, its geometry, who solves it and who does not."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.spatial.transform import Rotation

from franka_impedance_controller import Gains
from serl_sim import pcb_scene
from serl_sim.demonstrators import InsertionDemonstrator, RetractionDemonstrator
from serl_sim.insertion_env import PERTURBED_STEPS
from serl_sim.pcb_env import PcbInsertionConfig, PcbInsertionEnv
from serl_sim.robot import Pose


def tool_at(env, xyz, rz=0.0) -> Pose:
    return Pose(env.goal.position + xyz, Rotation.from_rotvec([0, 0, rz]) * env.goal.rotation)


def lower(env, xy, rz=0.0) -> np.ndarray:
    """Lowers the tool from above the rim straight down; returns its final offset from the goal."""
    height = pcb_scene.DEPTH + 0.002
    env.robot.reset(tool_at(env, [*xy, height], rz))
    for z in np.linspace(height, -0.003, 25):
        env.robot.set_target(tool_at(env, [*xy, z], rz))
        env.robot.run(100)
    return env.robot.pose.position - env.goal.position


def test_gymnasium_checker():
    environment = PcbInsertionEnv()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*infinit.*")  # observations are not bounded
        check_env(environment, skip_render_check=True)


def test_observation_keys_shapes_and_order(env):
    observation, info = env.reset(seed=0)
    sizes = {"pose": 7, "twist": 6, "force": 3, "torque": 3, "gripper": 1, "socket_pose": 7}
    assert {k: v.shape for k, v in observation.items()} == {k: (n,) for k, n in sizes.items()}
    assert list(observation) == list(env.observation_space.spaces) == list(sizes)
    assert all(v.dtype == np.float32 for v in observation.values())
    assert info == {"success": False}
    np.testing.assert_allclose(observation["socket_pose"], [0.5, 0, 0.0306, 1, 0, 0, 0], atol=1e-7)


def test_same_seed_and_actions_give_identical_observations():
    def episode(environment):
        actions = np.random.default_rng(1).uniform(-1, 1, (40, 6))
        actions[:, 2] -= 0.5  # into contact
        observations = [environment.reset(seed=7)[0]] + [environment.step(a)[0] for a in actions]
        return np.array([np.concatenate(list(o.values())) for o in observations])

    first, second = PcbInsertionEnv(), PcbInsertionEnv()
    once = episode(first)
    assert np.abs(once[:, 13:16]).max() > 1.0  # it did touch something
    np.testing.assert_array_equal(once, episode(first))
    np.testing.assert_array_equal(once, episode(second))


def test_start_is_random_within_the_stated_range(env):
    starts = []
    for seed in range(200):
        env.reset(seed=seed)
        pose = env.robot.pose
        turn = (pose.rotation * env.goal.rotation.inv()).as_rotvec()
        starts.append([*(pose.position - env.goal.position), *turn])
    starts = np.array(starts)
    limit = np.array([0.05, 0.05, np.deg2rad(20)])
    spread = np.abs(starts[:, [0, 1, 5]])
    assert (spread <= limit + 1e-6).all()
    assert (spread.max(axis=0) > 0.95 * limit).all()
    np.testing.assert_allclose(starts[:, 2], 0.04, atol=1e-6)
    np.testing.assert_allclose(starts[:, 3:5], 0.0, atol=1e-6)


def test_action_moves_the_tool_by_its_scale_in_the_base_frame(env):
    env.robot.reset(tool_at(env, [0, 0, 0.04]))
    target = env._target([0.5, 0, 0, 0, 0, -0.5])
    np.testing.assert_allclose(target.position - env.goal.position, [0.01, 0, 0.04], atol=1e-9)
    turn = (target.rotation * env.goal.rotation.inv()).as_rotvec()
    np.testing.assert_allclose(turn, [0, 0, -0.1], atol=1e-9)


def test_target_stays_in_the_box(env):
    env.robot.reset(tool_at(env, [0.045, -0.045, 0.045], rz=0.3))
    target = env._target([1, -1, 1, 1, -1, 1])
    np.testing.assert_allclose(target.position - env.goal.position, [0.05, -0.05, 0.05], atol=1e-9)
    rpy = (target.rotation * env.goal.rotation.inv()).as_euler("xyz")
    np.testing.assert_allclose(rpy, [0.05, -0.05, np.deg2rad(20)], atol=1e-9)


def test_clearance_is_below_half_a_millimetre():
    assert 0 < pcb_scene.CLEARANCE <= 0.0005


def test_centred_connector_slides_in(env):
    offset = lower(env, [0, 0])
    assert abs(offset[2]) < 0.0005
    assert env.is_success()


@pytest.mark.parametrize("xy", [(0.001, 0), (-0.001, 0), (0, 0.001), (0, -0.001)])
def test_lead_in_guides_an_offset_of_one_millimetre(env, xy):
    lower(env, xy)
    assert env.is_success()


@pytest.mark.parametrize("xy", [(0.002, 0), (-0.002, 0), (0, 0.002), (0, -0.002)])
def test_offset_of_two_millimetres_rests_on_the_rim(env, xy):
    offset = lower(env, xy)
    assert offset[2] > 0.006
    assert not env.is_success()


def test_turned_connector_does_not_enter(env):
    assert lower(env, [0, 0], rz=0.15)[2] > 0.004


@pytest.mark.parametrize("xy", [(0.0, 0.0), (0.012, 0.0), (0.0, 0.006), (0.03, 0.02)])
def test_nothing_is_penetrated_at_full_speed(env, xy):
    """Socket floor, walls and board, hit at the highest speed and then pressed."""
    env.robot.reset(tool_at(env, [*xy, 0.05]))
    deepest = 0.0
    for _ in range(60):
        env.robot.set_target(tool_at(env, [*xy, -0.02]))
        env.robot.run(10)
        contacts = env.robot.data.contact.dist[: env.robot.data.ncon]
        deepest = min(deepest, contacts.min(initial=0.0))
    assert -0.0005 < deepest < 0.0
    at_rest = env.robot.data.contact.dist[: env.robot.data.ncon].min()
    assert at_rest > -0.0001


def test_success_ends_the_episode_with_reward_one(env):
    env.robot.reset(tool_at(env, [0, 0, 0.0015]))
    _, reward, terminated, truncated, info = env.step([0, 0, -0.2, 0, 0, 0])
    assert (reward, terminated, truncated, info) == (1.0, True, False, {"success": True})


@pytest.mark.parametrize("offset", [(0.0035, 0, 0), (0, 0.0035, 0), (0, 0, 0.0015)])
def test_tolerance_is_per_axis(env, offset):
    env.robot.reset(tool_at(env, offset))
    assert not env.is_success()


def test_time_limit_truncates():
    environment = gym.make("serl_sim/PcbInsertion-v0")
    environment.reset(seed=0)
    for _ in range(100):
        _, reward, terminated, truncated, _ = environment.step(np.zeros(6))
    assert (reward, terminated, truncated) == (0.0, False, True)


def test_demonstrator_succeeds_like_a_careful_person(env):
    demonstrator = InsertionDemonstrator(env, seed=0)
    lengths = []
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        demonstrator.reset()
        for step in range(1, 101):
            action = demonstrator(observation)
            assert action.dtype == np.float32
            assert env.action_space.contains(action)
            observation, _, terminated, _, _ = env.step(action)
            if terminated:
                lengths.append(step)
                break
    assert len(lengths) >= 18
    assert 25 <= np.mean(lengths) <= 80
    assert np.std(lengths) > 5


def test_demonstrator_is_reproducible(env):
    def actions(seed):
        demonstrator = InsertionDemonstrator(env, seed)
        observation, _ = env.reset(seed=0)
        return [demonstrator(observation) for _ in range(3)]

    np.testing.assert_array_equal(actions(3), actions(3))
    assert not np.array_equal(actions(3), actions(4))


def test_random_policy_does_not_succeed(env):
    rng = np.random.default_rng(0)
    for seed in range(10):
        env.reset(seed=seed)
        for _ in range(100):
            assert not env.step(rng.uniform(-1, 1, 6))[2]


def test_defaults_are_serls():
    config = PcbInsertionConfig()
    assert config.action_scale == (0.02, 0.2)
    assert config.clip_negative[2] * config.stiffness[2] == pytest.approx(6.0)  # N, push down
    assert config.clip_positive[2] * config.stiffness[2] == pytest.approx(9.0)  # N, pull up


def test_every_gain_of_the_law_is_an_argument():
    names = [name for name in dir(Gains) if not name.startswith("_")]
    values = {name: 1.01 * getattr(PcbInsertionConfig().gains(), name) + 0.01 for name in names}
    gains = PcbInsertionConfig.from_arguments(values).gains()
    for name in names:
        np.testing.assert_array_equal(getattr(gains, name), values[name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"action_scal": (1.0, 1.0)}, "unknown argument 'action_scal'"),
        ({"stiffness": (1.0, 2.0)}, "stiffness: expected 6"),
        ({"random_xy": "wide"}, "random_xy: expected"),
        ({"damping": (-1.0, *[1.0] * 5)}, "damping"),
        ({"arm": "ur6"}, "arm: expected one of panda, ur5, got 'ur6'"),
        ({"max_linear_velocity": 0.0}, "max_linear_velocity"),
        ({"perturbation": -0.01}, r"perturbation: expected 0 to 0.05 m, got -0.01"),
        ({"perturbation": "far"}, "perturbation: expected a finite number"),
        ({"observations": "pixels"}, "observations: expected one of state, vision"),
    ],
)
def test_bad_arguments_are_one_line_errors(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        PcbInsertionEnv(**arguments)
    assert "\n" not in str(error.value)


def test_a_long_action_keeps_its_direction(env):
    """The diagonal of the policy's box, turned by 20 degrees, has an element above 1."""
    env.reset(seed=0)
    action = np.array([1.3, 0.5, -1.0, 0.0, 0.0, 0.0])
    env.reset(seed=0)
    start = env.robot.pose.position
    moved = env._target(action).position - start
    np.testing.assert_allclose(np.cross(moved, action[:3]), 0.0, atol=1e-12)
    np.testing.assert_allclose(
        np.linalg.norm(env._target(9 * action).position - start), np.sqrt(3) * 0.02
    )


PERTURBATION = 0.03


@pytest.fixture(scope="module")
def perturbed():
    return PcbInsertionEnv(perturbation=PERTURBATION)


def perturbation_of(env, seed) -> tuple[int, np.ndarray]:
    """Rests for an episode; the step at which the goal moved, and by how much (3,) m."""
    env.reset(seed=seed)
    start, steps = env.goal.position, []
    for step in range(1, 13):
        before = env.goal.position
        env.step(np.zeros(6))
        if not np.array_equal(env.goal.position, before):
            steps.append(step)
    assert len(steps) == 1
    return steps[0], env.goal.position - start


def test_a_perturbation_comes_once_at_a_random_step_and_the_seed_decides(perturbed):
    found = [perturbation_of(perturbed, seed) for seed in range(20)]
    steps, offsets = [step for step, _ in found], np.array([offset for _, offset in found])
    assert {min(steps), max(steps)} == set(PERTURBED_STEPS)
    assert (offsets[:, 2] == 0.0).all()
    lengths = np.linalg.norm(offsets, axis=1)
    assert lengths.max() <= PERTURBATION and lengths.max() > 0.8 * PERTURBATION
    assert (offsets[:, :2].min(axis=0) < 0.0).all() and (offsets[:, :2].max(axis=0) > 0.0).all()
    again, offset = perturbation_of(perturbed, seed=3)
    assert again == steps[3]
    np.testing.assert_array_equal(offset, offsets[3])


def test_a_reset_puts_the_socket_back_and_starts_as_without_perturbation(perturbed):
    plain = PcbInsertionEnv()
    perturbation_of(perturbed, seed=0)
    perturbed.reset(seed=1)
    np.testing.assert_array_equal(perturbed.goal.position, pcb_scene.SEAT)
    data = perturbed.robot.data
    np.testing.assert_array_equal(data.body("fixture").xpos, pcb_scene.SEAT)
    first, expected = perturbed.reset(seed=1)[0], plain.reset(seed=1)[0]
    for name, value in expected.items():
        np.testing.assert_array_equal(first[name], value)


def test_without_perturbation_nothing_moves(env):
    env.reset(seed=0)
    for _ in range(12):
        observation, *_ = env.step(np.zeros(6))
    np.testing.assert_array_equal(env.goal.position, pcb_scene.SEAT)
    np.testing.assert_array_equal(observation["socket_pose"][:3], pcb_scene.SEAT.astype(np.float32))


def test_socket_board_and_fixture_move_with_the_goal(perturbed):
    perturbed.reset(seed=0)
    model, data = perturbed.robot.model, perturbed.robot.data
    fixed = model.geom_bodyid == model.body("fixture").id
    before = data.geom_xpos.copy()
    _, offset = perturbation_of(perturbed, seed=0)
    moved = data.geom_xpos[fixed] - before[fixed]
    assert len(moved) > 50  # the plate, the socket's walls, the board and what is on it
    np.testing.assert_allclose(moved, np.tile(offset, (len(moved), 1)), atol=1e-12)
    for name in ("board", "socket_floor"):
        assert fixed[model.geom(name).id]
    observation, *_ = perturbed.step(np.zeros(6))
    np.testing.assert_allclose(observation["socket_pose"][:3], pcb_scene.SEAT + offset, atol=1e-6)


def test_the_workspace_box_stays_where_it_is(perturbed):
    perturbation_of(perturbed, seed=0)
    corner = pcb_scene.SEAT + np.array([0.05, 0.05, 0.05])
    perturbed.robot.reset(Pose(corner - 0.001, perturbed.goal.rotation))
    target = perturbed._target([1, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(target.position, pcb_scene.SEAT + 0.05, atol=1e-9)


def test_the_demonstrator_finds_the_moved_socket(perturbed):
    """Contact moves too: it gets in where the socket is now, 8 mm below its rim."""
    demonstrator = InsertionDemonstrator(perturbed, seed=0)
    offsets = []
    for seed in range(10):
        observation, _ = perturbed.reset(seed=seed)
        demonstrator.reset()
        for _ in range(100):
            observation, _, terminated, _, _ = perturbed.step(demonstrator(observation))
            contacts = perturbed.robot.data.contact.dist[: perturbed.robot.data.ncon]
            assert contacts.min(initial=0.0) > -0.0005
            if terminated:
                offset = observation["pose"][:2] - pcb_scene.SEAT[:2]
                offsets.append(np.linalg.norm(offset))
                break
    assert len(offsets) >= 8
    assert max(offsets) > 0.015


def test_the_socket_is_not_there_any_more_where_it_was(perturbed):
    """Lowered onto the nominal place, the tool meets the board instead of the socket's floor."""
    nominal = PcbInsertionEnv()
    perturbed.reset(seed=0)
    perturbed._pending = np.array([0.025, 0.0, 0.0])
    while perturbed._pending is not None:
        perturbed.step(np.zeros(6))
    moved = perturbed.robot.data.mocap_pos.copy()
    perturbed.robot.reset(tool_at(nominal, [0, 0, 0.01]))
    perturbed.robot.data.mocap_pos[:] = moved
    for z in np.linspace(0.01, -0.004, 25):
        perturbed.robot.set_target(tool_at(nominal, [0, 0, z]))
        perturbed.robot.run(100)
    height = perturbed.robot.pose.position[2] - pcb_scene.SEAT[2]
    assert height == pytest.approx(-0.001, abs=0.0003)  # the board's top
    assert not perturbed.is_success()


def test_a_tool_at_the_rim_postpones_the_perturbation(perturbed):
    perturbed.reset(seed=0)
    perturbed.robot.reset(tool_at(perturbed, [0, 0, pcb_scene.DEPTH + 0.002]))
    for _ in range(12):
        perturbed.step(np.zeros(6))
    np.testing.assert_array_equal(perturbed.goal.position, pcb_scene.SEAT)
    for _ in range(3):
        perturbed.step([0, 0, 0.5, 0, 0, 0])
    assert not np.array_equal(perturbed.goal.position, pcb_scene.SEAT)


def test_the_images_show_the_moved_socket_at_once():
    environment = PcbInsertionEnv(
        observations="vision", render_mode="rgb_array", perturbation=PERTURBATION
    )
    after, _ = environment.reset(seed=0)
    overview = environment.render()
    environment._pending = np.array([0.02, 0.0, 0.0])
    while environment._pending is not None:
        before, after = after, environment.step(np.zeros(6))[0]
    for name in ("wrist_1", "wrist_2"):
        assert (before[name] != after[name]).any(axis=-1).mean() > 0.1
    assert (overview != environment.render()).any(axis=-1).mean() > 0.005
    environment.close()


def test_two_agents_take_turns_from_where_the_tool_is():
    env = PcbInsertionEnv(agent="backward", action_scale=(0.007, 0.07))
    observation, _ = env.reset(seed=0)
    assert np.abs(env.robot.pose.position - env.goal.position).max() < 0.001  # seated
    assert not env.is_success()
    offset = observation["start_pose"][:3] - env.goal.position
    assert offset[2] == pytest.approx(env.config.reset_height, abs=1e-6)
    demonstrator = RetractionDemonstrator(env, seed=0)
    terminated, before = False, env.robot.data.time
    while not terminated and env.robot.data.time < before + 10.0:
        observation, reward, terminated, _, info = env.step(demonstrator(observation))
    assert (reward, info["success"]) == (1.0, True)
    there, start = env.robot.pose.position, env.start.position
    assert np.linalg.norm(there - start) < env.config.start_tolerance[0]

    env.reset(options={"agent": "forward", "waypoints": (), "gripper": None})
    np.testing.assert_array_equal(env.robot.pose.position, there)
    assert not env.is_success()
    observation, _ = env.reset(options={"agent": "backward", "waypoints": (), "gripper": None})
    assert np.linalg.norm(observation["start_pose"][:3] - start) > 0.001  # another one


@pytest.mark.parametrize("agent", ["forward", "backward"])
def test_only_with_an_agent_the_start_is_told(agent):
    assert "start_pose" in PcbInsertionEnv(agent=agent).observation_space.spaces
    assert "start_pose" not in PcbInsertionEnv().observation_space.spaces
