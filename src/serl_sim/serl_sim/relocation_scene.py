"""The object relocation scene: two bins with sloped walls, and a cube of foam in them.

Lengths in metres. The world frame is the robot's base frame. The bins lie side by side along y,
with a ridge between them; whatever is dropped on a slope slides into a bin.
"""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from .geometry import to_wxyz
from .gripper import PAD_FRICTION, add_gripper_motor
from .scene import (
    BOX,
    GREY,
    IVORY,
    METAL,
    ORANGE,
    TOUCH,
    WHITE,
    add_box,
    add_camera,
    add_gripper_shapes,
    add_table,
    add_wrist_cameras,
)

CENTER = np.array([0.50, 0.0, 0.03])  # of the floor, in the middle of both bins
CUBE = 0.04  # edge
CUBE_MASS = 0.06  # kg
RIDGE = 0.03  # height, and half the width, of what is between the bins
INNER = np.array([0.09, 0.16])  # half the floor of both together: x, y
BIN = INNER[1] - RIDGE  # length of one bin's floor along y
BIN_CENTER = RIDGE + BIN / 2  # of one bin: y
WALL = 0.045  # height of the outer slopes
FRICTION = 0.35  # of cube and bins: less than the slopes', 1

WRIST_CAMERA = [0.08, 0.0, 0.035]  # on the hand, beside the plane in which the fingers move
SIDE_CAMERA = CENTER + np.array([0.50, 0.0, 0.37])  # opposite the robot, looks at:
SIDE_TARGET = CENTER + np.array([-0.06, 0.0, 0.03])


def add_bins(spec: mujoco.MjSpec) -> None:
    """A floor, a ridge across, and slopes all around: prisms whose upper edges are horizontal."""
    bins = spec.worldbody.add_body(name="bins", pos=CENTER)
    outer, (x, y) = 2 * (INNER + 2 * WALL), INNER + WALL
    add_box(bins, [0, 0, -CENTER[2] / 2], [*outer, CENTER[2]], GREY, touch=True, name="floor")
    _add_prism(bins, 0, [0, 0, 0], 2 * x, RIDGE, METAL, "ridge")
    for side in (-1, 1):
        _add_prism(bins, 0, [0, side * y, 0], 2 * x, WALL, IVORY, f"wall_y{side}")
        _add_prism(bins, 1, [side * x, 0, 0], 2 * y, WALL, WHITE, f"wall_x{side}")


def _add_prism(body, axis: int, base, length: float, height: float, rgba, name: str) -> None:
    """A square prism along `axis` (0 or 1), on its edge and sunk by half: slopes of 45 degrees."""
    edge = height * np.sqrt(2)
    size = np.full(3, edge)
    size[axis] = length
    turn = Rotation.from_rotvec(np.eye(3)[axis] * np.pi / 4)
    add_box(body, base, size, rgba, touch=True, name=name, quat=to_wxyz(turn.as_quat()))


def add_cube(spec: mujoco.MjSpec) -> None:
    cube = spec.worldbody.add_body(name="cube", pos=[0, 0, 1])
    cube.add_freejoint(name="cube")
    cube.add_geom(
        name="cube",
        type=BOX,
        size=[CUBE / 2] * 3,
        rgba=ORANGE,
        condim=4,
        **(TOUCH | {"mass": CUBE_MASS, "friction": [FRICTION, 0.005, 0.0001]}),
    )


def add_relocation_scene(spec: mujoco.MjSpec) -> None:
    """To be added to an arm with sliding fingers, whose joints stay the first ones."""
    add_gripper_shapes(spec)
    for finger in ("panda_leftfinger", "panda_rightfinger"):
        for geom in spec.body(finger).geoms:
            geom.friction, geom.condim = PAD_FRICTION, 4
    add_gripper_motor(spec)
    add_wrist_cameras(spec, [WRIST_CAMERA], target=[0.0, 0.0, 0.115])
    add_camera(spec.worldbody, "side", SIDE_CAMERA, SIDE_TARGET, up=[0.0, 0.0, 1.0], fovy=36)
    add_table(spec)
    add_bins(spec)
    add_cube(spec)
