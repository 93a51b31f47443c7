"""Asks a reward node as an actor does, and measures how long the answers take."""

import threading
import time
from collections.abc import Sequence

import rclpy
from rclpy.node import Node

from serl_actor.reward_client import RewardClient
from serl_learner.reward import Step
from serl_learner.run_node import spinning

WARM_UP = 10  # questions
APPEARS_S = 60.0


def ask(agent: str, steps: Sequence[Step]) -> list[float]:
    """Seconds of each answer, the first ones left out. Raises RewardFault where none comes."""
    rclpy.init(args=[])
    try:
        node = Node("asking", namespace=agent)
        client = RewardClient(node, agent)
        with spinning(node, threading.Event()):
            client.ready(APPEARS_S)
            for step in steps[:WARM_UP]:
                client(step)
            return [_timed(client, step) for step in steps]
    finally:
        rclpy.try_shutdown()


def _timed(client: RewardClient, step: Step) -> float:
    began = time.perf_counter()
    client(step)
    return time.perf_counter() - began
