"""What nodes say on /diagnostics while things go wrong and right again, over real middleware."""

import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from running import Process, parameters, wait_until
from sensor_msgs.msg import Image

from serl_actor.reset import ResetConfig, ResetRequest
from serl_actor.reset_client import ResetClient
from serl_actor.reward_client import RewardClient
from serl_actor.robot_diagnostics import RobotDiagnostics
from serl_actor.robot_link import RobotLink
from serl_bringup.doctor import robot
from serl_bringup.task import load_task
from serl_learner import qos
from serl_learner.config import RunConfig
from serl_learner.diagnostics import TOPIC, Level
from serl_learner.reward import Step
from serl_learner.run_node import spinning
from serl_msgs.msg import Transition
from serl_reward.config import RewardConfig

TASK = str(Path(__file__).parents[1] / "config/tasks/pcb_insertion.yaml")
pytestmark = [pytest.mark.ros, pytest.mark.slow]


class Heard:
    """The newest of each name: its status, and what came since the last `forget`."""

    def __init__(self, node: Node):
        self._said = {}
        node.create_subscription(DiagnosticArray, TOPIC, self._take, qos.DIAGNOSTICS)

    def _take(self, message: DiagnosticArray) -> None:
        self._said |= {status.name: status for status in message.status}

    def forget(self) -> None:
        self._said.clear()

    def wait_for(self, name: str, *levels: Level, words: str = ""):
        """The status as soon as it has one of the levels and says the words."""
        found = []

        def is_said() -> bool:
            status = self._said.get(name)
            if status and Level(status.level[0]) in levels and words in status.message:
                found.append(status)
            return bool(found)

        wait_until(is_said, lambda: f"{name} at {levels}; last: {self._said.get(name)}")
        return found[0]


@pytest.fixture
def heard(ros_domain):
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node("listener", context=context)
    listener = Heard(node)
    with spinning(node, threading.Event()):
        yield listener
    rclpy.try_shutdown(context=context)


def values(status) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


@pytest.fixture
def on_robot(tmp_path):
    """The parameters of a task that acts, at random, on a robot that a node simulates."""
    task = load_task(TASK, robot="sim_node", overrides={"actor.random_steps": 10_000})
    task = replace(
        task,
        run=RunConfig(directory=str(tmp_path / "run")),
        reset=ResetConfig(),
        reward=RewardConfig(),
        environment=replace(task.environment, max_episode_steps=1000),
    )
    task.save(tmp_path / "task.yaml")
    return tmp_path / "task.yaml"


@pytest.fixture
def robot_node(ros_domain, on_robot, tmp_path):
    command = [sys.executable, "-m", "serl_sim.robot_node", "--ros-args"]
    process = Process([*command, "--params-file", str(on_robot)], tmp_path / "robot.log")
    yield process
    process.kill()
    print(process.text)


RUNS = (Level.OK, Level.WARN)  # as fast as this machine is


def test_a_robot_that_stands_still_is_an_error_until_it_goes_on(start, heard, robot_node, on_robot):
    actor = start("serl_actor.actor_node", on_robot)
    camera = values(heard.wait_for("actor: camera wrist_1", *RUNS))
    assert float(camera["rate (Hz)"]) > 0.0 and camera["topic"] == "/wrist_1/image_raw"
    heard.wait_for("actor: controller", *RUNS)
    heard.wait_for("actor: control rate", *RUNS)
    assert float(values(heard.wait_for("robot_node: real time", *RUNS))["real-time factor"]) > 0.0
    robot_node.process.send_signal(signal.SIGSTOP)
    heard.wait_for("actor: camera wrist_1", Level.ERROR, words="look at its driver and cable")
    heard.wait_for("actor: controller", Level.ERROR, words="silent for")
    fault = heard.wait_for("actor: faults", Level.ERROR)
    assert int(values(fault)["faults (count)"]) > 0
    heard.forget()
    robot_node.process.send_signal(signal.SIGCONT)
    late = heard.wait_for("robot_node: real time", Level.WARN)
    assert float(values(late)["real-time factor"]) < 0.98 and "stop other programs" in late.message
    heard.wait_for("actor: camera wrist_1", *RUNS)
    heard.wait_for("actor: controller", *RUNS)
    assert heard.wait_for("actor: faults", Level.OK).message.startswith("works; the last one: ")
    assert actor.interrupt() == 0, actor.text


