"""Success rates and cycle times of RL and cloning, as in SERL's Figs. 6 and 7."""

from itertools import cycle
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from serl_bringup.comparison import Group

COLOURS = ("tab:orange", "tab:blue", "tab:green", "tab:red", "tab:purple", "tab:gray")
WIDTH = 0.8  # of a task's bars together


def plot_comparison(tasks: dict[str, list[Group]], path: Path) -> None:
    """A bar for each way to learn, with the 95 % interval; a dot for each seed's cycle time."""
    size = (4 + 2.2 * len(tasks), 4.5)
    figure, (left, right) = plt.subplots(1, 2, figsize=size, layout="constrained")
    names = sorted({group.name for found in tasks.values() for group in found}, reverse=True)
    styles = {name: {"color": colour} for name, colour in zip(names, cycle(COLOURS))}
    for place, found in enumerate(tasks.values()):
        width = WIDTH / len(found)
        for number, group in enumerate(found):
            x = place + (number - (len(found) - 1) / 2) * width
            style = {"width": 0.9 * width, "label": group.name} | styles[group.name]
            _draw_success(left, group, x, style)
            _draw_time(right, group, x, style)
    for axes, label in ((left, "success rate"), (right, "cycle time (s)")):
        axes.set_xticks(range(len(tasks)), list(tasks))
        axes.set_ylabel(label)
        axes.grid(axis="y", alpha=0.3)
    left.set_ylim(0.0, 1.05)
    bars = dict(zip(*reversed(left.get_legend_handles_labels()), strict=True))
    figure.legend(bars.values(), bars, loc="outside lower center", ncols=2, fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _draw_success(axes: plt.Axes, group: Group, x: float, style: dict) -> None:
    rate, (low, high) = group.success_rate, group.success_interval
    axes.bar(x, rate, yerr=[[rate - low], [high - rate]], capsize=4, **style)


def _draw_time(axes: plt.Axes, group: Group, x: float, style: dict) -> None:
    if group.cycle_time_s is not None:
        axes.bar(x, group.cycle_time_s, **style)
        axes.plot([x] * len(group.cycle_times_s), group.cycle_times_s, "k.", markersize=5)
