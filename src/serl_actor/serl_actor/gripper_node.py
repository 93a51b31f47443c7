"""The gripper's topics, which every robot has, before the action that this robot's gripper has."""

import math
import sys
import threading
import time

from control_msgs.action import GripperCommand, ParallelGripperCommand
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from serl_actor.gripper_goals import GripperGoals
from serl_actor.parallel_gripper import ParallelGripper
from serl_learner.parameters import read_section
from serl_learner.qos import COMMAND
from serl_learner.run_node import run_node

STATE_PERIOD_S = 0.01  # joint states may come at 1 kHz


class GripperNode(Node):
    """`gripper/command` (0 closes, 1 opens) becomes goals; `gripper/state` is what the joint tells.

    Configured by the section `gripper` of a robot's file.
    """

    def __init__(self, name: str = "gripper", **options):
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__(name, **options)
        self._gripper = read_section(self, "gripper", ParallelGripper)
        takes_joint_state = self._gripper.action_type.endswith("/ParallelGripperCommand")
        kind = ParallelGripperCommand if takes_joint_state else GripperCommand
        self._make_goal = self._joint_goal if takes_joint_state else self._position_goal
        client = ActionClient(self, kind, self._gripper.action)
        self._goals = GripperGoals(client, self._make_goal, self.get_logger().warning)
        self._told_s = -math.inf
        sensor = qos_profile_sensor_data
        self._state = self.create_publisher(Float64, "gripper/state", sensor)
        self.create_subscription(JointState, self._gripper.joint_states, self._on_joints, sensor)
        self.create_subscription(Float64, "gripper/command", self._on_command, COMMAND)

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def _on_joints(self, message: JointState) -> None:
        positions = dict(zip(message.name, message.position, strict=False))
        position = positions.get(self._gripper.joint, math.nan)
        now_s = time.monotonic()
        if math.isfinite(position) and now_s - self._told_s >= STATE_PERIOD_S:
            self._told_s = now_s
            self._state.publish(Float64(data=self._gripper.opening(position)))

    def _on_command(self, message: Float64) -> None:
        if math.isfinite(message.data):
            self._goals.want(message.data)
        else:
            self.get_logger().warning("gripper/command: expected 0 to 1, got no number")

    def _joint_goal(self, opening: float) -> ParallelGripperCommand.Goal:
        command = JointState(name=[self._gripper.joint])
        command.position = [self._gripper.position(opening)]
        if self._gripper.max_effort:
            command.effort = [self._gripper.max_effort]
        return ParallelGripperCommand.Goal(command=command)

    def _position_goal(self, opening: float) -> GripperCommand.Goal:
        goal = GripperCommand.Goal()
        goal.command.position = self._gripper.position(opening)
        goal.command.max_effort = self._gripper.max_effort
        return goal


def main() -> None:
    sys.exit(run_node(GripperNode))


if __name__ == "__main__":
    main()
