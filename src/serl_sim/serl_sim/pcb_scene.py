"""The board insertion scene: a connector in the gripper, its socket on a circuit board, a table.

Lengths in metres. The world frame is the robot's base frame.
"""

import mujoco
import numpy as np

from .arms import HAND_TO_TCP, HeldObject
from .scene import (
    BLACK,
    BLUE,
    CYLINDER,
    DARK_BLUE,
    GOLD,
    GREEN,
    LIGHT_GREEN,
    LOOK,
    METAL,
    add_box,
    add_gripper_shapes,
    add_lead_in_wall,
    add_table,
    add_wrist_cameras,
)

PLUG = np.array([0.020, 0.008])  # cross section of the part that goes in
CLEARANCE = 0.0004  # per side
DEPTH = 0.008  # of the socket
CHAMFER = 0.001  # lead-in, 45 degrees
WALL = 0.0026  # thickness of the socket's walls

CONNECTOR = HeldObject(mass=0.012, size=(0.024, 0.008, 0.032), tip=0.030, grip_width=0.008)
CAMERAS = [0.07, 0.03, 0.05], [-0.07, -0.03, 0.05]  # on the hand, on either side
SEAT = np.array([0.50, 0.0, 0.0306])  # the socket's floor: where the plug's tip rests when seated

_BASE = 0.001  # the socket's floor above the board
_BOARD = np.array([0.150, 0.100, 0.0016])
_BOARD_CENTER = np.array([0.012, -0.006, -_BASE - _BOARD[2] / 2])  # from SEAT


def add_connector(spec: mujoco.MjSpec) -> None:
    """The held connector, behind the frame `tool` at its tip (tool z points out of the tip)."""
    tool = spec.body("tool")
    plug_length = DEPTH + 0.002
    grip = CONNECTOR.size[2] - plug_length
    add_box(tool, [0, 0, -plug_length / 2], [*PLUG, plug_length], BLUE, touch=True, name="plug")
    center = [0, 0, -plug_length - grip / 2]
    add_box(tool, center, [*CONNECTOR.size[:2], grip], DARK_BLUE, touch=True, name="housing")
    for x in np.linspace(-0.008, 0.008, 7):  # contacts, flush with the plug's faces
        for side in (-1, 1):
            center = [x, side * PLUG[1] / 2, -plug_length / 2 - 0.0005]
            add_box(tool, center, [0.0013, 0.0002, plug_length - 0.003], GOLD)


def add_socket(fixture) -> None:
    socket = fixture.add_body(name="socket")
    outer = 2 * (PLUG / 2 + CLEARANCE + WALL)
    add_box(socket, [0, 0, -_BASE / 2], [*outer, _BASE], BLACK, touch=True, name="socket_floor")
    for axis in (0, 1):
        inner, length = PLUG[axis] / 2 + CLEARANCE, outer[1 - axis]
        for side in (-1, 1):
            add_lead_in_wall(socket, axis, side, inner, WALL, length, DEPTH, CHAMFER)
    for x in np.linspace(-0.008, 0.008, 7):  # solder tails
        for side in (-1, 1):
            add_box(
                socket, [x, side * (outer[1] / 2 + 0.001), -0.0008], [0.0012, 0.003, 0.0004], METAL
            )


def add_board(fixture) -> None:
    """The board, with parts and traces to look at."""
    board = fixture.add_body(name="board", pos=_BOARD_CENTER)
    top = _BOARD[2] / 2
    add_box(board, [0, 0, 0], _BOARD, GREEN, touch=True, name="board")
    for x in (-1, 1):
        for y in (-1, 1):
            corner = [x * (_BOARD[0] / 2 - 0.006), y * (_BOARD[1] / 2 - 0.006)]
            screw = {"type": CYLINDER, **LOOK}
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
        add_box(board, [x, y, top + height / 2], [dx, dy, height], BLACK)
        add_box(board, [x, y, top + 0.0002], [dx + 0.002, dy * 0.85, 0.0004], METAL)
    for i in range(8):  # small resistors and capacitors
        x, y = -0.060 + 0.0065 * i, -0.040 + 0.004 * (i % 3)
        add_box(board, [x, y, top + 0.0005], [0.0032, 0.0016, 0.001], METAL)
        add_box(board, [x, y, top + 0.0006], [0.0018, 0.0017, 0.001], BLACK)
    for x, y in ((0.060, 0.034), (0.060, 0.018)):  # electrolytic capacitors
        board.add_geom(
            type=CYLINDER, pos=[x, y, top + 0.004], size=[0.004, 0.004, 0], rgba=METAL, **LOOK
        )
    for i in range(5):  # traces
        y = -_BOARD_CENTER[1] - 0.0076 + 0.0038 * i
        add_box(board, [0.004, y, top], [0.070 + 0.006 * (i % 3), 0.0014, 0.0004], LIGHT_GREEN)


def add_fixture(spec: mujoco.MjSpec) -> None:
    """A plate on the table with board and socket on it: one thing, with its origin at SEAT.

    Its place is part of the state (a mocap body): it can be moved at any time, and a reset of the
    state puts it back.
    """
    fixture = spec.worldbody.add_body(name="fixture", pos=SEAT, mocap=True)
    height = SEAT[2] + _BOARD_CENTER[2] - _BOARD[2] / 2 - 0.008
    center = [*_BOARD_CENTER[:2], height / 2 - SEAT[2]]
    add_box(fixture, center, [0.20, 0.14, height], METAL, touch=True)
    add_board(fixture)
    add_socket(fixture)


def add_pcb_scene(spec: mujoco.MjSpec) -> None:
    add_connector(spec)
    add_gripper_shapes(spec)
    # Ahead of the tip: at any start at least one camera has the socket in view.
    add_wrist_cameras(spec, CAMERAS, target=[0.0, 0.0, HAND_TO_TCP + CONNECTOR.tip + 0.02])
    add_table(spec)
    add_fixture(spec)
