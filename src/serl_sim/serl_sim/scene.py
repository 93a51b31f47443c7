"""What the scenes share: table, gripper shapes, wrist cameras, boxes to touch or to look at.

Lengths in metres. The world frame is the robot's base frame. What the robot can touch is made of
boxes and cylinders that collide; everything else is there to be seen.
"""

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from .geometry import to_wxyz

BOX = mujoco.mjtGeom.mjGEOM_BOX
CYLINDER = mujoco.mjtGeom.mjGEOM_CYLINDER

# Contacts: stiff (a 9 N push sinks in by less than 0.1 mm), critically damped, plastic on plastic.
TOUCH = {
    "contype": 1,
    "conaffinity": 1,
    "friction": [0.2, 0.002, 0.0001],
    "solref": [0.006, 1.0],
    "mass": 0.0,
}
LOOK = {"contype": 0, "conaffinity": 0, "mass": 0.0}

GREEN, LIGHT_GREEN = [0.04, 0.30, 0.15, 1], [0.10, 0.42, 0.22, 1]
BLACK, GREY, METAL = [0.06, 0.06, 0.07, 1], [0.33, 0.33, 0.35, 1], [0.72, 0.73, 0.75, 1]
GOLD, IVORY, WHITE = [0.85, 0.66, 0.20, 1], [0.95, 0.90, 0.74, 1], [0.92, 0.92, 0.90, 1]
ORANGE = [0.90, 0.35, 0.05, 1]
BLUE, DARK_BLUE = [0.16, 0.30, 0.62, 1], [0.10, 0.19, 0.42, 1]


def add_box(body, center, size, rgba, touch=False, **kwargs):
    """A box by its centre and full size."""
    how = {**(TOUCH if touch else LOOK), **kwargs}
    half = np.asarray(size) / 2
    return body.add_geom(type=BOX, pos=np.asarray(center), size=half, rgba=rgba, **how)


def add_gripper_shapes(spec: mujoco.MjSpec) -> None:
    """Hand and fingers as boxes (group 4): what wrist cameras see, and what touches the fixture.

    They do not touch a cable, which has no affinity for anything either.
    """
    touch = {"touch": True, "conaffinity": 0, "group": 4}
    add_box(spec.body("panda_hand"), [0, 0, 0.033], [0.06, 0.2, 0.066], WHITE, **touch)
    for name, side in (("panda_leftfinger", 1), ("panda_rightfinger", -1)):
        finger = spec.body(name)
        add_box(finger, [0, side * 0.0145, 0.018], [0.02, 0.014, 0.036], GREY, group=4)
        add_box(finger, [0, side * 0.0076, 0.045], [0.0175, 0.0152, 0.0185], GREY, **touch)


def add_lead_in_wall(
    body, axis: int, side: int, inner: float, wall: float, length: float, depth: float, lead: float
) -> None:
    """A wall along a slot whose floor is at the body's origin, with a 45 degree lead-in on top.

    `axis` is the wall's normal, 0 or 1, `side` -1 or 1; `inner` its distance from the middle,
    `wall` its thickness, `length` along the slot, `depth` from floor to rim, `lead` the lead-in's.
    """

    def place(normal, z, thickness, height, rgba, turn=None):
        center, size = np.zeros(3), np.zeros(3)
        center[axis], center[2] = side * normal, z
        size[axis], size[1 - axis], size[2] = thickness, length, height
        quat = None
        if turn is not None:  # about the wall's long axis
            axis_vector = np.eye(3)[1 - axis]
            quat = [np.cos(turn / 2), *(np.sin(turn / 2) * axis_vector)]
        add_box(body, center, size, rgba, touch=True, **({} if quat is None else {"quat": quat}))

    flat = wall - lead
    place(inner + wall / 2, (depth - lead) / 2, wall, depth - lead, IVORY)
    place(inner + lead + flat / 2, depth - lead / 2, flat, lead, IVORY)
    # A plate whose upper face is the lead-in: its centre lies half its thickness below that face.
    width, thickness = lead * np.sqrt(2), lead / 2
    inset = thickness / 2 / np.sqrt(2)
    turn = (-1 if axis == 0 else 1) * side * np.pi / 4
    center = inner + lead / 2 + inset, depth - lead / 2 - inset
    place(*center, width, thickness, WHITE, turn=turn)


def add_table(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    add_box(
        world, [0.35, 0, -0.02], [1.3, 1.2, 0.04], [0.72, 0.70, 0.66, 1], touch=True, name="table"
    )
    world.add_light(
        name="sun",
        pos=[0.9, -0.6, 1.5],
        dir=[-0.5, 0.35, -1],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=False,
        diffuse=[0.65, 0.65, 0.65],
    )


def add_wrist_cameras(
    spec: mujoco.MjSpec, positions: Sequence[ArrayLike], target: ArrayLike
) -> None:
    """Cameras wrist_1 and so on at `positions`, which look at the point `target`. In hand frame."""
    for number, position in enumerate(positions, 1):
        up = [0.0, 0.0, -1.0]  # the hand's z axis points down
        add_camera(spec.body("panda_hand"), f"wrist_{number}", position, target, up, fovy=64)


def add_camera(
    body, name: str, position: ArrayLike, target: ArrayLike, up: ArrayLike, fovy: float
) -> None:
    """Looks at the point `target`, with `up` upwards; in the body's frame, degrees."""
    backward = np.subtract(position, target)  # MuJoCo's cameras look along -z
    backward /= np.linalg.norm(backward)
    right = np.cross(up, backward)
    right /= np.linalg.norm(right)
    axes = np.column_stack([right, np.cross(backward, right), backward])
    quat = to_wxyz(Rotation.from_matrix(axes).as_quat())
    body.add_camera(name=name, pos=position, quat=quat, fovy=fovy)
