"""How long a transition takes from one process to another, and whether all arrive."""

import os
from typing import Any

import numpy as np

from serl_bringup.processes import node_environment
from serl_bringup.robot import requested_domain
from serl_bringup.transport_node import (
    RATE_HZ,
    ROBOT_RATE_HZ,
    receive,
    receive_from_elsewhere,
    send,
)
from serl_learner.discovery import network_discovery
from serl_learner.domain import acquire_domain


def measure(count: int | None = None, machine: str | None = None) -> dict[str, Any]:
    """`count` transitions of each size, between two processes of this machine.

    With `machine`, of images alone at a robot's rate: sent here, for `robot`, and counted where
    this runs for `learner`, which has to know the same `count`.
    """
    if machine:
        os.environ.update(node_environment(requested_domain() or 0, local=False))
        os.environ.update(network_discovery())
        return _measure_between(machine, count or 200)
    count = count or 500
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


def _measure_between(machine: str, count: int) -> dict[str, Any]:
    if machine == "robot":
        send(count, True, ROBOT_RATE_HZ)
        return {"sent": count, "rate_hz": ROBOT_RATE_HZ}
    latencies_s = receive_from_elsewhere(count)
    return {
        "expected": count,
        "received": len(latencies_s),
        "lost": count - len(latencies_s),
        "latency_ms": _summary(latencies_s),  # and what their clocks differ by
    }


def _summary(latencies_s: list[float]) -> dict[str, float]:
    median, p99 = 1e3 * np.percentile(latencies_s, [50, 99]) if latencies_s else (np.nan, np.nan)
    return {"median": round(float(median), 3), "p99": round(float(p99), 3)}