def test_the_doctor_sees_the_robot_and_its_cameras(robot_node, heard):
    heard.wait_for("robot_node: real time", *RUNS)
    cameras = {"wrist_1": "/wrist_1/image_raw", "gone": "/gone/image_raw"}
    found = {check.name: check for check in robot.topics(cameras)}
    assert "age" not in found["controller"].found and "Hz, jitter" in found["controller"].found
    assert found["controller"].status in ("ok", "warn") and found["answers"].status != "fail"
    assert found["target_pose"].status == "ok" and found["gripper"].status == "ok"
    assert "128 x 128 rgb8" in found["camera wrist_1"].found
    assert (found["camera gone"].status, found["camera gone"].found) == (
        "fail",
        "no picture on /gone/image_raw",
    )


def test_the_doctor_finds_no_robot_and_says_what_to_do(ros_domain):
    found = {check.name: check for check in robot.topics({})}
    assert found["controller"].status == "fail"
    assert os.environ["ROS_DOMAIN_ID"] in found["controller"].found
    assert found["controller"].advice.startswith("ros2 launch")


def test_a_camera_that_sends_what_cannot_be_read_is_an_error(node):
    link = RobotLink({"eye": "/eye"}, {}, 8)
    look = RobotDiagnostics(["eye"])

    def camera():
        return list(look.look(link, node.get_clock().now().nanoseconds))[1]

    try:
        assert camera().level is Level.STALE and "start its driver" in camera().message
        eye = node.create_publisher(Image, "/eye", qos_profile_sensor_data)

        def send(encoding, step):
            picture = Image(height=8, width=8, step=step, encoding=encoding, data=bytes(8 * step))
            picture.header.stamp = node.get_clock().now().to_msg()
            eye.publish(picture)
            return link.camera_pulse("eye")

        wait_until(lambda: send("16UC1", 16).refused > 0, lambda: "a refusal")
        wrong = camera()
        assert wrong.level is Level.ERROR and "expected one of rgb8" in wrong.message
        wait_until(lambda: send("rgb8", 24).taken > 2, lambda: "a picture")
        assert camera().level is not Level.ERROR
        assert camera().values["refused (count)"] >= 1
        controller = next(iter(look.look(link, 0)))
        assert controller.level is Level.STALE and "bring it up" in controller.message
    finally:
        link.close()


def test_a_learner_says_what_it_cannot_use(tmp_path, start, heard, node):
    start("serl_learner.learner_node", parameters(tmp_path))
    waiting = heard.wait_for("learner: training", Level.OK)
    assert "waiting for 30 more transitions on cpu" in waiting.message
    assert float(values(heard.wait_for("learner: run folder", *Level))["free (GB)"]) > 0.0
    heard.wait_for("learner: lag", Level.OK)
    stranger = node.create_publisher(Transition, "/agent/transitions", qos.TRANSITIONS)
    wait_until(lambda: stranger.get_subscription_count() > 0, lambda: "the learner")
    stranger.publish(Transition(agent="other", actor="stranger"))
    refused = heard.wait_for("learner: lag", Level.ERROR)
    assert refused.message == "refused: actor 'stranger': agent is 'other'"


def test_a_reset_agent_says_whom_it_waits_for(tmp_path, start, heard, node):
    task = tmp_path / "task.yaml"
    task.write_text("/**: {ros__parameters: {reset: {source: person}}}")
    start("serl_actor.reset_agent_node", task)
    client = ResetClient(node)
    client.ready(timeout_s=60.0)
    client(ResetRequest("agent", False, {}, ()))
    assert "press SPACE" in heard.wait_for("reset_agent: plan", Level.WARN).message


def test_a_reward_node_says_what_it_cannot_judge(tmp_path, start, heard, node):
    here = {"position": [0.0] * 3, "quaternion_xyzw": [0.0, 0.0, 0.0, 1.0]}
    reward = {"source": "pose", "pose": here | {"position_tolerance": [1.0] * 3}}
    task = tmp_path / "task.yaml"
    task.write_text(yaml.safe_dump({"/**": {"ros__parameters": {"reward": reward}}}))
    start("serl_reward.reward_node", task)
    client = RewardClient(node, "agent")
    client.ready(timeout_s=60.0)
    assert heard.wait_for("reward: judgements", Level.OK).message == "none asked yet"
    with pytest.raises(ValueError, match="pose"):
        client(Step({}, [0.0], {}))
    heard.wait_for("reward: judgements", Level.ERROR, words="cannot judge: ")
