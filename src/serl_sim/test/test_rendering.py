"""Images of the wrist cameras and the overview, and what happens without a renderer."""

import os
import subprocess
import sys
import time

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from serl_sim.pcb_env import PcbInsertionEnv
from serl_sim.robot import Pose


@pytest.fixture(scope="module", params=["panda", "ur5"])
def vision_env(request):
    environment = PcbInsertionEnv(request.param, observations="vision", render_mode="rgb_array")
    yield environment
    environment.close()


def test_wrist_images(vision_env):
    observation, _ = vision_env.reset(seed=0)
    assert list(observation)[-2:] == ["wrist_1", "wrist_2"]
    assert "socket_pose" not in observation
    for name in ("wrist_1", "wrist_2"):
        image = observation[name]
        assert image.shape == (128, 128, 3)
        assert image.dtype == np.uint8
        red, green, blue = image.astype(int).transpose(2, 0, 1)
        assert (blue > red + 40).sum() > 100  # the connector
        assert (green > red + 30).sum() > 1000  # the board
    assert not np.array_equal(observation["wrist_1"], observation["wrist_2"])


@pytest.mark.parametrize("x", [-0.05, 0.05])
@pytest.mark.parametrize("y", [-0.05, 0.05])
@pytest.mark.parametrize("rz", [-0.35, 0.35])
def test_socket_is_in_view_of_a_camera_from_the_farthest_starts(vision_env, x, y, rz):
    """The socket's ivory rim is bright, and more red than blue."""
    goal = vision_env.goal
    rotation = Rotation.from_rotvec([0, 0, rz]) * goal.rotation
    position = goal.position + np.array([x, y, 0.04])
    vision_env.robot.reset(Pose(position, rotation))
    images = vision_env.cameras.render(vision_env.robot.data).values()
    red_blue = [image.astype(int)[..., [0, 2]].transpose(2, 0, 1) for image in images]
    assert max(((red > 120) & (red > blue + 25)).sum() for red, blue in red_blue) > 30


def test_images_are_deterministic_and_follow_the_arm(vision_env):
    first = vision_env.reset(seed=3)[0]["wrist_1"]
    moved = vision_env.step([1, 0, 0, 0, 0, 0])[0]["wrist_1"]
    again = vision_env.reset(seed=3)[0]["wrist_1"]
    np.testing.assert_array_equal(first, again)
    assert (first != moved).any(axis=-1).mean() > 0.05


def test_render_time(vision_env):
    """Printed, not asserted: machines differ. Under 5 ms on one idle core is what to expect."""
    vision_env.reset(seed=0)
    begin = time.perf_counter()
    for _ in range(20):
        vision_env.cameras.render(vision_env.robot.data)
    print(f"wrist camera: {(time.perf_counter() - begin) / 40 * 1e3:.2f} ms per image")


def test_overview(vision_env):
    vision_env.reset(seed=0)
    picture = vision_env.render()
    assert picture.shape == (720, 1280, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 20


def test_every_link_has_its_meshes_in_the_overview(vision_env):
    model = vision_env.overview_model()
    meshes = model.geom_bodyid[model.geom_type == mujoco.mjtGeom.mjGEOM_MESH]
    assert set(meshes) == set(range(model.nbody)) - {model.body("fixture").id}
    assert vision_env.robot.model.nmesh == 0  # physics and wrist cameras do without


def test_no_render_mode_renders_nothing(env):
    assert env.render() is None


def test_without_a_renderer_states_work_and_images_are_one_line():
    """A machine without EGL and display: MuJoCo is told to use none."""
    script = (
        "from serl_sim.pcb_env import PcbInsertionEnv\n"
        "PcbInsertionEnv().reset(seed=0)\n"
        "try:\n"
        "    PcbInsertionEnv(observations='vision')\n"
        "except RuntimeError as error:\n"
        "    print(error)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=environment | {"MUJOCO_GL": "disable"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("cannot render: expected EGL")


def test_renderer_is_chosen_before_mujoco_is_imported():
    script = "import os, serl_sim, sys; print(os.environ['MUJOCO_GL'], 'mujoco' in sys.modules)"
    environment = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["egl", "False"]
