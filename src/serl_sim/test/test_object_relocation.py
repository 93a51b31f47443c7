"""The relocation task: gripper, bins, success, episodes without a reset, images, who solves it."""

import warnings

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.spatial.transform import Rotation

from serl_sim import relocation_scene as scene
from serl_sim.arms import FINGER_JOINTS
from serl_sim.demonstrators import ObjectRelocationDemonstrator
from serl_sim.relocation_env import TARGETS, TOOL, ObjectRelocationEnv
from serl_sim.robot import Pose

SCALE = (0.02, 0.1)  # m, rad, the task's
NOWHERE = np.zeros((0, 8))  # no way-points
CLOSE, STAY, OPEN = -1.0, 0.0, 1.0
UPRIGHT = Rotation.identity()


@pytest.fixture(scope="module")
def env():
    return ObjectRelocationEnv(action_scale=SCALE)


def above_floor(x: float, y: float, z: float) -> np.ndarray:  # (3,) m, base frame
    return scene.CENTER + np.array([x, y, z])


def put_cube(env, x: float, y: float, z: float = scene.CUBE / 2 + 0.0005, yaw: float = 0.0) -> None:
    env.put_cube(Pose(above_floor(x, y, z), Rotation.from_rotvec([0.0, 0.0, yaw])))


def do(env, steps: int, translation=(0.0, 0.0, 0.0), gripper: float = STAY) -> tuple:
    """The last step's outcome."""
    for _ in range(steps):
        outcome = env.step(np.array([*translation, 0.0, 0.0, 0.0, gripper]))
    return outcome


def pick(env, y: float) -> None:
    """With the cube at (0, y), and the tool straight above: down, close, up."""
    env.place(Pose(above_floor(0.0, y, 0.1), TOOL))
    put_cube(env, 0.0, y)
    do(env, 4, [0.0, 0.0, -1.0])
    do(env, 4, [0.0, 0.0, -0.2], CLOSE)
    do(env, 4, [0.0, 0.0, 1.0])


def test_gymnasium_checker():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*infinit.*")  # observations are not bounded
        check_env(ObjectRelocationEnv(), skip_render_check=True)


def test_observations_actions_and_the_joints_order(env):
    observation, info = env.reset(seed=0)
    sizes = {"pose": 7, "twist": 6, "force": 3, "torque": 3, "gripper": 1, "socket_pose": 7}
    sizes["object_pose"] = 7
    assert {k: v.shape for k, v in observation.items()} == {k: (n,) for k, n in sizes.items()}
    assert list(observation) == list(env.observation_space.spaces)
    assert env.action_space.shape == (7,)
    assert info == {"success": False, "rescued": False, "solved": ("backward",)}
    np.testing.assert_allclose(observation["socket_pose"][:3], above_floor(0, 0.095, 0), atol=1e-6)
    model = env.robot.model
    names = [model.joint(i).name for i in range(model.njnt)]
    assert names == [*env.arm.joint_names, *FINGER_JOINTS, "cube"]


