"""What people see of a robot that is trained: markers in 3D, and pictures with words on them.

Lengths in metres; everything is in the base frame, which is that of the controller's state.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from geometry_msgs.msg import Point, Vector3
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Image
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker

from serl_learner.config import expect
from serl_msgs.msg import ControllerState

AXES = ("x", "y", "z", "rx", "ry", "rz")
METERS_PER_NEWTON = 0.01
LEAST_FORCE = 0.2  # N; an arrow needs a length
CLIP_LENGTH = 0.05  # of a line along an axis that is clipped
# Where neither hand nor arm hides words.
BESIDE_TOOL, BESIDE_BOX = np.array([0.0, 0.11, 0.02]), np.array([0.0, 0.16, 0.08])
REASONS = {
    ControllerState.HOLDING: "holds: no target yet, or after a stop",
    ControllerState.TARGET_NOT_FINITE: "target refused: not a number",
    ControllerState.TARGET_NOT_UNIT: "target refused: no rotation",
    ControllerState.TARGET_JUMP: "target refused: too far from the tool",
    ControllerState.TARGET_STALE: "stopped: no target for too long",
    ControllerState.SECOND_PUBLISHER: "refuses a second publisher",
    ControllerState.WORKSPACE_LIMIT: "target moved onto the workspace box",
    ControllerState.JOINT_LIMIT: "pushed back: near a joint's limit",
    ControllerState.TORQUE_LIMIT: "a torque is at its limit",
    ControllerState.TORQUE_RATE_LIMIT: "a torque changes at its limit",
    ControllerState.HARDWARE_ERROR: "fault: no torque until a person clears it",
}
# Light enough for rviz's dark background, dark enough for a white one.
BLUE, RED, ORANGE, YELLOW = (0.25, 0.6, 1.0), (0.9, 0.2, 0.2), (1.0, 0.5, 0.1), (0.95, 0.8, 0.1)
WHITE, GREEN_PIXEL, WHITE_PIXEL = (0.95, 0.95, 0.95), (40, 200, 80), (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
# Pairs of corners of a box, each corner three bits; they differ in one.
EDGES = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]


class Box(NamedTuple):
    low: np.ndarray  # (3,)
    high: np.ndarray  # (3,)

    def corners(self) -> np.ndarray:  # (8, 3)
        bits = (np.arange(8)[:, None] >> np.arange(3)) & 1
        return np.where(bits, self.high, self.low)


class Workspace(NamedTuple):
    """Where the tool is sent, and where not."""

    box: Box
    keep_out: Box | None

    @classmethod
    def of(cls, arguments: Mapping) -> "Workspace":
        """Of RobotEnv's arguments; raises ConfigError where they are those of another."""
        where = "environment.arguments"
        for name in ("center", "box_low", "box_high"):
            expect(name in arguments, where, f"{name}, of a robot over topics", "none")
        center = np.array(arguments["center"][:3])

        def box(low: str, high: str) -> Box:
            return Box(*(center + np.array(arguments[name][:3]) for name in (low, high)))

        has_keep_out = "keep_out_low" in arguments
        keep_out = box("keep_out_low", "keep_out_high") if has_keep_out else None
        return cls(box("box_low", "box_high"), keep_out)


def markers(state: ControllerState, workspace: Workspace, status: str) -> list[Marker]:
    """Everything, each time: what is there no longer is deleted. `status`: lines of text."""
    position, rotation = tool_pose(state)
    force = _array(state.external_wrench.force)
    pull = _array(state.target_pose.position) - position
    clipped = [axis for axis in range(3) if state.clipped[axis]]
    lines = [
        end
        for axis in clipped
        for end in (position, position + CLIP_LENGTH * np.sign(pull[axis]) * np.eye(3)[axis])
    ]
    box = workspace.box
    corner = np.array([(box.low + box.high)[0] / 2, *box.high[1:]])
    shown = [
        _lines("workspace", state.header, _edges(box), 0.0015, BLUE),
        _force(state.header, position, rotation.apply(force)),
        _lines("clipped", state.header, lines, 0.003, YELLOW),
        _text("tool", state.header, position + BESIDE_TOOL, tool_text(state), 0.012, ORANGE),
        _text("status", state.header, corner + BESIDE_BOX, status, 0.014, WHITE),
    ]
    if workspace.keep_out is not None:
        edges = _edges(workspace.keep_out)
        shown.append(_lines("keep_out", state.header, edges, 0.003, RED))
    return shown


