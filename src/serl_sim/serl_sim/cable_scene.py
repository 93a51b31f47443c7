"""The cable routing scene: a cable from a post to the gripper, a clip with a slot for it, a table.

Lengths in metres. The world frame is the robot's base frame. The slot is along x, the post is
beyond it. The cable is a chain of point masses, inextensible and with bending stiffness.
"""

import mujoco
import numpy as np
from scipy.optimize import brentq

from .arms import HAND_TO_TCP, TOOL_FRAME, HeldObject
from .scene import (
    BLACK,
    CYLINDER,
    DARK_BLUE,
    GOLD,
    GREY,
    LOOK,
    METAL,
    ORANGE,
    TOUCH,
    add_box,
    add_gripper_shapes,
    add_lead_in_wall,
    add_table,
    add_wrist_cameras,
)

RADIUS = 0.0025  # of the cable
SEGMENT = 0.0168  # between neighbouring points
POINTS = 19  # the first two are fixed in the post, the last two between the fingers
# Between post and fingers: enough for each pose in the workspace, little at the goal. With more of
# it the cable hangs down beside the clip; that is why the post is high and not near.
FREE_LENGTH = SEGMENT * (POINTS - 3)
_LINEAR_DENSITY = 0.05  # kg/m
_BENDING_STIFFNESS = 1e-4  # Nm^2, a soft cable's: hangs down, yet goes where it is pushed

DRAG = 0.003  # Ns/m of each point: a swinging cable comes to rest within half a second

CLEARANCE = 0.00025  # per side, of the cable in the slot
DEPTH = 0.010  # of the slot, from floor to rim
THICKNESS = 0.012  # of the clip, along the slot
LEAD = 0.003  # of the slot's lead-in, 45 degrees
WALL = 0.005  # thickness of the slot's walls

FLOOR = np.array([0.505, 0.0, 0.070])  # middle of the slot's floor
CLAMP = np.array([0.705, 0.0, 0.115])  # where the cable comes out of the post, towards the robot
SEAT = FLOOR - [0.025, 0.0, 0.0]  # of the tool, when the cable lies in the slot
# The ends of the centreline's part in the clip when it does: towards the post, towards the tool.
SEATED = FLOOR + np.array([[THICKNESS / 2, 0.0, RADIUS], [-THICKNESS / 2, 0.0, RADIUS]])

# The end of the cable, along the hand's x axis. The tool's frame is at its lower side.
CABLE_END = HeldObject(
    mass=0.001, size=(SEGMENT, 2 * RADIUS, 2 * RADIUS), tip=0.006, grip_width=2 * RADIUS
)
# On the hand: one looks along the cable, where to, and one from the side, how deep. From behind,
# the fingers would hide the clip.
CAMERAS = [0.07, 0.02, 0.055], [0.025, -0.05, 0.08]
# Contacts of the cable: as hard as lets a 45 degree lead-in guide such light points.
_CONTACT = {
    "contype": TOUCH["contype"],
    "conaffinity": 0,
    "priority": 1,  # over the parameters of what it touches
    "friction": [0.1, 0.002, 0.0001],
    "solref": [0.004, 1.0],
    "solimp": [0.98, 0.98, 0.001, 0.5, 2.0],
}
# What holds it together: stretched by less than 1 %, unless the arm jerks at it while it is caught.
_HOLD = {"solref": [0.003, 1.0], "solimp": [0.99, 0.99, 0.001, 0.5, 2.0]}


def add_clip(spec: mujoco.MjSpec) -> None:
    """A slot on a pedestal, open at the top and at both ends."""
    clip = spec.worldbody.add_body(name="clip", pos=FLOOR)
    inner = RADIUS + CLEARANCE
    size = np.array([THICKNESS, 2 * (inner + WALL), FLOOR[2]])
    add_box(clip, [0, 0, -size[2] / 2], size, DARK_BLUE, touch=True, name="clip_floor")
    for side in (-1, 1):
        add_lead_in_wall(clip, 1, side, inner, WALL, THICKNESS, DEPTH, LEAD)


def add_fixture(spec: mujoco.MjSpec) -> None:
    """A plate on the table, and the post, which nothing can reach."""
    plate = [(FLOOR[0] + CLAMP[0]) / 2, 0, 0.004]
    add_box(spec.worldbody, plate, [0.32, 0.14, 0.008], GREY, touch=True, name="plate")
    post = spec.worldbody.add_body(name="post", pos=CLAMP)
    add_box(post, [0.017, 0, -CLAMP[2] / 2], [0.016, 0.016, CLAMP[2]], METAL)
    add_box(post, [0.017, 0, 0], [0.034, 0.018, 0.018], BLACK)
    for y in (-0.005, 0.005):
        post.add_geom(
            type=CYLINDER, pos=[0.017, y, 0.009], size=[0.0025, 0.001, 0], rgba=GOLD, **LOOK
        )


