"""Answers ComputeReward from the pose of the tool."""

import sys
import threading

from rclpy.node import Node

from serl_learner.codec import decode_observation
from serl_learner.parameters import read_section
from serl_learner.run_node import run_node
from serl_msgs.srv import ComputeReward
from serl_reward.pose_reward import PoseReward, PoseRewardConfig


class RewardNode(Node):
    """Serves `reward/compute`; configured by the section `pose_reward` of the parameters."""

    def __init__(self, name: str = "reward", namespace: str = "agent", **options):
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__(name, namespace=namespace, **options)
        self._reward = PoseReward(read_section(self, "pose_reward", PoseRewardConfig))
        self.create_service(ComputeReward, "reward/compute", self._on_compute)

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def _on_compute(self, request, response):
        try:
            judgement = self._reward({}, request.action, decode_observation(request.observation))
        except ValueError as error:
            response.error = str(error)
            return response
        response.reward, response.success = judgement.reward, judgement.success
        response.confidence = judgement.confidence
        return response


def main() -> None:
    sys.exit(run_node(RewardNode))


if __name__ == "__main__":
    main()
