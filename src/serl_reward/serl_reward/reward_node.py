"""Answers ComputeReward: from pose, images or a person, as the task's section `reward` says."""

import sys
import threading
import time
from collections.abc import Iterator

import torch
from rclpy.node import Node
from std_msgs.msg import Bool, Float32

from serl_learner import qos
from serl_learner.classifier import from_bytes
from serl_learner.codec import decode_observation, decode_weights, to_nanoseconds
from serl_learner.config import ConfigError
from serl_learner.diagnostics import Diagnostic, Diagnostics, Level, Rate
from serl_learner.parameters import read_section
from serl_learner.reward import Step
from serl_learner.run_node import claim_role, run_node
from serl_learner.vice import ViceConfig
from serl_msgs.msg import RewardModel
from serl_msgs.srv import ComputeReward
from serl_reward.config import RewardConfig
from serl_reward.human_reward import HumanReward
from serl_reward.rewards import make_reward

SLOW_S = 0.05  # half a step at 10 Hz


class RewardNode(Node):
    """Serves `reward/compute`, and publishes `reward/probability` of each step that it judged.

    With VICE it judges by the newest `reward/model` of the learner; a person labels by
    `reward/label` (true: success).
    """

    def __init__(self, name: str = "reward", namespace: str = "agent", **options):
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__(name, namespace=namespace, **options)
        config = read_section(self, "reward", RewardConfig)
        if config.source == "environment":
            raise ConfigError("reward.source: expected one that a node computes, got environment")
        torch.set_num_threads(1)  # learner and actor need the other cores
        self._reward = make_reward(config, read_section(self, "vice", ViceConfig))
        self._claim = claim_role(self, "a reward node", "reward/probability")
        self._probability = self.create_publisher(Float32, "reward/probability", qos.COMMAND)
        self.create_service(ComputeReward, "reward/compute", self._on_compute)
        if config.source == "vice":
            self.create_subscription(RewardModel, "reward/model", self._on_model, qos.POLICY)
        self._asked, self._spent_s, self._version, self._refusal = 0, 0.0, 0, ""
        self._rate, self._told = Rate(), (0, 0.0)
        Diagnostics(self, name, config.source, self._diagnose)
        if isinstance(self._reward, HumanReward):
            self.create_subscription(Bool, "reward/label", self._on_label, qos.COMMAND)

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def _on_compute(self, request, response):
        began_s = time.perf_counter()
        self._judge(request, response)
        self._asked += 1
        self._spent_s += time.perf_counter() - began_s
        self._version, self._refusal = response.version, response.error
        return response

    def _judge(self, request, response) -> None:
        try:
            step = Step(
                decode_observation(request.previous_observation, "previous_observation"),
                request.action,
                decode_observation(request.observation),
                request.last,
                to_nanoseconds(request.previous_observation.stamp),
            )
            judgement = self._reward(step)
        except ValueError as error:
            response.error = str(error)
            return
        for field in ("reward", "success", "confidence", "version", "pending"):
            setattr(response, field, getattr(judgement, field))
        self._probability.publish(Float32(data=judgement.confidence))

    def _diagnose(self) -> Iterator[Diagnostic]:
        (asked, spent_s), self._told = self._told, (self._asked, self._spent_s)
        one_s = (self._spent_s - spent_s) / max(self._asked - asked, 1)
        rate_hz = self._rate(self._asked)
        values = {
            "judgements (1/s)": rate_hz,
            "time of one (ms)": 1000.0 * one_s,
            "judgements (count)": self._asked,
            "model version (steps)": self._version,
        }
        level, message = Level.OK, f"{rate_hz:.0f} per second" if self._asked else "none asked yet"
        if self._refusal:
            level, message = Level.ERROR, f"cannot judge: {self._refusal}"
        elif one_s > SLOW_S:
            level, message = Level.WARN, f"{1000 * one_s:.0f} ms each: stop other programs"
        yield Diagnostic("judgements", level, message, values)

    def _on_model(self, message: RewardModel) -> None:
        try:
            self._reward.classifier, _ = from_bytes(decode_weights(message))
        except ValueError as error:  # the one in use stays
            self.get_logger().error(str(error))

    def _on_label(self, message: Bool) -> None:
        self._reward.label(message.data)


def main() -> None:
    sys.exit(run_node(RewardNode))


if __name__ == "__main__":
    main()
