"""`serl benchmark contact`: our law and SERL's in free space and at a hard wall, in simulation."""

from pathlib import Path
from typing import Any

from franka_impedance_controller import Gains
from serl_bringup.task_sections import load_gains
from serl_sim import contact_bench as bench
from serl_sim.arms import PANDA

SPEEDS = (0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.25)  # m/s
STEPS = (0.007, 0.02)  # m
DOWN = "-z"


def measure(gains: str = "pcb_insertion", plot: Path | None = None) -> dict[str, Any]:
    """Simulates a Panda. Forces in N, speeds in m/s; `plot` is a PNG of the impacts to draw.

    SERL's law runs with the same gains. In `impact` its clips are opened where it would not reach
    the speed (`serl`), or our law brings it there and it takes over at the touch (`serl_carried`).
    """
    law = Gains(**load_gains(gains))
    figures = {
        "gains": gains,
        "arm": "panda",
        "wall_stiffness": bench.WALL_STIFFNESS,
        "free_run": {
            name: {direction: _free_run(law, direction, name) for direction in bench.DIRECTIONS}
            for name in bench.LAWS
        },
        "step": {
            f"{step:g}": {direction: _step(law, direction, step) for direction in bench.DIRECTIONS}
            for step in STEPS
        },
        "press": {
            name: {
                direction: bench.press(PANDA, law, direction, law=name)._asdict()
                for direction in bench.DIRECTIONS
            }
            for name in bench.LAWS
        },
        "impact": _impact(law),
        "rebound": {
            direction: bench.rebound(PANDA, law, direction)._asdict()
            for direction in bench.DIRECTIONS
        },
    }
    if plot:
        from serl_bringup.plot_controller import plot_impact

        plot_impact(figures, plot)
    return figures


def _free_run(law: Gains, direction: str, name: str) -> dict[str, float]:
    """Shares of the commanded 0.2 m/s, with targets from the measured pose and absolute ones."""
    return {
        kind: bench.free_run(PANDA, law, direction, law=name, measured=kind == "measured")
        for kind in ("measured", "absolute")
    }


def _step(law: Gains, direction: str, step: float) -> dict[str, dict[str, float]]:
    return {
        name: bench.step_response(PANDA, law, direction, step, law=name)._asdict()
        for name in bench.LAWS
    }


def _impact(law: Gains) -> dict[str, Any]:
    def points(speed_gains, **options) -> list[dict[str, float] | None]:
        impacts = [bench.impact(PANDA, speed_gains(v), DOWN, v, **options) for v in SPEEDS]
        return [impact and impact._asdict() for impact in impacts]

    return {
        "direction": DOWN,
        "serl_own_speed": bench.own_speed(law, DOWN),
        "ours": points(lambda _: law, law="ours"),
        "serl": points(lambda speed: bench.with_clip_for(law, speed), law="serl"),
        "serl_carried": points(lambda _: law, law="serl", carried=True),
    }
