"""What a robot and its cameras say over ROS topics, and what they are told."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Float64

from serl_actor.camera_image import seen
from serl_actor.faults import Fault
from serl_learner.codec import to_nanoseconds, to_time
from serl_learner.qos import COMMAND
from serl_learner.run_node import spinning
from serl_msgs.msg import ControllerState

PATIENCE_S = 1.0  # for what comes at 10 Hz or faster
APPEAR_S = 10.0  # for the robot, where nothing was heard of it yet: it has to be discovered
ANSWER_S = 5.0  # for the controller to take its gains
HISTORY = 200  # states: two seconds
GRIPPER_COMMAND, GRIPPER_STATE = "/gripper/command", "/gripper/state"  # 0 closed to 1 open
CONTROLLER = "/cartesian_impedance_controller"


class RobotFault(Fault):
    """The robot or a camera is silent, says nonsense, or has stopped; one line."""


@dataclass(frozen=True)
class RobotState:
    """Of the tool, in the base frame; the wrench in that of the robot's sensor."""

    stamp_ns: int
    pose: np.ndarray  # (7,) m, quaternion x-y-z-w
    twist: np.ndarray  # (6,) m/s, rad/s
    wrench: np.ndarray  # (6,) N, Nm
    reason: int  # of ControllerState


@dataclass(frozen=True)
class Picture:
    stamp_ns: int  # of the exposure
    arrived_ns: int  # here, small already
    pixels: np.ndarray  # uint8 (size, size, 3), RGB


@dataclass(frozen=True)
class CameraPulse:
    """What a camera has sent so far."""

    topic: str
    taken: int  # pictures
    refused: int  # messages that are none, as `wrong` says
    newest_ns: int | None  # stamp of the newest picture
    late_s: float  # how old that was when it came
    wrong: str  # what the newest message lacks; nothing, where it is good


