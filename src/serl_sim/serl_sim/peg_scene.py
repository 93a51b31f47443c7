"""The peg insertion scene: a peg of one of several cross sections, and its hole in a board.

After the objects of the Functional Manipulation Benchmark (Luo et al. 2024). Lengths in metres. The
world frame is the robot's base frame.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from .arms import HAND_TO_TCP, HeldObject
from .geometry import to_wxyz
from .scene import (
    BLACK,
    CYLINDER,
    METAL,
    ORANGE,
    TOUCH,
    add_box,
    add_gripper_shapes,
    add_lead_in_wall,
    add_table,
    add_wrist_cameras,
)

CLEARANCE = 0.0005  # per side
DEPTH = 0.020  # of the hole
CHAMFER = 0.002  # lead-in, 45 degrees
WALL = 0.010  # thickness of what surrounds the hole
LENGTH = 0.060  # of a peg
TIP = 0.045  # of that, below the fingers' middle
MASS = 0.03  # kg
CAMERAS = [0.07, 0.03, 0.05], [-0.07, -0.03, 0.05]  # on the hand, on either side
SEAT = np.array([0.50, 0.0, 0.030])  # the hole's floor: where the peg's tip rests when seated

_SIDES = 24  # of the round hole
_FLOOR = 0.004  # thickness of the hole's floor


@dataclass(frozen=True)
class Wall:
    """A side of the hole, straight and upright, seen from above."""

    direction: float  # rad about z, of its normal
    inner: float  # its distance from the middle
    begin: float  # from where to where it goes, along its normal turned by a quarter
    end: float


@dataclass(frozen=True)
class Shape:
    """A peg's cross section around the origin, and the walls of its hole."""

    width: float  # along y, between the fingers
    walls: tuple[Wall, ...]
    boxes: tuple[tuple[float, float, float], ...] = ()  # size x, size y, turn in rad about z
    radius: float = 0.0  # of a round one, which has no boxes


def _rectangle(x: float, y: float) -> Shape:
    walls = _around([x / 2, y / 2] * 2, [y, x] * 2)
    return Shape(y, walls, ((x, y, 0.0),))


def _hexagon(across: float) -> Shape:
    """Regular, opposite sides `across` apart: three boxes cover it."""
    side = across / np.sqrt(3)
    walls = _around([across / 2] * 6, [side] * 6, first=np.pi / 6)
    return Shape(across, walls, tuple((side, across, k * np.pi / 3) for k in range(3)))


def _round(diameter: float) -> Shape:
    side = diameter * np.tan(np.pi / _SIDES)
    walls = _around([diameter / 2] * _SIDES, [side] * _SIDES)
    return Shape(diameter, walls, radius=diameter / 2)


def _cross(length: float, width: float) -> Shape:
    """Two bars."""
    end, inside = length / 2 + CLEARANCE, width / 2 + CLEARANCE
    outside = end + WALL / 2  # in the wall of the end
    walls = []
    for direction in np.arange(4) * np.pi / 2:
        walls.append(Wall(direction, end, -inside - WALL, inside + WALL))
        # Of two that meet at an inner corner, neither fills the other one's lead-in.
        corner = inside + CHAMFER
        walls.append(Wall(direction, inside, corner, outside))
        walls.append(Wall(direction, inside, -outside, -corner))
    return Shape(length, tuple(walls), ((length, width, 0.0), (width, length, 0.0)))


def _around(distances: list[float], sides: list[float], first: float = 0.0) -> tuple[Wall, ...]:
    """Of a convex hole with equal angles: the peg's sides, counter-clockwise; mitred outside."""
    turn = 2 * np.pi / len(sides)
    mitre = (CLEARANCE + WALL) * np.tan(turn / 2)
    return tuple(
        Wall(first + k * turn, distance + CLEARANCE, -side / 2 - mitre, side / 2 + mitre)
        for k, (distance, side) in enumerate(zip(distances, sides, strict=True))
    )


SHAPES = {
    "hexagon": _hexagon(0.028),
    "rectangle": _rectangle(0.036, 0.022),
    "cross": _cross(0.034, 0.012),
    "round": _round(0.028),
}


def held_peg(shape: Shape) -> HeldObject:
    size = (shape.width, shape.width, LENGTH)
    return HeldObject(mass=MASS, size=size, tip=TIP, grip_width=shape.width)


def add_peg(spec: mujoco.MjSpec, shape: Shape) -> None:
    """Behind the frame `tool` at its tip (tool z points out of the tip)."""
    tool, middle = spec.body("tool"), [0, 0, -LENGTH / 2]
    for x, y, turn in shape.boxes:
        add_box(tool, middle, [x, y, LENGTH], ORANGE, touch=True, quat=_about_z(turn))
    if shape.radius > 0.0:
        size = [shape.radius, LENGTH / 2, 0]
        tool.add_geom(type=CYLINDER, pos=middle, size=size, rgba=ORANGE, **TOUCH)


def add_hole(fixture, shape: Shape) -> None:
    """Its floor's middle is the fixture's origin."""
    reach = 2 * max(wall.inner + WALL for wall in shape.walls)
    center, size = [0, 0, -_FLOOR / 2], [reach, reach, _FLOOR]
    add_box(fixture, center, size, BLACK, touch=True, name="hole_floor")
    for wall in shape.walls:
        turn = Rotation.from_rotvec([0.0, 0.0, wall.direction])
        aside = turn.apply([0.0, (wall.begin + wall.end) / 2, 0.0])
        side = fixture.add_body(pos=aside, quat=to_wxyz(turn.as_quat()))
        add_lead_in_wall(side, 0, 1, wall.inner, WALL, wall.end - wall.begin, DEPTH, CHAMFER)


def add_peg_scene(spec: mujoco.MjSpec, shape: Shape) -> None:
    add_peg(spec, shape)
    add_gripper_shapes(spec)
    # Far ahead of the tip: at any start at least one camera has the hole in view.
    add_wrist_cameras(spec, CAMERAS, target=[0.0, 0.0, HAND_TO_TCP + TIP + 0.05])
    add_table(spec)
    fixture = spec.worldbody.add_body(name="fixture", pos=SEAT, mocap=True)
    height = SEAT[2] - _FLOOR
    center = [0, 0, height / 2 - SEAT[2]]
    add_box(fixture, center, [0.16, 0.12, height], METAL, touch=True, name="board")
    add_hole(fixture, shape)


def _about_z(turn: float) -> np.ndarray:  # (4,) w-x-y-z
    return to_wxyz(Rotation.from_rotvec([0.0, 0.0, turn]).as_quat())
