"""What only pictures for people show: the arm's full meshes, a floor, a background, shadows.

The meshes are the URDF's COLLADA files, which MuJoCo does not read by itself.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from .arms import Arm, description, robots_directory
from .geometry import to_wxyz

_PACKAGE = "package://example-robot-data/robots/"
_NS = {"c": "http://www.collada.org/2005/11/COLLADASchema"}


class Part(NamedTuple):
    """One mesh of one colour."""

    vertices: np.ndarray  # (V, 3) m
    faces: np.ndarray  # (F, 3) indices of vertices
    rgba: np.ndarray  # (4,)


def read_collada(path: Path) -> Iterator[Part]:
    """The parts of a COLLADA file made of triangles, as those of the arms are.

    Their normals are left out: some are wrong, and MuJoCo computes its own.
    """
    root = ET.parse(path).getroot()

    def numbers(element, kind=float):
        return np.array(element.text.split(), dtype=kind)

    def by_id(url):
        return root.find(f".//*[@id='{url.lstrip('#')}']")

    def source(url):
        return numbers(by_id(url).find("c:float_array", _NS)).reshape(-1, 3)

    for node in root.iterfind(".//c:visual_scene//c:node", _NS):
        transform = numbers(node.find("c:matrix", _NS)).reshape(4, 4)
        for instance in node.iterfind("c:instance_geometry", _NS):
            for triangles in by_id(instance.get("url")).iterfind("c:mesh/c:triangles", _NS):
                inputs = {i.get("semantic"): i for i in triangles.iterfind("c:input", _NS)}
                positions = by_id(inputs["VERTEX"].get("source")).find("c:input", _NS)
                effect = by_id(triangles.get("material")).find("c:instance_effect", _NS)
                color = by_id(effect.get("url")).find(".//c:diffuse/c:color", _NS)
                index = numbers(triangles.find("c:p", _NS), int).reshape(-1, 3, len(inputs))
                yield Part(
                    source(positions.get("source")) @ transform[:3, :3].T + transform[:3, 3],
                    index[..., int(inputs["VERTEX"].get("offset"))],
                    numbers(color),
                )


def add_visual_meshes(spec: mujoco.MjSpec, arm: Arm) -> None:
    """Adds the meshes of all links (group 2) to an arm made by `arm_spec`."""
    links = description(arm).iterfind("link")
    visuals = [(link.get("name"), visual) for link in links for visual in link.iterfind("visual")]
    for link, visual in visuals:
        origin = visual.find("origin")
        rpy = [float(x) for x in origin.get("rpy").split()] if origin is not None else [0, 0, 0]
        file = visual.find("geometry/mesh").get("filename").removeprefix(_PACKAGE)
        for i, part in enumerate(read_collada(robots_directory() / file)):
            mesh = spec.add_mesh(
                name=f"{link}_{i}",
                uservert=part.vertices.ravel(),
                userface=part.faces.ravel(),
                inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
            )
            spec.body(link).add_geom(
                type=mujoco.mjtGeom.mjGEOM_MESH,
                meshname=mesh.name,
                quat=to_wxyz(Rotation.from_euler("xyz", rpy).as_quat()),
                rgba=part.rgba,
                contype=0,
                conaffinity=0,
                mass=0.0,
                group=2,
            )


def add_backdrop(spec: mujoco.MjSpec) -> None:
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.86, 0.89, 0.93],
        rgb2=[0.55, 0.60, 0.67],
        width=64,
        height=384,
    )
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[0, 0, -0.75],
        size=[6, 6, 0.1],
        rgba=[0.62, 0.64, 0.67, 1],
        contype=0,
        conaffinity=0,
    )
    spec.light("sun").castshadow = True
    spec.visual.map.shadowclip = 0.5  # of the extent: sharp shadows near the robot
    spec.visual.headlight.ambient = [0.3, 0.3, 0.3]
    spec.visual.headlight.diffuse = [0.3, 0.3, 0.3]
