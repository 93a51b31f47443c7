"""The cable task: what counts as seated, its starts, its physics, its images, who solves it."""

import warnings

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.spatial.transform import Rotation

from serl_sim import cable_scene
from serl_sim.cable_env import CableRoutingConfig, CableRoutingEnv
from serl_sim.demonstrators import CableRoutingDemonstrator
from serl_sim.robot import Pose

SCALE = (0.015, 0.1)  # m, rad, the task's


@pytest.fixture(scope="module")
def env():
    return CableRoutingEnv(action_scale=SCALE)


@pytest.fixture(scope="module")
def vision():
    environment = CableRoutingEnv(observations="vision", render_mode="rgb_array")
    yield environment
    environment.close()


def tool_at(env, xyz, rz=0.0) -> Pose:
    return Pose(env.goal.position + xyz, Rotation.from_rotvec([0, 0, rz]) * env.goal.rotation)


def lower(env, y, rz=0.0) -> None:
    """Lowers the tool straight down to its goal's height, `y` beside it."""
    env.place(tool_at(env, [0.0, y, 0.04], rz))
    for z in [*np.linspace(0.04, -0.001, 20), -0.001, -0.001]:
        env.robot.set_target(tool_at(env, [0.0, y, z], rz))
        env.robot.run(100)


def strain(env) -> np.ndarray:  # (POINTS - 1,)
    return np.linalg.norm(np.diff(env.cable, axis=0), axis=1) / cable_scene.SEGMENT - 1.0


def deepest(env) -> float:  # m, negative
    return env.robot.data.contact.dist[: env.robot.data.ncon].min(initial=0.0)


def test_gymnasium_checker():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*infinit.*")  # observations are not bounded
        check_env(CableRoutingEnv(), skip_render_check=True)


def test_observations_and_the_joints_order(env):
    observation, info = env.reset(seed=0)
    sizes = {"pose": 7, "twist": 6, "force": 3, "torque": 3, "gripper": 1, "socket_pose": 7}
    sizes["cable"] = 6
    assert {k: v.shape for k, v in observation.items()} == {k: (n,) for k, n in sizes.items()}
    assert list(observation) == list(env.observation_space.spaces) == list(sizes)
    assert all(v.dtype == np.float32 for v in observation.values())
    assert info == {"success": False}
    np.testing.assert_allclose(observation["socket_pose"][:3], cable_scene.SEAT, atol=1e-7)
    model = env.robot.model
    names = [model.joint(i).name for i in range(len(env.arm.joint_names))]
    assert tuple(names) == env.arm.joint_names
    assert (model.jnt_type[len(names) :] == mujoco.mjtJoint.mjJNT_SLIDE).all()


def test_the_slot_is_tight():
    assert 0 < 2 * cable_scene.CLEARANCE <= 0.0005


@pytest.mark.parametrize(("y", "rz"), [(0.0, 0.0), (0.002, 0.0), (-0.002, 0.0), (0.0, 0.1)])
def test_the_lead_in_guides_a_cable_that_is_nearly_aligned(env, y, rz):
    lower(env, y, rz)
    assert env.is_success()
    assert np.abs(env.cable_error()).max() < 0.002
    assert deepest(env) > -0.0005


def test_on_the_rim_is_not_success(env):
    """The tool is where it is with a seated cable but for 5 mm, the cable is on the clip."""
    lower(env, 0.005)
    assert env.robot.pose.position[2] - env.goal.position[2] < 0.001
    assert env.cable_error()[0, 2] + cable_scene.RADIUS > 0.005
    assert not env.is_success()


@pytest.mark.parametrize("y", [0.012, -0.02])
def test_beside_the_clip_is_not_success(env, y):
    lower(env, y)
    assert np.abs(env.cable_error()[:, 1]).max() > 0.005
    assert not env.is_success()


def test_above_the_slot_is_not_success(env):
    env.place(tool_at(env, [0.0, 0.0, 0.02]))
    assert env.cable_error()[1, 2] > env.config.success_tolerance
    assert not env.is_success()


def test_a_cable_that_sticks_out_of_the_slot_is_no_success(env):
    lower(env, 0.0)
    tolerance = env.config.success_tolerance
    # Its top below the rim, its middle below the lead-in: held by parallel walls.
    assert 2 * cable_scene.RADIUS + tolerance < cable_scene.DEPTH
    assert cable_scene.RADIUS + tolerance < cable_scene.DEPTH - cable_scene.LEAD
    for lift, inside in ((0.003, True), (0.006, False)):
        before = env._slides.copy()
        env._slides[:, 2] += lift
        mujoco.mj_forward(env.robot.model, env.robot.data)
        assert env.is_success() == inside
        env._slides[:] = before


def test_what_counts_is_the_cable_and_not_the_tool(env):
    """A seated cable stays so when the tool moves along it; the tool at the goal is no success."""
    lower(env, 0.0)
    env.robot.set_target(tool_at(env, [-0.01, 0.0, 0.003], 0.1))
    env.robot.run(100)
    assert np.linalg.norm(env.robot.pose.position - env.goal.position) > 0.005
    assert env.is_success()
    env._slides[:, 1] += 0.02  # beside the clip
    mujoco.mj_forward(env.robot.model, env.robot.data)
    assert not env.is_success()


def test_success_is_rewarded_and_does_not_stop_the_world(env):
    lower(env, 0.0)
    for _ in range(3):
        _, reward, terminated, truncated, info = env.step(np.zeros(6))
        assert (reward, terminated, truncated, info) == (1.0, True, False, {"success": True})
    for _ in range(10):
        _, reward, terminated, _, info = env.step([0, 0, 1, 0, 0, 0])
    assert (reward, terminated, info) == (0.0, False, {"success": False})