def tool_pose(state: ControllerState) -> tuple[np.ndarray, Rotation]:
    q = state.pose.orientation
    return _array(state.pose.position), Rotation.from_quat([q.x, q.y, q.z, q.w])


def tool_text(state: ControllerState) -> str:
    """The contact force in N, the axes that are clipped, and why the controller does not follow."""
    force = np.linalg.norm(_array(state.external_wrench.force))
    clipped = [name for name, is_clipped in zip(AXES, state.clipped, strict=True) if is_clipped]
    lines = [f"{force:.1f} N"]
    if clipped:
        lines.append(f"clipped: {', '.join(clipped)}")
    if state.reason != ControllerState.OK:
        lines.append(REASONS.get(state.reason, f"reason {state.reason}"))
    return "\n".join(lines)


def picture(pixels: np.ndarray, header: Header, probability: float | None, success: bool) -> Image:
    """RGB (n, n, 3) with the reward's probability on it, and a green frame at a success."""
    pixels = pixels.copy()
    height, width, _ = pixels.shape
    if probability is not None:
        scale = width / 320
        where = (width // 12, height - height // 12)  # within the frame
        for colour, thickness in (((0, 0, 0), 3), (WHITE_PIXEL, 1)):  # an outline first
            text = f"p = {probability:.2f}"
            cv2.putText(pixels, text, where, FONT, scale, colour, thickness, cv2.LINE_AA)
    if success:
        frame = max(width // 32, 1)
        cv2.rectangle(pixels, (0, 0), (width - 1, height - 1), GREEN_PIXEL, 2 * frame)
    message = Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width)
    message.data.frombytes(pixels.tobytes())
    return message


def _edges(box: Box) -> list[np.ndarray]:
    corners = box.corners()
    return [corners[corner] for edge in EDGES for corner in edge]


def _force(header: Header, tool: np.ndarray, force: np.ndarray) -> Marker:
    marker = _marker("force", header, Marker.ARROW, (0.01, 0.02, 0.02), ORANGE)
    if np.linalg.norm(force) < LEAST_FORCE:
        marker.action = Marker.DELETE
    marker.points = [_point(tool), _point(tool + METERS_PER_NEWTON * force)]
    return marker


def _lines(
    name: str, header: Header, ends: Sequence[np.ndarray], width: float, color: Sequence[float]
) -> Marker:
    marker = _marker(name, header, Marker.LINE_LIST, (width, 0.0, 0.0), color)
    marker.points = [_point(end) for end in ends]
    if not marker.points:
        marker.action = Marker.DELETE
    return marker


def _text(
    name: str,
    header: Header,
    where: np.ndarray,
    text: str,
    height: float,
    color: Sequence[float],
) -> Marker:
    marker = _marker(name, header, Marker.TEXT_VIEW_FACING, (0.0, 0.0, height), color)
    marker.pose.position, marker.text = _point(where), text
    return marker


def _marker(
    name: str, header: Header, kind: int, scale: Sequence[float], color: Sequence[float]
) -> Marker:
    x, y, z = scale
    r, g, b = color
    return Marker(
        header=header,
        ns=name,
        type=kind,
        scale=Vector3(x=x, y=y, z=z),
        color=ColorRGBA(r=r, g=g, b=b, a=1.0),
    )


def _point(vector: np.ndarray) -> Point:
    x, y, z = vector.tolist()
    return Point(x=x, y=y, z=z)


def _array(vector: Point | Vector3) -> np.ndarray:  # (3,)
    return np.array([vector.x, vector.y, vector.z])
