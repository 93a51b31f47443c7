"""`serl plot`: learning curves of one or several runs."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from serl_bringup.records import read_episodes
from serl_bringup.run_folder import RunFolder
from serl_learner.config import ConfigError

WINDOW = 20  # episodes


def plot_learning_curves(folders: list[RunFolder], path: Path) -> None:
    """Over environment steps: success rate (return, where none succeeds) and episode length.

    And the share of steps that a person commanded, where there are any.
    """
    runs = [(folder.path.name, _episodes(folder)) for folder in folders]
    has_success = any(run["success"].any() for _, run in runs)
    outcome, label = ("success", "success rate") if has_success else ("episode_return", "return")
    curves = {label: outcome, "episode length (steps)": "length"}
    if any(run["intervened_steps"].any() for _, run in runs):
        curves["corrected share"] = "intervened_share"
    size, shape = (7, 3 * len(curves)), (len(curves), 1)
    figure, rows = plt.subplots(*shape, figsize=size, sharex=True, layout="constrained")
    for axes, (shown, column) in zip(rows, curves.items(), strict=True):
        for name, run in runs:
            axes.plot(run["env_steps"], _rolling_mean(run[column]), label=name)
        axes.set_ylabel(f"{shown}, last {WINDOW} episodes")
        axes.grid(alpha=0.3)
    top, *_, bottom = rows
    bottom.set_xlabel("environment steps")
    if has_success:
        top.set_ylim(-0.02, 1.02)
    if len(runs) > 1:
        top.legend(fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _episodes(folder: RunFolder) -> dict[str, np.ndarray]:
    if not folder.episodes.exists():
        raise ConfigError(f"{folder.path} has no episodes.csv: expected a run that has trained")
    rows = read_episodes(folder.episodes)
    if not rows:
        raise ConfigError(f"{folder.episodes} is empty: the run ended before its first episode did")
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return columns | {"intervened_share": columns["intervened_steps"] / columns["length"]}


def _rolling_mean(values: np.ndarray) -> np.ndarray:
    """Mean of the last `WINDOW` values at each point, of fewer at the start."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - WINDOW, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)