@pytest.mark.parametrize("arguments", [{"agent": "sideways"}, {"keep_out_low": [0.0]}])
def test_a_wrong_argument_is_told(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        ObjectRelocationEnv(**arguments)


def test_the_gripper_obeys_from_half_an_action_on(env):
    env.reset(seed=0)
    opening = [do(env, 3, gripper=g)[0]["gripper"][0] for g in (-0.4, -0.5, 0.4, 0.0, 0.5)]
    np.testing.assert_allclose(opening, [1.0, 0.0, 0.0, 0.0, 1.0], atol=0.01)


def test_what_is_gripped_is_lifted_and_neither_slips_nor_turns(env):
    env.reset(seed=0)
    pick(env, -0.09)
    assert 0.45 < env.robot.gripper.opening < 0.52  # the cube is half as wide as it can open
    held = env.robot.pose.position - env.cube.position
    assert env.cube.position[2] > above_floor(0, 0, 0.05)[2]
    do(env, 10, [0.0, 0.8, 0.0])
    do(env, 10)
    np.testing.assert_allclose(env.robot.pose.position - env.cube.position, held, atol=0.003)
    assert (env.cube.rotation * UPRIGHT.inv()).magnitude() < 0.1


@pytest.mark.parametrize("agent", TARGETS)
def test_success_is_a_cube_on_the_floor_of_the_agents_bin(env, agent):
    env.reset(seed=0)
    env.agent, side = agent, TARGETS[agent]
    for x, y in ((0.0, 0.06), (0.06, 0.13), (-0.06, 0.1)):
        put_cube(env, x, side * y, yaw=0.4)
        assert env.is_success()
        put_cube(env, x, -side * y)
        assert not env.is_success()


def test_a_cube_that_is_held_is_not_there_yet(env):
    env.reset(seed=0)
    env.agent = "forward"
    pick(env, scene.BIN_CENTER)
    assert not env.is_solved("forward")  # in the air
    do(env, 6, [0.0, 0.0, -1.0])
    assert env.cube.position[2] < above_floor(0, 0, scene.CUBE / 2 + 0.006)[2]
    assert not env.is_solved("forward")  # on the floor, between the fingers
    *_, info = do(env, 2, gripper=OPEN)
    assert env.is_solved("forward")
    assert info["success"]


@pytest.mark.parametrize(
    ("turns", "yaw"),
    [
        ([0, 0, 20], 20),
        ([0, 0, 50], -40),
        ([0, 0, -170], 10),
        ([90, 0, 30], 30),
        ([0, 90, 100], 10),
    ],
)
def test_the_cube_is_gripped_by_its_nearest_side(env, turns, yaw):
    """Whichever side it lies on; degrees."""
    env.reset(seed=0)
    cube = Rotation.from_euler("xyz", turns, degrees=True)
    env.put_cube(Pose(above_floor(0.01, -0.08, scene.CUBE / 2), cube))
    turn = (env.grasp.rotation * TOOL.inv()).as_rotvec(degrees=True)
    np.testing.assert_allclose(turn, [0, 0, yaw], atol=1.0)
    np.testing.assert_allclose(env.grasp.position, env.cube.position)


@pytest.mark.parametrize(
    ("x", "y"), [(0.0, 0.012), (0.03, -0.02), (0.0, 0.19), (0.12, 0.09), (0.12, -0.18)]
)
def test_what_falls_on_a_slope_slides_into_a_bin(env, x, y):
    env.reset(seed=0)
    put_cube(env, x, y, z=0.09)
    env.robot.run(2000)
    assert env.is_solved("forward" if y > 0 else "backward")


def test_the_tool_stays_out_of_the_box_over_the_ridge(env):
    env.reset(seed=0)
    env.place(Pose(above_floor(0.0, -0.1, 0.03), TOOL))
    put_cube(env, 0.05, 0.1)
    do(env, 15, [0.0, 1.0, 0.0])
    assert env.robot.pose.position[1] == pytest.approx(-0.03, abs=0.004)
    do(env, 5, [0.0, 0.0, 1.0])
    do(env, 10, [0.0, 1.0, 0.0])
    assert env.robot.pose.position[1] > 0.1  # over it there is a way


def waypoints(start: np.ndarray, end: np.ndarray, seconds: float) -> np.ndarray:  # (n, 8)
    times = np.arange(0.1, seconds + 0.05, 0.1)
    positions = start + (times / seconds)[:, None] * (end - start)
    return np.column_stack([times, positions, np.tile(TOOL.as_quat(), (len(times), 1))])


def test_a_reset_with_options_moves_the_robot_and_nothing_else(env):
    env.reset(seed=0)
    pick(env, -0.09)
    do(env, 12, [0.0, 0.8, 0.0])  # over the left bin, with the cube in hand
    here, goal = env.robot.pose.position, above_floor(0.01, -0.02, 0.12)
    time_before = env.robot.data.time
    options = {"agent": "backward", "waypoints": waypoints(here, goal, 1.5), "gripper": 1.0}
    observation, info = env.reset(options=options)
    assert env.robot.data.time > time_before + 1.5  # it took its time
    np.testing.assert_allclose(observation["pose"][:3], goal, atol=0.002)
    assert observation["gripper"][0] > 0.98
    assert env.is_solved("forward")  # let go above the left bin, before the arm went
    assert (info["rescued"], info["solved"]) == (False, ("forward",))
    assert env.agent == "backward"
    assert not env.is_success()
    np.testing.assert_array_equal(
        env.robot.controller.gains.stiffness, env.config.gains().stiffness
    )
    before = env.cube.position
    env.reset(options={"agent": "forward", "waypoints": NOWHERE, "gripper": None})
    np.testing.assert_allclose(env.cube.position, before, atol=1e-4)
    np.testing.assert_allclose(env.robot.pose.position, goal, atol=0.002)
    assert env.is_success()


def test_a_lost_cube_ends_the_episode_and_is_put_back_and_told(env):
    env.reset(seed=0)
    env.put_cube(Pose(above_floor(0.0, -0.33, 0.1), UPRIGHT))
    *_, terminated, truncated, info = do(env, 1)
    assert (terminated, truncated, info["success"]) == (True, False, False)
    _, info = env.reset(options={"agent": "backward", "waypoints": NOWHERE, "gripper": None})
    assert (info["rescued"], info["solved"]) == (True, ("forward",))  # where backward begins


def test_a_seed_decides_the_start(env):
    starts = [env.reset(seed=seed)[0] for seed in (1, 1, 2)]
    for key in ("pose", "object_pose"):
        np.testing.assert_array_equal(starts[0][key], starts[1][key])
        assert np.abs(starts[0][key] - starts[2][key]).max() > 1e-3


@pytest.mark.parametrize("agent", TARGETS)
def test_the_demonstrator_solves_it(agent):
    env = gym.make("serl_sim/ObjectRelocation-v0", action_scale=SCALE, agent=agent)
    demonstrator = ObjectRelocationDemonstrator(env, seed=0)
    solved = []
    for episode in range(10):
        observation, _ = env.reset(seed=episode)
        demonstrator.reset()
        done = False
        while not done:
            observation, reward, terminated, truncated, _ = env.step(demonstrator(observation))
            done = terminated or truncated
        solved.append(reward)
    assert sum(solved) >= 9


def test_the_demonstrator_goes_on_from_a_hand_that_has_closed_on_nothing():
    env = ObjectRelocationEnv(action_scale=SCALE)
    demonstrator = ObjectRelocationDemonstrator(env, seed=0)
    env.reset(seed=1)
    do(env, 5, gripper=CLOSE)
    observation = do(env, 1)[0]
    assert observation["gripper"][0] < 0.1
    demonstrator.reset()
    assert any(env.step(demonstrator(env._observe()))[2] for _ in range(100))


def test_the_demonstrator_goes_on_from_a_hand_that_holds_the_cube():
    """As a corrector, it takes over from a policy that has taken it."""
    env = ObjectRelocationEnv(action_scale=SCALE)
    demonstrator = ObjectRelocationDemonstrator(env, seed=0)
    env.reset(seed=0)
    pick(env, -0.08)
    demonstrator.reset()
    observation, *_ = do(env, 1)
    heights = []
    for _ in range(100):
        action = demonstrator(observation)
        observation, *_ = env.step(action)
        heights.append(observation["pose"][2])
        if action[6] != STAY:
            break
    assert action[6] == OPEN  # over the other bin, the first that it asks of the gripper
    assert observation["pose"][1] > 0.03  # m: of the target's side
    assert min(heights[:10]) > heights[0] - 0.02


def test_the_cameras_see_the_cube():
    env = ObjectRelocationEnv(observations="vision")
    try:
        for y in (-0.09, 0.09):
            env.place(Pose(above_floor(0.0, y, 0.12), TOOL))
            put_cube(env, 0.0, y)
            seen = env._observe()
            assert list(seen)[-2:] == ["wrist_1", "side"]
            for name in ("wrist_1", "side"):
                red, green, blue = seen[name].astype(int).transpose(2, 0, 1)
                orange = (red > 2 * green) & (red > 100) & (blue < 60)
                assert orange.sum() > 40, name
    finally:
        env.close()


def test_the_cube_never_sinks_in(env):
    env.reset(seed=0)
    rng, deepest = np.random.default_rng(0), 0.0
    action = np.zeros(7)
    for _ in range(200):
        action = np.clip(0.8 * action + 0.5 * rng.normal(size=7), -1.0, 1.0)
        env.step(action)
        data = env.robot.data
        deepest = min(deepest, data.contact.dist[: data.ncon].min(initial=0.0))
    assert deepest > -0.004
    assert np.isfinite(data.qpos).all()
    assert mujoco.mjtWarning.mjWARN_BADQACC not in [
        i for i, warning in enumerate(data.warning) if warning.number
    ]
