"""A simulated scene in 3D on the viewer's page, to be looked at from anywhere."""

from collections.abc import Iterator

import gymnasium as gym
import mujoco
import numpy as np
import rerun

from .geometry import to_xyzw
from .manipulation_env import ManipulationEnv

ROOT = "scene"
SHOWN_GROUPS = 3  # of geoms: what MuJoCo shows by default
GEOM = mujoco.mjtGeom


class SceneView:
    """Bodies once, with their shapes; then only where they are. Metres, base frame."""

    def __init__(self, model: mujoco.MjModel, recording: rerun.RecordingStream):
        self._recording = recording
        recording.log(ROOT, rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        for path, shapes in _geoms(model):
            recording.log(path, *shapes, static=True)

    def show(self, poses: dict[str, np.ndarray]) -> None:
        """Of bodies, as `body_poses` gives them."""
        for body, pose in poses.items():
            where = rerun.Transform3D(translation=pose[:3], quaternion=pose[3:])
            self._recording.log(f"{ROOT}/{body}", where)


def scene_of(environment: gym.Env) -> mujoco.MjModel | None:
    """What a SceneView shows of a simulation; None where this is none of ours."""
    ours = isinstance(environment.unwrapped, ManipulationEnv)
    return environment.unwrapped.overview_model() if ours else None


def _geoms(model: mujoco.MjModel) -> Iterator[tuple[str, list[rerun.AsComponents]]]:
    """Paths, and what to show there, in the frame of the geom's body."""
    for geom in range(model.ngeom):
        colour = model.geom_rgba[geom]
        shape = _shape(model, geom, colour)
        if model.geom_group[geom] < SHOWN_GROUPS and shape is not None:
            placed = rerun.Transform3D(
                translation=model.geom_pos[geom], quaternion=to_xyzw(model.geom_quat[geom])
            )
            body = model.body(model.geom_bodyid[geom]).name
            yield f"{ROOT}/{body}/{geom}", [placed, shape]


def _shape(model: mujoco.MjModel, geom: int, colour: np.ndarray) -> rerun.AsComponents | None:
    """None for what has no end, such as the floor."""
    size = model.geom_size[geom]
    solid = {"colors": [colour], "fill_mode": "solid"}
    match model.geom_type[geom]:
        case GEOM.mjGEOM_MESH:
            return _mesh(model, model.geom_dataid[geom], colour)
        case GEOM.mjGEOM_BOX:
            return rerun.Boxes3D(half_sizes=[size], **solid)
        case GEOM.mjGEOM_CYLINDER:
            return rerun.Cylinders3D(radii=[size[0]], lengths=[2 * size[1]], **solid)
        case GEOM.mjGEOM_CAPSULE:
            # It ends at the origin in rerun, and has its middle there in MuJoCo.
            ends = {"lengths": [2 * size[1]], "translations": [[0.0, 0.0, -size[1]]]}
            return rerun.Capsules3D(radii=[size[0]], **ends, **solid)
        case GEOM.mjGEOM_SPHERE:
            return rerun.Ellipsoids3D(half_sizes=[size[[0, 0, 0]]], **solid)
        case GEOM.mjGEOM_ELLIPSOID:
            return rerun.Ellipsoids3D(half_sizes=[size], **solid)
    return None


def _mesh(model: mujoco.MjModel, mesh: int, colour: np.ndarray) -> rerun.Mesh3D:
    first, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
    vertices = slice(first, first + model.mesh_vertnum[mesh])  # each has a normal
    return rerun.Mesh3D(
        vertex_positions=model.mesh_vert[vertices],
        vertex_normals=model.mesh_normal[vertices],
        triangle_indices=model.mesh_face[face : face + model.mesh_facenum[mesh]],
        albedo_factor=colour,
    )
