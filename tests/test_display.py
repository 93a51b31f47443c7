"""What rviz and Foxglove are told, over real middleware: by the display node and the robot's."""

import importlib
import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import Point, PoseStamped
from rclpy.qos import qos_profile_sensor_data
from running import Process, parameters, wait_until
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Image
from std_msgs.msg import Float32, String
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from serl_bringup.task import load_task
from serl_learner.codec import to_nanoseconds
from serl_learner.qos import COMMAND, POLICY, STATUS, TRANSITIONS
from serl_msgs.msg import ControllerState, EpisodeSummary, LearnerStatus, Transition

ROOT = Path(__file__).parents[1]
CONTROLLER = "/cartesian_impedance_controller/controller_state"
RVIZ_TYPES = {
    "RobotModel": "std_msgs/msg/String",
    "MarkerArray": "visualization_msgs/msg/MarkerArray",
    "Pose": "geometry_msgs/msg/PoseStamped",
    "Image": "sensor_msgs/msg/Image",
}
pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture
def task(tmp_path):
    """The parameter file of a robot that a node simulates, with a box to keep out of."""
    keep_out = {"keep_out_low": [0.0, 0.0, 0.0], "keep_out_high": [0.01, 0.02, 0.03]}
    overrides = {f"environment.arguments.{name}": value for name, value in keep_out.items()}
    file = tmp_path / "config.yaml"
    task = str(ROOT / "config/tasks/pcb_insertion.yaml")
    load_task(task, robot="sim_node", overrides=overrides).save(file)
    return file


@pytest.fixture
def robot(ros_domain, task):
    command = [sys.executable, "-m", "serl_sim.robot_node", "--ros-args", "--params-file"]
    process = Process([*command, str(task)], task.with_name("robot.log"))
    yield process
    process.kill()
    print(process.text)


@pytest.fixture
def heard(node):
    """Messages of a topic, as they come."""

    def hear(kind, topic, qos=COMMAND):
        messages = []
        node.create_subscription(kind, topic, messages.append, qos)
        return messages

    return hear


class Robot:
    """Says by hand what a controller, a camera, a reward node, an actor and a learner say."""

    def __init__(self, node):
        sensor = qos_profile_sensor_data
        topics = {
            CONTROLLER: (ControllerState, sensor),
            "/wrist_1/image_raw": (Image, sensor),
            "/agent/reward/probability": (Float32, COMMAND),
            "/agent/transitions": (Transition, TRANSITIONS),
            "/agent/actor_status": (EpisodeSummary, STATUS),
            "/agent/learner_status": (LearnerStatus, STATUS),
        }
        self._publishers = {
            topic: node.create_publisher(kind, topic, qos) for topic, (kind, qos) in topics.items()
        }

    def say(self, topic, message):
        self._publishers[topic].publish(message)


def tool_down() -> ControllerState:
    """Pressed upwards with 5 N, in the tool's frame against its z; x and rz are clipped."""
    state = ControllerState(reason=ControllerState.TARGET_STALE)
    state.header.frame_id, state.header.stamp.sec = "arm_base", 7
    state.pose.position = Point(x=0.5, y=0.01, z=0.05)
    state.pose.orientation.x, state.pose.orientation.w = 1.0, 0.0
    state.target_pose.position = Point(x=0.4, y=0.01, z=0.05)
    state.clipped_pose.position = Point(x=0.498, y=0.01, z=0.05)
    state.external_wrench.force.z = -5.0
    state.clipped = [True, False, False, False, False, True]
    return state


def grey_picture() -> Image:
    image = Image(height=256, width=256, encoding="rgb8", step=768)
    image.header.frame_id, image.header.stamp.sec = "wrist_1", 9
    image.data.frombytes(bytes([100]) * (256 * 768))
    return image


def shown(message: MarkerArray) -> dict[str, Marker]:
    return {marker.ns: marker for marker in message.markers}


def points(marker: Marker) -> np.ndarray:
    return np.array([[p.x, p.y, p.z] for p in marker.points])


