"""Shows a robot that is trained over topics in rviz and Foxglove; it only listens.

While nobody looks it does not even do that. Of what comes faster than it shows, it keeps the
newest.
"""

import queue
import sys
import threading
from functools import partial
from typing import Any

from geometry_msgs.msg import PoseStamped, TransformStamped
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import Float32
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from serl_actor.camera_image import seen
from serl_actor.robot_link import CONTROLLER
from serl_bringup.display import Workspace, markers, picture
from serl_bringup.progress import Progress
from serl_learner.parameters import read_agents, read_parameters
from serl_learner.qos import COMMAND, STATUS
from serl_learner.run_node import run_node
from serl_learner.status import TrainerState
from serl_msgs.msg import ControllerState, EpisodeSummary, LearnerStatus, Transition

PERIOD_S = 0.1
TOOL = "tool"  # the frame's name, where nobody else tells the robot's frames
POSES = ("target_pose", "clipped_pose", "tool_pose")


class Newest:
    """The newest message of topics: bytes, until it is asked for; and only while it is open."""

    def __init__(self, node: Node):
        self._node = node
        self._kinds: dict[str, type] = {}
        self._received: dict[str, bytes] = {}
        self._subscriptions: list[Subscription] = []

    def add(self, topic: str, kind: type) -> None:
        self._kinds[topic] = kind

    def open(self) -> None:
        if self._subscriptions:
            return
        for topic, kind in self._kinds.items():
            keep, qos = partial(self._received.__setitem__, topic), qos_profile_sensor_data
            made = self._node.create_subscription(kind, topic, keep, qos, raw=True)
            self._subscriptions.append(made)

    def close(self) -> None:
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def take(self, topic: str) -> Any | None:
        """What has come since it was last asked for."""
        data = self._received.pop(topic, None)
        return None if data is None else deserialize_message(data, self._kinds[topic])


class AgentView:
    """What is known of one agent."""

    def __init__(self, node: Node, newest: Newest, name: str):
        self.name = name
        self.probability: float | None = None  # of the newest step that was judged
        self.newest_step: Transition | None = None
        self._progress = Progress(PERIOD_S, has_success=True)
        self._reports: queue.SimpleQueue[LearnerStatus | EpisodeSummary] = queue.SimpleQueue()
        self._newest = newest
        self._steps, self._judged = f"/{name}/transitions", f"/{name}/reward/probability"
        newest.add(self._steps, Transition)
        newest.add(self._judged, Float32)
        for kind, topic in ((LearnerStatus, "learner_status"), (EpisodeSummary, "actor_status")):
            node.create_subscription(kind, f"/{name}/{topic}", self._reports.put, STATUS)

    def update(self) -> bool:
        """Whether it has acted since."""
        judged, step = self._newest.take(self._judged), self._newest.take(self._steps)
        if judged is not None:
            self.probability = judged.data
        if step is not None:
            self.newest_step = step
        while not self._reports.empty():
            report = self._reports.get()
            is_learner = isinstance(report, LearnerStatus)
            (self._progress.status if is_learner else self._progress.episode)(report)
        return step is not None

    def text(self) -> str:
        progress, step = self._progress, self.newest_step
        where = f"episode {step.episode}, step {step.step}" if step else "no step yet"
        learner = progress.learner
        state = TrainerState(learner.state).name.replace("_", " ").lower() if learner else "-"
        lines = [f"{self.name}: {where}", f"learner: {state}"]
        if progress.recent:
            rate = 100 * progress.recent_success_rate
            lines.insert(1, f"success: {rate:.0f} % of the last {len(progress.recent)}")
        return "\n".join(lines)


class DisplayNode(Node):
    """Publishes `/display/...` ten times a second, where somebody looks."""

    def __init__(self, **options):
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__("display", **options)
        arguments = read_parameters(self).get("environment", {}).get("arguments", {})
        self._workspace = Workspace.of(arguments)
        self._cameras = arguments.get("cameras", {})
        self._crops = {name: tuple(crop) for name, crop in arguments.get("crops", {}).items()}
        self._size = arguments.get("image_size", 128)
        self._newest = Newest(self)
        self._agents = [AgentView(self, self._newest, name) for name in read_agents(self)]
        self._acting = self._agents[0]
        self._controller = f"{CONTROLLER}/controller_state"
        self._newest.add(self._controller, ControllerState)
        for topic in self._cameras.values():
            self._newest.add(topic, Image)
        topics: dict[str, type] = {"/display/markers": MarkerArray, "/tf": TFMessage}
        topics |= {f"/display/{name}": PoseStamped for name in POSES}
        topics |= {f"/display/{name}/image": Image for name in self._cameras}
        self._shown = {name: self.create_publisher(topics[name], name, COMMAND) for name in topics}

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(PERIOD_S):
            if any(publisher.get_subscription_count() for publisher in self._shown.values()):
                self._newest.open()
                self._show()
            else:  # what is heard costs its senders as well
                self._newest.close()

    def _show(self) -> None:
        for agent in self._agents:
            if agent.update():
                self._acting = agent
        for name in self._cameras:
            self._show_picture(name)
        state = self._newest.take(self._controller)
        if state is None:
            return
        for name in POSES:
            pose = state.pose if name == "tool_pose" else getattr(state, name)
            self._shown[f"/display/{name}"].publish(PoseStamped(header=state.header, pose=pose))
        status = "\n".join(agent.text() for agent in self._agents)
        shown = markers(state, self._workspace, status)
        self._shown["/display/markers"].publish(MarkerArray(markers=shown))
        if self.count_publishers("/tf") == 1:  # this one
            self._shown["/tf"].publish(_frame(state))

    def _show_picture(self, name: str) -> None:
        message = self._newest.take(self._cameras[name])
        if message is None:
            return
        step = self._acting.newest_step
        try:
            pixels = seen(message, self._size, self._crops.get(name, ()))
        except ValueError as error:
            self.get_logger().warning(f"{name}: {error}", throttle_duration_sec=10.0)
            return
        success = step is not None and step.success
        shown = picture(pixels, message.header, self._acting.probability, success)
        self._shown[f"/display/{name}/image"].publish(shown)


def _frame(state: ControllerState) -> TFMessage:
    transform = TransformStamped(header=state.header, child_frame_id=TOOL)
    p, where = state.pose.position, transform.transform.translation
    where.x, where.y, where.z = p.x, p.y, p.z
    transform.transform.rotation = state.pose.orientation
    return TFMessage(transforms=[transform])


def main() -> None:
    sys.exit(run_node(DisplayNode))


if __name__ == "__main__":
    main()
