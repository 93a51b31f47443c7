"""How long a transition takes from one process to another, and whether all arrive."""

import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import rclpy

from serl_bringup.processes import node_environment
from serl_bringup.transport_node import RATE_HZ, ReceiverNode
from serl_learner.domain import acquire_domain
from serl_learner.run_node import spinning

TIMEOUT_S = 60.0  # of the sender
LAST_S = 2.0  # in which the last ones arrive, or are lost


def measure(count: int = 500) -> dict[str, Any]:
    """`count` transitions of each size, between two processes of this machine."""
    with acquire_domain() as domain:
        os.environ.update(node_environment(domain.number))
        latencies_s = {"state": _receive(count, False), "image": _receive(count, True)}
    received = sum(map(len, latencies_s.values()))
    return {
        "sent": 2 * count,
        "received": received,
        "lost": 2 * count - received,
        "rate_hz": RATE_HZ,
        "latency_ms": {size: _summary(values) for size, values in latencies_s.items()},
    }


def _receive(count: int, images: bool) -> list[float]:
    """Latencies (s) of those that arrive of `count` transitions of one size."""
    command = [sys.executable, "-m", "serl_bringup.transport_node", "--ros-args"]
    command += ["-p", f"count:={count}", "-p", f"images:={str(images).lower()}"]
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = ReceiverNode(context=context)
        with spinning(node, threading.Event()):
            subprocess.run(command, check=True, timeout=TIMEOUT_S)
            deadline = time.monotonic() + LAST_S
            while len(node.latencies_s) < count and time.monotonic() < deadline:
                time.sleep(0.01)
        return list(node.latencies_s.values())
    finally:
        rclpy.try_shutdown(context=context)


def _summary(latencies_s: list[float]) -> dict[str, float]:
    median, p99 = 1e3 * np.percentile(latencies_s, [50, 99]) if latencies_s else (np.nan, np.nan)
    return {"median": round(float(median), 3), "p99": round(float(p99), 3)}