def test_markers_poses_and_frame_are_those_of_the_controller_s_state(start, node, heard, task):
    start("serl_bringup.display_node", task)
    said, state = Robot(node), tool_down()
    seen, frames = heard(MarkerArray, "/display/markers"), heard(TFMessage, "/tf")
    poses = {name: heard(PoseStamped, f"/display/{name}_pose") for name in ("target", "clipped")}
    said.say("/agent/actor_status", EpisodeSummary(success=True, length=9))
    said.say("/agent/learner_status", LearnerStatus(state=LearnerStatus.PACED))
    said.say("/agent/transitions", Transition(episode=4, step=12))

    status = "agent: episode 4, step 12\nsuccess: 100 % of the last 1\nlearner: paced"

    def told():
        said.say(CONTROLLER, state)
        said.say("/agent/transitions", Transition(episode=4, step=12))
        told = seen and shown(seen[-1])["status"].text == status
        return told and frames and all(poses.values())

    wait_until(told, lambda: f"markers, a frame, poses: {seen[-1:]}")
    by_name = shown(seen[-1])
    assert all(marker.header == state.header for marker in by_name.values())
    # The centre is 0.5, 0, 0.0306; the box from -0.05, -0.05, -0.005 to 0.05, 0.05, 0.05 about it.
    edges = points(by_name["workspace"]).round(9).reshape(12, 2, 3)
    corners = {tuple(corner) for corner in edges.reshape(24, 3).tolist()}
    assert corners == {
        (x, y, z) for x in (0.45, 0.55) for y in (-0.05, 0.05) for z in (0.0256, 0.0806)
    }
    assert (np.count_nonzero(edges[:, 0] != edges[:, 1], axis=1) == 1).all()
    kept_out = points(by_name["keep_out"])
    np.testing.assert_allclose(kept_out.min(axis=0), [0.5, 0.0, 0.0306])
    np.testing.assert_allclose(kept_out.max(axis=0), [0.51, 0.02, 0.0606])
    arrow = points(by_name["force"])  # 10 mm per N
    np.testing.assert_allclose(arrow, [[0.5, 0.01, 0.05], [0.5, 0.01, 0.10]], atol=1e-9)
    words = "5.0 N\nclipped: x, rz\nstopped: no target for too long"
    assert by_name["tool"].text == words
    (line,) = points(by_name["clipped"]).reshape(-1, 2, 3)  # along x, where the target is
    np.testing.assert_allclose(line, [[0.5, 0.01, 0.05], [0.45, 0.01, 0.05]])
    assert poses["target"][-1] == PoseStamped(header=state.header, pose=state.target_pose)
    assert poses["clipped"][-1] == PoseStamped(header=state.header, pose=state.clipped_pose)
    (frame,) = frames[-1].transforms
    assert (frame.header, frame.child_frame_id) == (state.header, "tool")
    assert frame.transform.translation.z == 0.05 and frame.transform.rotation.x == 1.0


def test_a_picture_is_the_policy_s_with_probability_and_success_on_it(start, node, heard, task):
    start("serl_bringup.display_node", task)
    said = Robot(node)
    seen = heard(Image, "/display/wrist_1/image")

    def picture_when(ready):
        def looked():
            said.say("/wrist_1/image_raw", grey_picture())
            return seen and ready(pixels(seen[-1]))

        wait_until(looked, lambda: "such a picture")
        return seen[-1]

    plain = picture_when(lambda image: True)
    assert (plain.header.frame_id, plain.header.stamp.sec) == ("wrist_1", 9)
    assert pixels(plain).shape == (128, 128, 3) and (pixels(plain) == 100).all()
    said.say("/agent/reward/probability", Float32(data=0.87))
    written = pixels(picture_when(lambda image: (image != 100).any()))
    assert (written[:64] == 100).all() and written.max() > 200  # white, at the bottom
    said.say("/agent/transitions", Transition(success=True))
    green = pixels(picture_when(lambda image: image[0, 0, 1] > 150))
    assert (green[0] == green[0, 0]).all() and (green[64, 32:96] == 100).all()


def pixels(image: Image) -> np.ndarray:
    return np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)


