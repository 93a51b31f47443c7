"""The gripper's topics before a real action server, of each type that a gripper may have."""

import threading
from pathlib import Path

import pytest
import yaml
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from running import Running, wait_until
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from serl_learner.qos import COMMAND

control_msgs = pytest.importorskip("control_msgs.action")
pytestmark = pytest.mark.ros

ROBOTS = Path(__file__).resolve().parents[1] / "config/robots"


class Hand(Node):
    """Two fingers that jump to where they are sent, unless they are held; and whoever commands."""

    def __init__(self, context, config: dict):
        super().__init__("hand", context=context, namespace="agent")
        self.goals, self.states, self.cancelled = [], [], 0
        self.let_go = threading.Event()
        self.let_go.set()
        kind = getattr(control_msgs, config["action_type"].rpartition("/")[2])
        self._server = ActionServer(
            self,
            kind,
            config["action"],
            self._execute,
            goal_callback=lambda goal: GoalResponse.ACCEPT,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )
        self._kind, self._joint = kind, config["joint"]
        sensor = qos_profile_sensor_data
        self._joints = self.create_publisher(JointState, config["joint_states"], sensor)
        self.command = self.create_publisher(Float64, "gripper/command", COMMAND)
        self.create_subscription(
            Float64, "gripper/state", lambda message: self.states.append(message.data), sensor
        )
        self._width = 0.01
        self.create_timer(0.02, self._tell)

    def _tell(self) -> None:
        names = ["joint1", self._joint]
        self._joints.publish(JointState(name=names, position=[1.0, self._width]))

    def _execute(self, goal):
        self.goals.append(goal.request.command)
        while not self.let_go.wait(0.02):
            if goal.is_cancel_requested:
                self.cancelled += 1
                goal.canceled()
                return self._kind.Result()
        position = goal.request.command.position
        self._width = position if isinstance(position, float) else position[0]
        goal.succeed()
        return self._kind.Result()


@pytest.fixture(params=["mock", "fr3"])
def config(request):
    text = yaml.safe_load((ROBOTS / f"{request.param}.yaml").read_text())
    defaults = {
        "action_type": "control_msgs/action/ParallelGripperCommand",
        "joint_states": "joint_states",
    }
    return defaults | text["/**"]["ros__parameters"]["gripper"]


@pytest.fixture
def hand(node, config):
    hand = Hand(node.context, config)
    executor = MultiThreadedExecutor(2, context=node.context)  # a goal takes its time
    executor.add_node(hand)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield hand
    hand.let_go.set()
    executor.shutdown()
    thread.join()


@pytest.fixture
def bridge(start, hand, config, tmp_path):
    file = tmp_path / "robot.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": {"gripper": config}}}))
    running: Running = start("serl_actor.gripper_node", file)
    wait_until(lambda: hand.command.get_subscription_count() and hand.states, lambda: running.text)
    return running


def test_commands_move_the_fingers_and_the_state_tells_where_they_are(hand, bridge, config):
    opened, effort = config["opened"], config.get("max_effort", 0.0)
    assert hand.states[-1] == pytest.approx(0.01 / opened)
    for opening in (1.0, 0.0):
        hand.command.publish(Float64(data=opening))
        wait_until(lambda opening=opening: hand.states[-1] == opening, lambda: str(hand.states[-1]))
    if config["action_type"].endswith("/ParallelGripperCommand"):
        assert [list(goal.position) for goal in hand.goals] == [[opened], [0.0]]
        assert {tuple(goal.name) for goal in hand.goals} == {(config["joint"],)}
        assert not any(goal.effort for goal in hand.goals)
    else:
        assert [(g.position, g.max_effort) for g in hand.goals] == [(opened, effort), (0.0, effort)]


def test_a_new_command_takes_the_place_of_one_under_way(hand, bridge):
    hand.let_go.clear()
    hand.command.publish(Float64(data=0.0))
    wait_until(lambda: len(hand.goals) == 1, lambda: "a goal")
    hand.command.publish(Float64(data=1.0))
    wait_until(lambda: len(hand.goals) == 2, lambda: "another goal")
    assert hand.cancelled == 1
    hand.command.publish(Float64(data=1.0))
    hand.let_go.set()
    wait_until(lambda: hand.states[-1] == 1.0, lambda: str(hand.states[-1]))
    assert len(hand.goals) == 2 and "WARN" not in bridge.text
