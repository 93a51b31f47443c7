"""The simulated robot in real time, behind the topics of a real one: the controller's and cameras'.

It is the world of a task's environment; nobody but the arm changes it. A policy that drives this
drives a robot.
"""

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from geometry_msgs.msg import Pose, PoseStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64

from franka_impedance_controller import Gains
from serl_actor.body_publisher import BodyPublisher
from serl_actor.environment import EnvironmentConfig
from serl_learner.codec import to_time
from serl_learner.config import ConfigError
from serl_learner.diagnostics import Diagnostic, Diagnostics
from serl_learner.parameters import read_section
from serl_learner.qos import COMMAND
from serl_learner.run_node import run_node
from serl_msgs.msg import ControllerState

from .arms import FINGER_JOINTS, MAX_GRIP_WIDTH
from .robot import Pose as ToolPose
from .robot_diagnostics import SimulationDiagnostics
from .scene_messages import SceneMessages

NAME = "cartesian_impedance_controller"  # as the controller that it stands for
TICKS = 10  # of 1 ms between two states, at 100 Hz
FRAME_PERIOD_S = 1.0 / 30.0
LATE_S = 0.1  # what is not made up for: the simulated time then lags


class SimulatedRobotNode(Node):
    """Its gains are parameters, as the controller's."""

    def __init__(self, **options):
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__(NAME, **options)
        world = read_section(self, "world", EnvironmentConfig)
        arguments = world.arguments | {"observations": "vision"}
        try:
            self._env = gym.make(world.id, disable_env_checker=True, **arguments).unwrapped
        except (gym.error.Error, ValueError, TypeError) as error:
            raise ConfigError(f"world: {world.id}: {' '.join(str(error).split())}") from None
        self._env.reset(seed=0)
        self._robot = self._env.robot
        self._commands = threading.Lock()
        self._target: PoseStamped | None = None  # that has not been taken yet
        self._opening: float | None = None
        self._new_gains: Gains | None = None
        self._states = self._overruns = self._rounds = 0  # published, late, of pictures
        self._declare_gains()
        sensor = qos_profile_sensor_data
        self._state = self.create_publisher(ControllerState, "~/controller_state", sensor)
        self._joints = self.create_publisher(JointState, "/joint_states", sensor)
        self._opened = self.create_publisher(Float64, "/gripper/state", sensor)
        self._bodies = BodyPublisher(self, self._env.body_poses)
        self._images = {
            name: self.create_publisher(Image, f"/{name}/image_raw", sensor)
            for name in self._env.cameras.cameras
        }
        self._scene = SceneMessages(self, self._env, to_time(time.time_ns()))
        self.create_subscription(PoseStamped, "~/target_pose", self._on_target, COMMAND)
        self.create_subscription(Float64, "/gripper/command", self._on_gripper, COMMAND)

    def run(self, stop: threading.Event) -> None:
        """Simulates until `stop`, as fast as the time goes by."""
        self._diagnostics = SimulationDiagnostics(1e-3 * TICKS, 1.0 / FRAME_PERIOD_S)
        Diagnostics(self, "robot_node", self._env.spec.id, self._diagnose)
        due_s = frame_due_s = time.monotonic()
        while not stop.is_set():
            self._obey()
            self._robot.run(TICKS)
            self._publish_state()
            self._bodies.publish()
            if time.monotonic() >= frame_due_s:
                self._publish_images()
                self._scene.publish_frames(self._joint_positions(), to_time(time.time_ns()))
                frame_due_s = max(frame_due_s + FRAME_PERIOD_S, time.monotonic())
            due_s += 1e-3 * TICKS
            if time.monotonic() - due_s > LATE_S:
                self._overruns += 1
                due_s = time.monotonic() - LATE_S
            time.sleep(max(due_s - time.monotonic(), 0.0))
        self._env.close()

    def _diagnose(self) -> Iterator[Diagnostic]:
        return self._diagnostics.look(self._states, self._overruns, self._rounds)

    def _obey(self) -> None:
        """Takes what has been asked for since."""
        with self._commands:
            target, self._target = self._target, None
            opening, self._opening = self._opening, None
            gains, self._new_gains = self._new_gains, None
        if gains is not None:
            self._robot.controller.set_gains(gains)
        if opening is not None and self._robot.gripper is not None:
            self._robot.gripper.command(opening)
        if target is None:
            return
        p, q = target.pose.position, target.pose.orientation
        try:
            self._robot.controller.set_target([p.x, p.y, p.z], [q.x, q.y, q.z, q.w])
        except ValueError as error:  # the old one stays
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)

    def _publish_state(self) -> None:
        law, robot = self._robot.controller.state, self._robot
        message = ControllerState(reason=int(law.reason), clipped=law.clipped_axes.tolist())
        message.header.stamp = to_time(time.time_ns())
        message.header.frame_id = self._scene.root
        message.pose = _pose(_vector(robot.pose))
        message.target_pose, message.filtered_pose = _pose(law.target), _pose(law.filtered)
        message.clipped_pose = _pose(law.clipped)
        _fill(message.twist.linear, message.twist.angular, robot.twist)
        _fill(message.commanded_wrench.force, message.commanded_wrench.torque, law.wrench)
        _fill(message.external_wrench.force, message.external_wrench.torque, robot.wrench)
        message.tau = law.tau.tolist()
        self._state.publish(message)
        self._states += 1
        self._opened.publish(Float64(data=self._env.opening))
        positions = self._joint_positions()
        joints = JointState(name=list(positions), position=list(positions.values()))
        joints.header.stamp = message.header.stamp
        joints.velocity = [*robot.dq.tolist(), *[0.0] * len(FINGER_JOINTS)]
        self._joints.publish(joints)

    def _joint_positions(self) -> dict[str, float]:
        """rad, m; the fingers come last."""
        fingers = [self._env.opening * MAX_GRIP_WIDTH / 2] * len(FINGER_JOINTS)
        names = (*self._env.arm.joint_names, *FINGER_JOINTS)
        return dict(zip(names, [*self._robot.q.tolist(), *fingers], strict=True))

    def _publish_images(self) -> None:
        self._rounds += 1
        stamp = to_time(time.time_ns())
        for name, pixels in self._env.cameras.render(self._robot.data).items():
            height, width, _ = pixels.shape
            image = Image(height=height, width=width, encoding="rgb8", step=3 * width)
            image.header.stamp, image.header.frame_id = stamp, name
            image.data.frombytes(pixels.tobytes())
            self._images[name].publish(image)

    def _on_target(self, message: PoseStamped) -> None:
        with self._commands:
            self._target = message

    def _on_gripper(self, message: Float64) -> None:
        with self._commands:
            self._opening = message.data

    def _declare_gains(self) -> None:
        gains = self._env.config.gains()
        self._gains = {name: getattr(gains, name) for name in _names(Gains)}
        for name, value in self._gains.items():
            self.declare_parameter(name, _plain(value))
        self.add_on_set_parameters_callback(self._on_gains)

    def _on_gains(self, parameters) -> SetParametersResult:
        wanted = self._gains | {p.name: p.value for p in parameters if p.name in self._gains}
        try:
            gains = Gains(**{name: _plain(value) for name, value in wanted.items()})
        except (TypeError, ValueError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._gains = wanted
        with self._commands:
            self._new_gains = gains
        return SetParametersResult(successful=True)


def _names(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_")]


def _plain(value: Any) -> Any:
    return list(map(float, value)) if np.ndim(value) else float(value)


def _vector(pose: ToolPose) -> np.ndarray:  # (7,)
    return np.concatenate([pose.position, pose.rotation.as_quat()])


def _pose(vector: np.ndarray) -> Pose:
    message = Pose()
    p, q = message.position, message.orientation
    p.x, p.y, p.z, q.x, q.y, q.z, q.w = map(float, vector)
    return message


def _fill(first, second, vector: np.ndarray) -> None:
    first.x, first.y, first.z, second.x, second.y, second.z = map(float, vector)


def main() -> None:
    sys.exit(run_node(SimulatedRobotNode))


if __name__ == "__main__":
    main()