def test_starts_are_random_valid_and_quiet(env):
    starts = []
    for seed in range(40):
        env.reset(seed=seed)
        starts.append(env.robot.pose.position - env.goal.position)
        assert np.abs(strain(env)).max() < 0.03
        assert deepest(env) > -0.0005
        assert np.abs(env.robot.data.qvel).max() < 1.5  # m/s, of a swinging cable
        assert np.abs(env.robot.wrench[:3]).max() < 2.0
        assert not env.is_success()
    starts = np.array(starts)
    np.testing.assert_allclose(starts[:, 2], 0.1, atol=5e-4)
    assert (starts[:, :2].min(axis=0) > [-0.0105, -0.1005]).all()
    assert (starts[:, :2].max(axis=0) < 0.1005).all()
    assert (np.ptp(starts[:, :2], axis=0) > [0.09, 0.17]).all()


@pytest.mark.parametrize("x", [-0.01, 0.1])
@pytest.mark.parametrize("y", [-0.1, 0.1])
@pytest.mark.parametrize("rz", [-0.524, 0.524])
def test_the_cable_is_long_enough_for_the_corners_of_the_box(env, x, y, rz):
    env.place(tool_at(env, [x, y, 0.1], rz))
    assert np.abs(strain(env)).max() < 0.02
    assert np.abs(env.robot.wrench[:3]).max() < 2.0


def test_a_cable_at_rest_hangs_still(env):
    env.reset(seed=0)
    for _ in range(30):
        env.step(np.zeros(6))
    assert np.abs(env.robot.data.qvel).max() < 0.01


def test_same_seed_and_actions_give_identical_observations():
    def episode(environment):
        actions = np.random.default_rng(1).uniform(-1, 1, (15, 6))
        observations = [environment.reset(seed=7)[0]] + [environment.step(a)[0] for a in actions]
        return np.array([np.concatenate(list(o.values())) for o in observations])

    first = CableRoutingEnv()
    once = episode(first)
    np.testing.assert_array_equal(once, episode(first))
    np.testing.assert_array_equal(once, episode(CableRoutingEnv()))


@pytest.mark.parametrize("seed", range(6))
def test_random_full_actions_neither_explode_nor_tunnel_nor_leave_the_box(env, seed):
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    low, high = np.array(env.config.box_low), np.array(env.config.box_high)
    for step in range(150):
        if step % 5 == 0:
            action = rng.choice([-1.0, 1.0], 6)
        env.step(action)
        assert np.abs(strain(env)).max() < 0.15
        # Pulled at full force around a wall's edge it sinks in, but not to the wall's middle,
        # beyond which it would come out on the other side.
        assert deepest(env) > -(cable_scene.RADIUS + cable_scene.WALL / 2)
        assert env.cable[:, 2].min() > 0.0
        offset = env.robot.pose.position - env.goal.position
        assert (offset > low[:3] - 0.01).all() and (offset < high[:3] + 0.01).all()


def test_target_stays_in_the_box(env):
    env.place(tool_at(env, [-0.005, -0.095, 0.095], rz=0.5))
    target = env._target([-1, -1, 1, 1, -1, 1])
    np.testing.assert_allclose(target.position - env.goal.position, [-0.01, -0.1, 0.1], atol=1e-9)
    rpy = (target.rotation * env.goal.rotation.inv()).as_euler("xyz")
    np.testing.assert_allclose(rpy, [0.01, -0.01, np.deg2rad(30)], atol=1e-9)


def test_demonstrator_succeeds_like_a_careful_person(env):
    demonstrator = CableRoutingDemonstrator(env, seed=0)
    lengths = []
    for seed in range(12):
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
    assert len(lengths) >= 11
    assert 25 <= np.mean(lengths) <= 65
    assert np.std(lengths) > 5


def test_defaults_are_serls():
    config = CableRoutingConfig()
    assert config.action_scale == (0.05, 0.3)
    assert config.clip_negative[2] * config.stiffness[2] == pytest.approx(10.0)  # N, push down


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"success_tolerance": "close"}, "success_tolerance: expected a finite number"),
        ({"perturbation": 0.01}, "unknown argument 'perturbation'"),
        ({"arm": "ur6"}, "arm: expected one of panda, ur5, got 'ur6'"),
        ({"observations": "pixels"}, "observations: expected one of state, vision"),
    ],
)
def test_bad_arguments_are_one_line_errors(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        CableRoutingEnv(**arguments)
    assert "\n" not in str(error.value)


def orange(image) -> float:
    """Share of the picture that has the cable's colour."""
    red, green, blue = np.moveaxis(image.astype(int), -1, 0)
    return float(((red > 90) & (red > 1.8 * green) & (red > 2.5 * blue)).mean())


def test_wrist_images_show_the_cable(vision):
    for seed in range(5):
        observation, _ = vision.reset(seed=seed)
        assert max(orange(observation[name]) for name in ("wrist_1", "wrist_2")) > 0.005


def test_wrist_images_tell_a_seated_cable_from_one_on_the_rim(vision):
    lower(vision, 0.0)
    seated = vision._observe()["wrist_1"].astype(int)
    lower(vision, 0.005)
    rim = vision._observe()["wrist_1"].astype(int)
    assert (np.abs(seated - rim).max(axis=-1) > 40).mean() > 0.02


def test_overview_shows_the_cable_where_it_is(vision):
    vision.place(tool_at(vision, [0.0, 0.0, 0.05]))
    picture = vision.render()
    vision._slides[:, 2] -= 1.0  # under the floor
    assert orange(picture) > orange(vision.render()) + 0.001


def test_another_arm_routes_as_well():
    environment = gym.make("serl_sim/CableRouting-v0", arm="ur5").unwrapped
    lower(environment, 0.0)
    assert environment.is_success()
