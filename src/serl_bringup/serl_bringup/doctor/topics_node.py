"""Listens to a robot's topics for a while, and prints as one JSON object what came.

usage: python -m serl_bringup.doctor.topics_node CONTROLLER CAMERA_TOPIC...
It sends nothing but one question for a parameter's value, some times.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import rclpy
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Float64

from serl_actor.robot_link import GRIPPER_STATE
from serl_learner.codec import to_nanoseconds
from serl_msgs.msg import ControllerState

APPEAR_S = 5.0  # in which publishers are found
LISTEN_S = 3.0
QUESTIONS, ANSWER_S = 20, 1.0


class Heard:
    """When messages of a topic came, and how old their stamps were then."""

    def __init__(self) -> None:
        self.arrived_s: list[float] = []
        self.ages_s: list[float] = []
        self.newest: object | None = None

    def take(self, message) -> None:
        self.arrived_s.append(time.monotonic())
        if hasattr(message, "header"):
            self.ages_s.append(1e-9 * (time.time_ns() - to_nanoseconds(message.header.stamp)))
        self.newest = message

    def figures(self) -> dict[str, float]:
        """Rate in Hz; of the periods, how far 99 % are off the median, in ms; age in ms."""
        figures = {"messages": len(self.arrived_s)}
        periods = np.diff(self.arrived_s)
        if periods.size:
            figures["rate_hz"] = float(1.0 / periods.mean())
            off_s = np.abs(periods - np.median(periods))
            figures["jitter_ms"] = float(1000.0 * np.percentile(off_s, 99.0))
        if self.ages_s:
            figures["age_ms"] = float(1000.0 * np.median(self.ages_s))
        return figures


class TopicsNode(Node):
    def __init__(self, controller: str, cameras: list[str]):
        super().__init__("doctor")
        self._controller = controller
        sensor = qos_profile_sensor_data
        self._heard = {topic: Heard() for topic in cameras}
        for topic, heard in self._heard.items():
            self.create_subscription(Image, topic, heard.take, sensor)
        said = f"{controller}/controller_state"
        self._state, self._gripper = Heard(), Heard()
        self.create_subscription(ControllerState, said, self._state.take, sensor)
        self.create_subscription(Float64, GRIPPER_STATE, self._gripper.take, sensor)
        self._question = self.create_client(GetParameters, f"{controller}/get_parameters")

    def look(self) -> dict:
        everything = [self._state, *self._heard.values()]
        self._spin(APPEAR_S, lambda: all(heard.newest for heard in everything))
        for heard in (*everything, self._gripper):
            heard.arrived_s.clear()
            heard.ages_s.clear()
        if any(heard.newest for heard in everything):
            self._spin(LISTEN_S, lambda: False)
        target = f"{self._controller}/target_pose"
        writers = self.get_publishers_info_by_topic(target)
        state, gripper = self._state.newest, self._gripper.newest
        return {
            "domain": self.context.get_domain_id(),
            "controller": self._state.figures() | {"reason": state.reason if state else None},
            "target_publishers": [f"{w.node_namespace.rstrip('/')}/{w.node_name}" for w in writers],
            "round_trip_ms": self._round_trip_ms(),
            "gripper": self._gripper.figures() | {"opening": gripper.data if gripper else None},
            "cameras": {topic: self._camera(heard) for topic, heard in self._heard.items()},
        }

    def _camera(self, heard: Heard) -> dict:
        image = heard.newest
        if image is None:
            return heard.figures()
        shape = {"width": image.width, "height": image.height, "encoding": image.encoding}
        return heard.figures() | shape

    def _round_trip_ms(self) -> float | None:
        """The median; None where nobody answers."""
        if not self._question.wait_for_service(timeout_sec=ANSWER_S):
            return None
        trips = []
        for _ in range(QUESTIONS):
            began_s = time.perf_counter()
            future = self._question.call_async(GetParameters.Request(names=["use_sim_time"]))
            self._spin(ANSWER_S, future.done)
            if future.done():
                trips.append(time.perf_counter() - began_s)
        return 1000.0 * float(np.median(trips)) if trips else None

    def _spin(self, limit_s: float, done: Callable[[], bool]) -> None:
        end_s = time.monotonic() + limit_s
        while not done() and (left_s := end_s - time.monotonic()) > 0.0:
            rclpy.spin_once(self, timeout_sec=left_s)


def main() -> None:
    controller, *cameras = sys.argv[1:]
    rclpy.init(args=[])
    try:
        print(json.dumps(TopicsNode(controller, cameras).look()))
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
