"""The board insertion scene: a connector in the gripper, its socket on a circuit board, a table.

Lengths in metres. The world frame is the robot's base frame. What the robot can touch is made of
boxes that collide; everything else is there to be seen.
"""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from .arms import HAND_TO_TCP, HeldObject
from .geometry import to_wxyz

BOX = mujoco.mjtGeom.mjGEOM_BOX
CYLINDER = mujoco.mjtGeom.mjGEOM_CYLINDER

PLUG = np.array([0.020, 0.008])  # cross section of the part that goes in
CLEARANCE = 0.0004  # per side
DEPTH = 0.008  # of the socket
CHAMFER = 0.001  # lead-in, 45 degrees
WALL = 0.0026  # thickness of the socket's walls

CONNECTOR = HeldObject(mass=0.012, size=(0.024, 0.008, 0.032), tip=0.030, grip_width=0.008)
SEAT = np.array([0.50, 0.0, 0.0306])  # the socket's floor: where the plug's tip rests when seated

_BASE = 0.001  # the socket's floor above the board
_BOARD = np.array([0.150, 0.100, 0.0016])
_BOARD_CENTER = np.array([0.012, -0.006, -_BASE - _BOARD[2] / 2])  # from SEAT

# Contacts: stiff (a 9 N push sinks in by less than 0.1 mm), critically damped, plastic on plastic.
_TOUCH = {
    "contype": 1,
    "conaffinity": 1,
    "friction": [0.2, 0.002, 0.0001],
    "solref": [0.006, 1.0],
    "mass": 0.0,
}
_LOOK = {"contype": 0, "conaffinity": 0, "mass": 0.0}

GREEN, LIGHT_GREEN = [0.04, 0.30, 0.15, 1], [0.10, 0.42, 0.22, 1]
BLACK, GREY, METAL = [0.06, 0.06, 0.07, 1], [0.33, 0.33, 0.35, 1], [0.72, 0.73, 0.75, 1]
GOLD, IVORY, WHITE = [0.85, 0.66, 0.20, 1], [0.95, 0.90, 0.74, 1], [0.92, 0.92, 0.90, 1]
BLUE, DARK_BLUE = [0.16, 0.30, 0.62, 1], [0.10, 0.19, 0.42, 1]


def _box(body, center, size, rgba, touch=False, **kwargs):
    """A box by its centre and full size."""
    how = _TOUCH if touch else _LOOK
    half = np.asarray(size) / 2
    return body.add_geom(type=BOX, pos=np.asarray(center), size=half, rgba=rgba, **how, **kwargs)


def add_connector(spec: mujoco.MjSpec) -> None:
    """The held connector, behind the frame `tool` at its tip (tool z points out of the tip)."""
    tool = spec.body("tool")
    plug_length = DEPTH + 0.002
    grip = CONNECTOR.size[2] - plug_length
    _box(tool, [0, 0, -plug_length / 2], [*PLUG, plug_length], BLUE, touch=True, name="plug")
    center = [0, 0, -plug_length - grip / 2]
    _box(tool, center, [*CONNECTOR.size[:2], grip], DARK_BLUE, touch=True, name="housing")
    for x in np.linspace(-0.008, 0.008, 7):  # contacts, flush with the plug's faces
        for side in (-1, 1):
            center = [x, side * PLUG[1] / 2, -plug_length / 2 - 0.0005]
            _box(tool, center, [0.0013, 0.0002, plug_length - 0.003], GOLD)


def add_gripper_shapes(spec: mujoco.MjSpec) -> None:
    """Hand and fingers as boxes (group 4): what wrist cameras see, and what can touch the board."""
    _box(spec.body("panda_hand"), [0, 0, 0.033], [0.06, 0.2, 0.066], WHITE, touch=True, group=4)
    for name, side in (("panda_leftfinger", 1), ("panda_rightfinger", -1)):
        finger = spec.body(name)
        _box(finger, [0, side * 0.0145, 0.018], [0.02, 0.014, 0.036], GREY, group=4)
        _box(finger, [0, side * 0.0076, 0.045], [0.0175, 0.0152, 0.0185], GREY, touch=True, group=4)


def _add_socket_side(socket, axis: int, side: int) -> None:
    """One wall with a 45 degree lead-in at its top; `axis` is the wall's normal."""
    inner = PLUG / 2 + CLEARANCE
    outer = inner + WALL
    length = 2 * outer[1 - axis]

    def place(normal, z, thickness, height, rgba, turn=None):
        center, size = np.zeros(3), np.zeros(3)
        center[axis], center[2] = side * normal, z
        size[axis], size[1 - axis], size[2] = thickness, length, height
        quat = None
        if turn is not None:  # about the wall's long axis
            axis_vector = np.eye(3)[1 - axis]
            quat = [np.cos(turn / 2), *(np.sin(turn / 2) * axis_vector)]
        _box(socket, center, size, rgba, touch=True, **({} if quat is None else {"quat": quat}))

    wall, flat = inner[axis], WALL - CHAMFER
    place(wall + WALL / 2, (DEPTH - CHAMFER) / 2, WALL, DEPTH - CHAMFER, IVORY)
    place(wall + CHAMFER + flat / 2, DEPTH - CHAMFER / 2, flat, CHAMFER, IVORY)
    # A plate whose upper face is the lead-in: its centre lies half its thickness below that face.
    width, thickness = CHAMFER * np.sqrt(2), CHAMFER / 2
    inset = thickness / 2 / np.sqrt(2)
    turn = (-1 if axis == 0 else 1) * side * np.pi / 4
    center = wall + CHAMFER / 2 + inset, DEPTH - CHAMFER / 2 - inset
    place(*center, width, thickness, WHITE, turn=turn)


