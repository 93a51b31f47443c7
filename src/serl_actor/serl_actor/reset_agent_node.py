"""Answers PlanReset: how the next episode starts, as the task's section `reset` says."""

import sys
import threading
from collections.abc import Iterator

from rclpy.node import Node
from std_msgs.msg import Empty, String

from serl_actor.reset import ResetConfig, ResetKind, ResetPlanner
from serl_actor.reset_codec import decode_request, fill_refusal, fill_response
from serl_learner import qos
from serl_learner.config import RunConfig
from serl_learner.diagnostics import Diagnostic, Diagnostics, Level
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
        config = read_section(self, "reset", ResetConfig)
        self._planner = ResetPlanner(config, seed)
        self._claim = claim_role(self, "a reset agent", "reset/message")
        self._message = self.create_publisher(String, "reset/message", qos.COMMAND)
        self.create_service(PlanReset, "reset/plan", self._on_plan)
        self._plans, self._newest = 0, (Level.OK, "none yet")
        Diagnostics(self, name, config.source, self._diagnose)
        self.create_subscription(Empty, "reset/confirm", self._on_confirm, qos.COMMAND)

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def _on_plan(self, request, response):
        self._plans += 1
        try:
            plan = self._planner.plan(decode_request(request))
            fill_response(response, plan)
            waits = plan.kind is ResetKind.CONFIRM
            self._newest = Level.WARN if waits else Level.OK, plan.message or plan.kind.name
        except ValueError as error:
            fill_refusal(response, str(error))
            self._newest = Level.ERROR, f"cannot plan: {error}"
        self._message.publish(String(data=response.message))
        return response

    def _diagnose(self) -> Iterator[Diagnostic]:
        level, message = self._newest
        yield Diagnostic("plan", level, message, {"plans (count)": self._plans})

    def _on_confirm(self, message: Empty) -> None:
        self._planner.confirm()


def main() -> None:
    sys.exit(run_node(ResetAgentNode))


if __name__ == "__main__":
    main()
