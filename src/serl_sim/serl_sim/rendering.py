"""Offscreen pictures: small and fast ones of the task's cameras, large ones of the whole scene."""

import importlib.util
import os

import mujoco
import numpy as np

CAMERA_SIZE = 128  # px, square
OVERVIEW_SIZE = (720, 1280)  # px, height and width
INSET_REDUCTION = 3  # of the close-up, to a third of the picture's size
BORDER = 4  # px
_FAST = (
    mujoco.mjtRndFlag.mjRND_SHADOW,
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_SKYBOX,
    mujoco.mjtRndFlag.mjRND_HAZE,
)


def _renderer(model: mujoco.MjModel, height: int, width: int, samples: int, shadows: int):
    """MuJoCo's renderer, with buffers no larger than needed: their size decides a CPU's speed."""
    # Mesa's LLVM and that of Triton, which torch's optimisers import, live together in a process
    # only if Triton's comes first.
    if importlib.util.find_spec("triton"):
        importlib.import_module("triton")
    model.vis.global_.offheight, model.vis.global_.offwidth = height, width
    model.vis.quality.offsamples, model.vis.quality.shadowsize = samples, shadows
    try:
        return mujoco.Renderer(model, height, width)
    except Exception as error:  # whatever the graphics stack throws
        raise RuntimeError(
            "cannot render: expected EGL (apt install libegl1 libgl1-mesa-dri libopengl0) and "
            "MUJOCO_GL=egl set before mujoco is imported, got "
            f"MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r} and {type(error).__name__}"
        ) from error


class CameraRenderer:
    """Images of the cameras that the policy sees through: of primitives only."""

    def __init__(self, model: mujoco.MjModel, cameras: tuple[str, ...]):
        self.cameras = cameras
        self._renderer = _renderer(model, CAMERA_SIZE, CAMERA_SIZE, samples=0, shadows=0)
        for flag in _FAST:
            self._renderer.scene.flags[flag] = False
        self._options = mujoco.MjvOption()
        self._options.geomgroup[4] = True  # hand and fingers as boxes

    def render(self, data: mujoco.MjData) -> dict[str, np.ndarray]:  # uint8 (128, 128, 3) each
        return {name: self.render_one(data, name) for name in self.cameras}

    def render_one(self, data: mujoco.MjData, name: str) -> np.ndarray:  # uint8 (128, 128, 3)
        self._renderer.update_scene(data, name, self._options)
        return self._renderer.render()

    def close(self) -> None:
        self._renderer.close()


class OverviewRenderer:
    """Pictures of the whole robot with a close-up inset, of a model of its own with full meshes."""

    def __init__(self, model: mujoco.MjModel, closeup: np.ndarray, distance: float, azimuth: float):
        """`closeup` (3,): the point that the inset shows, base frame, m; from where: m, degrees."""
        self._model, self._data = model, mujoco.MjData(model)
        self._renderer = _renderer(model, *OVERVIEW_SIZE, samples=4, shadows=2048)
        self._overview = _camera(np.array([0.34, 0.0, 0.27]), distance=1.2, azimuth=128)
        self._closeup = _camera(closeup, distance, azimuth)

    def render(self, data: mujoco.MjData) -> np.ndarray:  # uint8 (720, 1280, 3)
        """`data` is of a model with the same joints and mocap bodies."""
        self._data.qpos[:] = data.qpos
        self._data.mocap_pos[:] = data.mocap_pos
        mujoco.mj_forward(self._model, self._data)
        picture = self._look(self._overview)
        inset = self._look(self._closeup)[::INSET_REDUCTION, ::INSET_REDUCTION]
        height, width, _ = inset.shape
        picture[: height + BORDER, -width - BORDER :] = 255
        picture[:height, -width:] = inset
        return picture

    def close(self) -> None:
        self._renderer.close()

    def _look(self, camera: mujoco.MjvCamera) -> np.ndarray:  # uint8 (720, 1280, 3)
        self._renderer.update_scene(self._data, camera)
        return self._renderer.render()


def _camera(lookat: np.ndarray, distance: float, azimuth: float) -> mujoco.MjvCamera:
    """m, degrees"""
    camera = mujoco.MjvCamera()
    camera.lookat[:] = lookat
    camera.distance, camera.azimuth, camera.elevation = distance, azimuth, -20
    return camera
