"""The actor's questions to the reset agent. Part of the actor's node, which spins elsewhere."""

import threading

from rclpy.node import Node

from serl_actor.planned_reset import ResetFault
from serl_actor.reset import ResetPlan, ResetRequest
from serl_actor.reset_codec import decode_plan, encode_request
from serl_msgs.srv import PlanReset

ANSWER_S = 2.0  # for the answer to one question; a robot meanwhile holds still
APPEAR_S = 10.0  # for the node to appear


class ResetClient:
    """Asks `reset/plan` in the node's namespace. Called from the actor's loop alone."""

    def __init__(self, node: Node):
        self._client = node.create_client(PlanReset, "reset/plan")
        self._service = node.resolve_service_name("reset/plan")

    def ready(self, timeout_s: float = APPEAR_S) -> None:
        """Raises ResetFault where there is no reset agent after the timeout."""
        if not self._client.wait_for_service(timeout_s):
            raise ResetFault(f"reset: expected a node that serves {self._service}, found none")

    def __call__(self, request: ResetRequest) -> ResetPlan:
        """Raises ResetFault where no plan comes in time, or none that can be followed."""
        self.ready()
        answer = self._ask(request)
        try:
            return decode_plan(answer)
        except ValueError as error:
            raise ResetFault(f"reset: {error}") from None

    def _ask(self, request: ResetRequest) -> PlanReset.Response:
        answered = threading.Event()
        future = self._client.call_async(encode_request(request))
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(ANSWER_S):
            self._client.remove_pending_request(future)
            raise ResetFault(f"reset: expected a plan within {ANSWER_S:.0f} s, got none")
        return future.result()
