"""The actor's questions to the reward node. Part of the actor's node, which spins elsewhere."""

import threading
import time

from rclpy.node import Node

from serl_actor.judged import RewardFault
from serl_learner.codec import encode_observation
from serl_learner.reward import Judgement, Step
from serl_msgs.srv import ComputeReward

ANSWER_S = 1.0  # for the answer to one question; a robot meanwhile holds still
APPEAR_S = 10.0  # for the node to appear, at each reset


class RewardClient:
    """Asks `reward/compute` of an agent. Called from the actor's loop alone."""

    def __init__(self, node: Node, agent: str):
        self._agent = agent
        self._service = node.resolve_service_name(f"/{agent}/reward/compute")
        self._client = node.create_client(ComputeReward, self._service)

    def ready(self, timeout_s: float = APPEAR_S) -> None:
        """Raises RewardFault where there is no reward node after the timeout."""
        if not self._client.wait_for_service(timeout_s):
            raise RewardFault(f"reward: expected a node that serves {self._service}, found none")

    def __call__(self, step: Step) -> Judgement:
        """Raises RewardFault where no answer comes in time, ValueError where it is an error."""
        if not self._client.service_is_ready():
            raise RewardFault("reward: the node that computes it is gone")
        answer = self._ask(step)
        if answer.error:
            raise ValueError(answer.error)
        return Judgement(
            answer.reward, answer.success, answer.confidence, answer.version, answer.pending
        )

    def _ask(self, step: Step) -> ComputeReward.Response:
        now_ns = time.time_ns()
        request = ComputeReward.Request(
            agent=self._agent,
            previous_observation=encode_observation(step.previous, step.began_ns),
            observation=encode_observation(step.observation, now_ns),
            last=step.last,
        )
        request.action = [float(element) for element in step.action]
        answered = threading.Event()
        future = self._client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(ANSWER_S):
            self._client.remove_pending_request(future)
            raise RewardFault(f"reward: expected an answer within {ANSWER_S:.0f} s, got none")
        return future.result()
