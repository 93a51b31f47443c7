"""`serl benchmark controller`: one tick of the impedance law in C++, ours and SERL's."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from ament_index_python.packages import get_package_prefix

from serl_sim.arms import PANDA, robots_directory

TOOL_FRAME = "panda_hand_tcp"


def measure(histogram: Path | None = None, ticks: int = 1_000_000) -> dict[str, Any]:
    """Microseconds per tick, model included; `usual` is SERL's way to write the law.

    `ratio_to_usual` is how many times longer the usual one takes. `histogram` is a PNG to draw.
    """
    package = "franka_impedance_controller"
    program = Path(get_package_prefix(package), "lib", package, "benchmark_controller")
    urdf = robots_directory() / PANDA.urdf_file
    command = [str(program), str(urdf), TOOL_FRAME, str(ticks), *PANDA.joint_names]
    figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    bins = figures.pop("histogram")
    if histogram:
        _draw(figures, bins, histogram)
    return figures


def _draw(figures: dict[str, Any], bins: dict[str, Any], path: Path) -> None:
    """How many ticks took how long, on logarithmic axes, where rare and slow ones show too."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    steps = np.arange(len(bins["ours"]) + 1)
    edges = bins["first_edge_us"] * 10.0 ** (steps / bins["bins_per_decade"])
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for name, key, prefix, color in (
        ("this controller", "ours", "", "tab:blue"),
        ("SERL's", "usual", "usual_", "tab:orange"),
    ):
        median, p999 = figures[f"{prefix}median_us"], figures[f"{prefix}p999_us"]
        label = f"{name}: median {median:,.1f} µs, 99.9 % {p999:,.1f} µs"
        axes.stairs(bins[key], edges, fill=True, alpha=0.35, color=color, label=label)
        axes.stairs(bins[key], edges, color=color, linewidth=1.0)
        axes.axvline(median, color=color, linewidth=1.5)
        axes.axvline(p999, color=color, linewidth=1.5, linestyle="--")
    axes.axvline(1000.0, color="black", linewidth=1.0, linestyle=":")
    axes.set(xscale="log", yscale="log")
    used = np.flatnonzero(np.add(bins["ours"], bins["usual"]))
    axes.set_xlim(edges[used[0]] / 1.5, max(edges[used[-1] + 1], 1000.0) * 1.5)
    axes.set_ylim(bottom=0.7)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("time of one tick, model included (µs); dashed: 99.9 %, dotted: 1 kHz")
    axes.set_ylabel(f"ticks, of {figures['ticks']:,}")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", framealpha=1.0)
    figure.savefig(path, dpi=120)
    plt.close(figure)