def add_socket(fixture) -> None:
    socket = fixture.add_body(name="socket")
    outer = 2 * (PLUG / 2 + CLEARANCE + WALL)
    _box(socket, [0, 0, -_BASE / 2], [*outer, _BASE], BLACK, touch=True, name="socket_floor")
    for axis in (0, 1):
        for side in (-1, 1):
            _add_socket_side(socket, axis, side)
    for x in np.linspace(-0.008, 0.008, 7):  # solder tails
        for side in (-1, 1):
            _box(
                socket, [x, side * (outer[1] / 2 + 0.001), -0.0008], [0.0012, 0.003, 0.0004], METAL
            )


def add_board(fixture) -> None:
    """The board, with parts and traces to look at."""
    board = fixture.add_body(name="board", pos=_BOARD_CENTER)
    top = _BOARD[2] / 2
    _box(board, [0, 0, 0], _BOARD, GREEN, touch=True, name="board")
    for x in (-1, 1):
        for y in (-1, 1):
            corner = [x * (_BOARD[0] / 2 - 0.006), y * (_BOARD[1] / 2 - 0.006)]
            screw = {"type": CYLINDER, **_LOOK}
            board.add_geom(pos=[*corner, -0.005], size=[0.004, 0.005, 0], rgba=GOLD, **screw)
            board.add_geom(pos=[*corner, top], size=[0.0035, 0.0012, 0], rgba=METAL, **screw)
    chips = [  # x, y, size x, size y, height
        (-0.045, 0.018, 0.016, 0.016, 0.0018),
        (0.042, 0.020, 0.012, 0.018, 0.0022),
        (0.036, -0.030, 0.020, 0.007, 0.0016),
        (-0.042, -0.022, 0.010, 0.008, 0.0016),
        (-0.012, 0.036, 0.022, 0.006, 0.0030),
    ]
    for x, y, dx, dy, height in chips:
        _box(board, [x, y, top + height / 2], [dx, dy, height], BLACK)
        _box(board, [x, y, top + 0.0002], [dx + 0.002, dy * 0.85, 0.0004], METAL)
    for i in range(8):  # small resistors and capacitors
        x, y = -0.060 + 0.0065 * i, -0.040 + 0.004 * (i % 3)
        _box(board, [x, y, top + 0.0005], [0.0032, 0.0016, 0.001], METAL)
        _box(board, [x, y, top + 0.0006], [0.0018, 0.0017, 0.001], BLACK)
    for x, y in ((0.060, 0.034), (0.060, 0.018)):  # electrolytic capacitors
        board.add_geom(
            type=CYLINDER, pos=[x, y, top + 0.004], size=[0.004, 0.004, 0], rgba=METAL, **_LOOK
        )
    for i in range(5):  # traces
        y = -_BOARD_CENTER[1] - 0.0076 + 0.0038 * i
        _box(board, [0.004, y, top], [0.070 + 0.006 * (i % 3), 0.0014, 0.0004], LIGHT_GREEN)


def add_fixture(spec: mujoco.MjSpec) -> None:
    """A plate on the table with board and socket on it: one thing, with its origin at SEAT.

    Its place is part of the state (a mocap body): it can be moved at any time, and a reset of the
    state puts it back.
    """
    fixture = spec.worldbody.add_body(name="fixture", pos=SEAT, mocap=True)
    height = SEAT[2] + _BOARD_CENTER[2] - _BOARD[2] / 2 - 0.008
    center = [*_BOARD_CENTER[:2], height / 2 - SEAT[2]]
    _box(fixture, center, [0.20, 0.14, height], METAL, touch=True)
    add_board(fixture)
    add_socket(fixture)


def add_table(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    _box(world, [0.35, 0, -0.02], [1.3, 1.2, 0.04], [0.72, 0.70, 0.66, 1], touch=True, name="table")
    world.add_light(
        name="sun",
        pos=[0.9, -0.6, 1.5],
        dir=[-0.5, 0.35, -1],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=False,
        diffuse=[0.65, 0.65, 0.65],
    )


def add_wrist_cameras(spec: mujoco.MjSpec) -> None:
    """Two cameras on either side of the hand; at any start at least one has the socket in view."""
    hand = spec.body("panda_hand")
    target = np.array([0.0, 0.0, HAND_TO_TCP + CONNECTOR.tip + 0.02])  # in front of the tip
    for name, position in (("wrist_1", [0.07, 0.03, 0.05]), ("wrist_2", [-0.07, -0.03, 0.05])):
        backward = np.array(position) - target  # MuJoCo's cameras look along -z
        backward /= np.linalg.norm(backward)
        right = np.cross([0.0, 0.0, -1.0], backward)  # the hand's z axis points down
        right /= np.linalg.norm(right)
        axes = np.column_stack([right, np.cross(backward, right), backward])
        quat = to_wxyz(Rotation.from_matrix(axes).as_quat())
        hand.add_camera(name=name, pos=position, quat=quat, fovy=64)


def add_pcb_scene(spec: mujoco.MjSpec) -> None:
    add_connector(spec)
    add_gripper_shapes(spec)
    add_wrist_cameras(spec)
    add_table(spec)
    add_fixture(spec)