def test_frames_lead_from_the_base_to_the_tool_and_to_what_moves(robot, heard, start, task):
    start("serl_bringup.display_node", task)
    states = heard(ControllerState, CONTROLLER, qos_profile_sensor_data)
    static, moving = heard(TFMessage, "/tf_static", POLICY), heard(TFMessage, "/tf")
    urdf, scene = heard(String, "/robot_description", POLICY), heard(MarkerArray, "/scene", POLICY)
    everything = (states, static, moving, urdf, scene)
    wait_until(lambda: all(everything), lambda: f"all of {[len(m) for m in everything]}")
    wait_until(lambda: len(moving) > 5, lambda: "more frames")
    parents = {f.child_frame_id: f for f in (*static[0].transforms, *moving[-1].transforms)}
    stamp_ns = to_nanoseconds(moving[-1].transforms[0].header.stamp)
    assert abs(time.time_ns() - stamp_ns) < 5e9
    assert "fixture" in parents and "tool" not in {f.child_frame_id for f in moving[-1].transforms}
    position, rotation, frame = np.zeros(3), Rotation.identity(), "tool"
    while frame in parents:  # at rest: the newest state fits
        t, q = parents[frame].transform.translation, parents[frame].transform.rotation
        turn = Rotation.from_quat([q.x, q.y, q.z, q.w])
        position = turn.apply(position) + np.array([t.x, t.y, t.z])
        rotation, frame = turn * rotation, parents[frame].header.frame_id
    pose = states[-1].pose
    assert frame == states[-1].header.frame_id == "panda_link0"
    np.testing.assert_allclose(
        position, [pose.position.x, pose.position.y, pose.position.z], atol=1e-3
    )
    q = pose.orientation
    assert (rotation * Rotation.from_quat([q.x, q.y, q.z, q.w]).inv()).magnitude() < 0.01
    links = set(re.findall(r'<link name="(\w+)"', urdf[0].data))
    assert links == {name for name in parents if name in links} | {"panda_link0"}
    assert {m.header.frame_id for m in scene[0].markers} == {"panda_link0", "fixture"}


def test_both_layouts_name_topics_that_are_there(robot, start, node, heard, task, tmp_path):
    start("serl_bringup.display_node", task)
    start("serl_reward.reward_node", task)
    for module in ("serl_learner.learner_node", "serl_actor.actor_node"):
        start(module, parameters(tmp_path))
    wanted = {**rviz_topics(), **dict.fromkeys(foxglove_paths())}

    def published():
        types = dict(node.get_topic_names_and_types())
        return {topic: types[topic] for topic in types if node.count_publishers(topic)}

    def topic_of(path):
        """Topic of a message path, and its fields."""
        name, _, fields = path.partition(".")
        return name, fields.split(".") if fields else []

    names = {topic_of(path)[0] for path in wanted}
    wait_until(lambda: names <= published().keys(), lambda: f"{names - published().keys()}")
    types = published()
    for path, kind in wanted.items():
        name, fields = topic_of(path)
        (is_kind,) = types[name]
        assert kind in (None, is_kind), path
        for field in fields:
            package, *_, message = is_kind.split("/")
            message = getattr(importlib.import_module(f"{package}.msg"), message)
            is_kind = message.get_fields_and_field_types()[field]


def rviz_topics() -> dict[str, str]:
    """With their types, as the classes of the displays have them."""
    layout = yaml.safe_load((ROOT / "config/serl.rviz").read_text())
    topics = {}
    for display in layout["Visualization Manager"]["Displays"]:
        kind = display["Class"].removeprefix("rviz_default_plugins/")
        topic = display.get("Topic", display.get("Description Topic"))
        if topic is not None:
            topics[topic["Value"]] = RVIZ_TYPES[kind]
    assert len(topics) == 8
    return topics


def foxglove_paths() -> set[str]:
    """Topics, and message paths: a topic, then fields."""
    layout = json.loads((ROOT / "config/serl.foxglove.json").read_text())
    panels = layout["configById"]

    def leaves(part):
        return [part] if isinstance(part, str) else leaves(part["first"]) + leaves(part["second"])

    assert sorted(leaves(layout["layout"])) == sorted(panels)
    paths = set()
    for panel in panels.values():
        paths |= {*panel.get("topics", {})} | {path["value"] for path in panel.get("paths", ())}
        paths |= {panel["imageMode"]["imageTopic"]} if "imageMode" in panel else set()
        paths |= {panel[key] for key in ("topicPath", "topicToRender") if key in panel}
    return paths
