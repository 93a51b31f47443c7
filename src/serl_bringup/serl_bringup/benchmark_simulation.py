"""`serl benchmark simulation`: environment steps per second, and where their time goes."""

from typing import Any

from serl_sim import benchmark

ENVIRONMENT = "serl_sim:serl_sim/PcbInsertion-v0"
STEPS = 300


def measure() -> dict[str, Any]:
    """Steps of PCB insertion under random actions, without and with its two wrist cameras."""
    return {
        observations: benchmark.measure(ENVIRONMENT, STEPS, observations=observations)
        for observations in ("state", "vision")
    }
