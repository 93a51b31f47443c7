"""Answers PlanReset: how the next episode starts, as the task's section `reset` says."""

import sys
import threading

from rclpy.node import Node
from std_msgs.msg import Empty, String

from serl_actor.reset import ResetConfig, ResetPlanner
from serl_actor.reset_codec import decode_request, fill_refusal, fill_response
from serl_learner import qos
from serl_learner.config import RunConfig
from serl_learner.parameters import read_section
from serl_learner.run_node import claim_role, run_node
from serl_msgs.srv import PlanReset


class ResetAgentNode(Node):
    """Serves `reset/plan`, and publishes the message of each plan as `reset/message`.

    It commands nothing: the actor drives. A person confirms by `reset/confirm`.
    """

    def __init__(self, name: str = "reset_agent", namespace: str = "", **options):
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__(name, namespace=namespace, **options)
        seed = read_section(self, "run", RunConfig).seed
        self._planner = ResetPlanner(read_section(self, "reset", ResetConfig), seed)
        self._claim = claim_role(self, "a reset agent", "reset/message")
        self._message = self.create_publisher(String, "reset/message", qos.COMMAND)
        self.create_service(PlanReset, "reset/plan", self._on_plan)
        self.create_subscription(Empty, "reset/confirm", self._on_confirm, qos.COMMAND)

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def _on_plan(self, request, response):
        try:
            fill_response(response, self._planner.plan(decode_request(request)))
        except ValueError as error:
            fill_refusal(response, str(error))
        self._message.publish(String(data=response.message))
        return response

    def _on_confirm(self, message: Empty) -> None:
        self._planner.confirm()


def main() -> None:
    sys.exit(run_node(ResetAgentNode))


if __name__ == "__main__":
    main()
