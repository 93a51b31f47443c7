"""How long a transition takes from one process to another, and whether all arrive."""

import os
from typing import Any

import numpy as np

from serl_bringup.processes import node_environment
from serl_bringup.transport_node import RATE_HZ, receive
from serl_learner.domain import acquire_domain


def measure(count: int = 500) -> dict[str, Any]:
    """`count` transitions of each size, between two processes of this machine."""
    with acquire_domain() as domain:
        os.environ.update(node_environment(domain.number))
        latencies_s = {"state": receive(count, False), "image": receive(count, True)}
    received = sum(map(len, latencies_s.values()))
    return {
        "sent": 2 * count,
        "received": received,
        "lost": 2 * count - received,
        "rate_hz": RATE_HZ,
        "latency_ms": {size: _summary(values) for size, values in latencies_s.items()},
    }


def _summary(latencies_s: list[float]) -> dict[str, float]:
    median, p99 = 1e3 * np.percentile(latencies_s, [50, 99]) if latencies_s else (np.nan, np.nan)
    return {"median": round(float(median), 3), "p99": round(float(p99), 3)}