def add_cable(spec: mujoco.MjSpec) -> None:
    """The cable, straight when relaxed: points on slides of their own, fixed at both ends."""
    relaxed = CLAMP + np.outer(1 - np.arange(POINTS), [SEGMENT, 0.0, 0.0])
    for i in range(2, POINTS):
        _add_point(spec, i, relaxed[i])
    flex = spec.add_flex(
        name="cable",
        dim=1,
        radius=RADIUS,
        young=_BENDING_STIFFNESS / (np.pi * RADIUS**4 / 4),
        damping=0.05,  # s
        rgba=ORANGE,
        selfcollide=mujoco.mjtFlexSelf.mjFLEXSELF_NONE,
        **_CONTACT,
    )
    flex.vertbody = ["world", "world", *(f"cable_{i}" for i in range(2, POINTS))]
    flex.vert = np.vstack([relaxed[:2], np.zeros((POINTS - 2, 3))]).ravel()
    flex.elem = np.column_stack([np.arange(POINTS - 1), np.arange(1, POINTS)]).ravel()
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_FLEX, objtype=mujoco.mjtObj.mjOBJ_FLEX, name1="cable", **_HOLD
    )
    for i, side in ((POINTS - 2, 1), (POINTS - 1, -1)):
        _hold_point(spec, i, np.array([side * SEGMENT / 2, 0.0, -RADIUS]))


def _add_point(spec: mujoco.MjSpec, i: int, position: np.ndarray) -> None:
    body = spec.worldbody.add_body(name=f"cable_{i}", pos=position, explicitinertial=True)
    body.mass = _LINEAR_DENSITY * SEGMENT
    body.inertia = np.full(3, body.mass * SEGMENT**2 / 6)  # a cube's, which never turns
    for axis in np.eye(3):
        body.add_joint(type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis)


def _hold_point(spec: mujoco.MjSpec, i: int, place: np.ndarray) -> None:
    """Holds a point of the cable at `place` in the tool's frame."""
    for body, name, position in (
        (spec.body(f"cable_{i}"), f"cable_{i}", np.zeros(3)),
        (spec.body(TOOL_FRAME), f"grip_{i}", place),
    ):
        body.add_site(name=name, pos=position, rgba=[0, 0, 0, 0])
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_CONNECT,
        objtype=mujoco.mjtObj.mjOBJ_SITE,
        name1=f"cable_{i}",
        name2=f"grip_{i}",
        **_HOLD,
    )


def add_cable_scene(spec: mujoco.MjSpec) -> None:
    """To be added to an arm, whose joints stay the first ones."""
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_DISCRETE  # implicit in the bending
    add_gripper_shapes(spec)
    add_wrist_cameras(spec, CAMERAS, target=[0.022, 0.0, HAND_TO_TCP + CABLE_END.tip])
    add_table(spec)
    add_fixture(spec)
    add_clip(spec)
    add_cable(spec)


def hanging_cable(grip: np.ndarray, axis: np.ndarray) -> np.ndarray:  # (POINTS, 3)
    """Points of a smooth curve from post to gripper, as long as the cable, and above the clip.

    `grip` (3,) is the middle of the held part, `axis` (3,) its direction towards the post.
    """
    end = grip + SEGMENT / 2 * axis

    def curve(bow: float) -> np.ndarray:  # (200, 3) of a cubic Bezier curve
        up = np.array([0.0, 0.0, bow])
        t = np.linspace(0.0, 1.0, 200)[:, None]
        leaving, arriving = CLAMP + up - [0.04, 0.0, 0.0], end + up + 0.04 * axis
        early, late = 3 * t * (1 - t) ** 2 * leaving, 3 * t**2 * (1 - t) * arriving
        return (1 - t) ** 3 * CLAMP + early + late + t**3 * end

    bow = brentq(lambda bow: _arc(curve(bow))[-1] - FREE_LENGTH, 0.0, FREE_LENGTH)
    points = curve(bow)
    arc = _arc(points)
    at = np.linspace(0.0, arc[-1], POINTS - 2)
    free = np.column_stack([np.interp(at, arc, x) for x in points.T])
    return np.vstack([CLAMP + np.array([SEGMENT, 0.0, 0.0]), free, end - SEGMENT * axis])


def _arc(points: np.ndarray) -> np.ndarray:  # (n,) m
    """Length along a polyline up to each of its points."""
    return np.append(0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1)))