class RobotLink:
    """A node of its own, whose callbacks keep what is newest."""

    def __init__(
        self,
        cameras: Mapping[str, str],
        crops: Mapping[str, tuple[int, ...]],
        size: int,
        has_gripper: bool = False,
        controller: str = CONTROLLER,
    ):
        """`cameras`: name to topic; `size`: px of a picture's side."""
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = node = Node("robot_link", context=self._context)
        self._arrived = threading.Condition()
        self._states: deque[RobotState] = deque(maxlen=HISTORY)
        self._pictures: dict[str, Picture] = {}
        self._has_gripper, self._opening = has_gripper, float("nan")
        self._wrong: dict[str, str] = {}  # of a camera, what its newest message lacks
        self._cameras = dict(cameras)
        self._taken, self._refused = dict.fromkeys(cameras, 0), dict.fromkeys(cameras, 0)
        sensor = qos_profile_sensor_data
        self._said = f"{controller}/controller_state"
        node.create_subscription(ControllerState, self._said, self._on_state, sensor)
        for name, topic in cameras.items():
            callback = self._on_image(name, size, tuple(crops.get(name, ())))
            node.create_subscription(Image, topic, callback, sensor)
        if has_gripper:
            node.create_subscription(Float64, GRIPPER_STATE, self._on_gripper, sensor)
        self._target = node.create_publisher(PoseStamped, f"{controller}/target_pose", COMMAND)
        self._gripper = node.create_publisher(Float64, GRIPPER_COMMAND, COMMAND)
        self._gains = node.create_client(
            SetParametersAtomically, f"{controller}/set_parameters_atomically"
        )
        self._controller = controller
        self.moved_at = -math.inf  # when the newest target was sent, monotonic s
        self._spinning = spinning(node, threading.Event())
        self._spinning.__enter__()

    def close(self) -> None:
        self._spinning.__exit__(None, None, None)
        rclpy.try_shutdown(context=self._context)

    def move(self, pose: np.ndarray) -> None:
        """Sends the controller a target (7,), base frame."""
        message = PoseStamped()
        message.header.stamp = to_time(time.time_ns())
        position, orientation = message.pose.position, message.pose.orientation
        position.x, position.y, position.z = map(float, pose[:3])
        orientation.x, orientation.y, orientation.z, orientation.w = map(float, pose[3:])
        self._target.publish(message)
        self.moved_at = time.monotonic()

    def grip(self, opening: float) -> None:
        """0 closes, 1 opens."""
        self._gripper.publish(Float64(data=float(opening)))

    def set_gains(self, gains: Mapping[str, float | tuple[float, ...]]) -> None:
        """Of the controller, by their names. Raises RobotFault where it does not take them."""
        if not self._gains.wait_for_service(ANSWER_S):
            raise RobotFault(f"robot: expected a controller {self._controller}, found none")
        parameters = [_parameter(name, value) for name, value in gains.items()]
        answered = threading.Event()
        request = SetParametersAtomically.Request(parameters=parameters)
        future = self._gains.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(ANSWER_S):
            raise RobotFault(f"robot: expected {self._controller} to answer, it did not")
        result = future.result().result
        if not result.successful:
            raise RobotFault(f"robot: gains refused by {self._controller}: {result.reason}")

    def state(self) -> RobotState:
        """The newest one; waits for it. Raises RobotFault where the robot has fallen silent."""
        if not self._states:
            self._wait(lambda: bool(self._states), "robot", APPEAR_S)
        since_ns = time.time_ns() - int(1e9 * PATIENCE_S)
        self._wait(lambda: bool(self._states) and self._states[-1].stamp_ns >= since_ns, "robot")
        return self._states[-1]

    def state_at(self, stamp_ns: int) -> RobotState:
        """That of the time next to `stamp_ns`, of the last two seconds."""
        with self._arrived:
            return min(self._states, key=lambda state: abs(state.stamp_ns - stamp_ns))

    def picture(self, camera: str) -> Picture:
        """The newest one; waits for the first. Raises RobotFault where there is none."""
        self._wait(lambda: camera in self._pictures, camera)
        return self._pictures[camera]

    def newest_state(self) -> RobotState | None:
        """As `state`, but waits for nothing."""
        return self._states[-1] if self._states else None

    def camera_pulse(self, camera: str) -> CameraPulse:
        newest = self._pictures.get(camera)
        return CameraPulse(
            self._cameras[camera],
            self._taken[camera],
            self._refused[camera],
            newest.stamp_ns if newest else None,
            1e-9 * (newest.arrived_ns - newest.stamp_ns) if newest else 0.0,
            self._wrong.get(camera, ""),
        )

    def opening(self) -> float:
        """Of the gripper, 0 closed to 1 open; 0 without one. Waits for the first."""
        if not self._has_gripper:
            return 0.0
        self._wait(lambda: np.isfinite(self._opening), "gripper")
        return float(np.clip(self._opening, 0.0, 1.0))

    def _wait(self, ready: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        with self._arrived:
            if not self._arrived.wait_for(ready, patience_s):
                raise RobotFault(f"{what}: {self._wrong.get(what) or self._silence(what)}")

    def _silence(self, what: str) -> str:
        topic = self._cameras.get(what, {"gripper": GRIPPER_STATE}.get(what, self._said))
        if self._node.count_publishers(topic) == 0:
            return f"expected a publisher of {topic}, found none"
        return f"expected a message on {topic} within {PATIENCE_S:.0f} s, got none"

    def _on_state(self, message: ControllerState) -> None:
        pose, twist, wrench = message.pose, message.twist, message.external_wrench
        p, q = pose.position, pose.orientation
        state = RobotState(
            to_nanoseconds(message.header.stamp),
            np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w]),
            np.array([*_xyz(twist.linear), *_xyz(twist.angular)]),
            np.array([*_xyz(wrench.force), *_xyz(wrench.torque)]),
            message.reason,
        )
        with self._arrived:
            self._states.append(state)
            self._arrived.notify_all()

    def _on_image(self, name: str, size: int, crop: tuple[int, ...]) -> Callable[[Image], None]:
        def take(message: Image) -> None:
            try:
                pixels = seen(message, size, crop)
            except ValueError as error:
                self._wrong[name] = str(error)
                self._refused[name] += 1
                return
            self._wrong.pop(name, None)
            self._taken[name] += 1
            stamp_ns = to_nanoseconds(message.header.stamp)
            with self._arrived:
                self._pictures[name] = Picture(stamp_ns, time.time_ns(), pixels)
                self._arrived.notify_all()

        return take

    def _on_gripper(self, message: Float64) -> None:
        with self._arrived:
            self._opening = message.data
            self._arrived.notify_all()


def _xyz(vector) -> tuple[float, float, float]:
    return vector.x, vector.y, vector.z


def _parameter(name: str, value: float | tuple[float, ...]) -> Parameter:
    if np.ndim(value) == 0:
        typed = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=float(value))
    else:
        values = [float(element) for element in value]
        typed = ParameterValue(type=ParameterType.PARAMETER_DOUBLE_ARRAY, double_array_value=values)
    return Parameter(name=name, value=typed)
