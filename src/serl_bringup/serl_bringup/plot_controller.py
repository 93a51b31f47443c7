"""`serl plot controller`: what the law makes of its commands, as in Fig. 3 of the paper.

And peak force against approach speed, for `serl benchmark contact`.
"""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from franka_impedance_controller import Gains
from serl_bringup.controller_recording import Recording
from serl_learner.config import ConfigError

SLOW = 0.005  # m/s: a tool that stands
MOTION = 0.005  # m: the shortest that is shown
REST = 0.2  # s of standing that ends a motion; also shown before it
STYLE = {"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "axes.axisbelow": True}


def plot_recording(recording: Recording, gains: Gains, axis: str, path: Path) -> None:
    """Motion into contact and motion in free space, along one axis of the base, with the forces.

    Shows those of the two that the recording has. ConfigError where it has neither.
    """
    contact = contact_window(recording, axis)
    free = free_window(recording, axis, contact)
    panels = [("into contact with a surface", contact), ("in free space", free)]
    panels = [(title, window) for title, window in panels if window is not None]
    if not panels:
        raise ConfigError(f"--axis {axis}: expected a recording of motion along {axis}, found none")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2,
            len(panels),
            figsize=(4.2 * len(panels), 4.8),
            height_ratios=(2, 1),
            sharex="col",
            squeeze=False,
            layout="constrained",
        )
        for (top, bottom), (title, window) in zip(axes.T, panels, strict=True):
            top.set_title(title)
            _plot_positions(top, recording, axis, window)
            _plot_forces(bottom, recording, gains, axis, window)
        axes[0, 0].set_ylabel(f"position along {axis} (mm)")
        axes[1, 0].set_ylabel(f"force along {axis} (N)")
        for legend in (axes[0, -1], axes[1, 0]):
            legend.legend(fontsize="small", framealpha=1.0)
        figure.savefig(path, dpi=200)
        plt.close(figure)


def contact_window(recording: Recording, axis: str) -> slice | None:
    """The way from rest into the longest contact: where the tool stands with its error clipped."""
    i = "xyz".index(axis)
    standing = np.abs(recording.velocity[:, i]) < SLOW
    contacts = _stretches(recording, standing & recording.is_clipped[:, i], 0.3)
    if not contacts:
        return None
    contact = max(contacts, key=lambda stretch: stretch.stop - stretch.start)
    rests = [r for r in _stretches(recording, standing, REST) if r.stop <= contact.start]
    begin = rests[-1].stop if rests else 0
    return _window(recording, begin, contact.start, 1.0)


def free_window(recording: Recording, axis: str, contact: slice | None) -> slice | None:
    """The fastest motion outside `contact`, from rest to rest."""
    i = "xyz".index(axis)
    speed = np.abs(recording.velocity[:, i])
    outside = np.ones(len(speed), dtype=bool)
    if contact is not None:
        outside[contact] = False
    fastest = int(np.argmax(np.where(outside, speed, 0.0)))
    rests = _stretches(recording, speed < SLOW, REST)
    begin = max((rest.stop for rest in rests if rest.stop <= fastest), default=0)
    end = min((rest.start for rest in rests if rest.start > fastest), default=len(speed) - 1)
    if not outside[fastest] or np.ptp(recording.position[begin : end + 1, i]) < MOTION:
        return None
    return _window(recording, begin, end, REST)


def _stretches(recording: Recording, mask: np.ndarray, seconds: float) -> list[slice]:
    """Where `mask` holds for at least that long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    time = recording.time
    return [
        slice(int(begin), int(end))
        for begin, end in edges.reshape(-1, 2)
        if time[end - 1] - time[begin] >= seconds
    ]


def _window(recording: Recording, begin: int, end: int, after: float) -> slice:
    """With a little rest before it, and `after` seconds after it."""
    time = recording.time
    first, last = np.searchsorted(time, [time[begin] - REST, time[end] + after])
    return slice(int(first), int(last))


def _plot_positions(axes, recording: Recording, axis: str, window: slice) -> None:
    i = "xyz".index(axis)
    start, zero = recording.time[window.start], recording.position[window.start, i]

    def plot(time, values, color, label, **style):
        axes.plot(time - start, 1e3 * (values - zero), color=color, label=label, **style)

    time = recording.time[window]
    commanded, smoothed = recording.target[window, i], recording.filtered[window, i]
    plot(time, commanded, "tab:orange", "commanded", linewidth=1.2, drawstyle="steps-post")
    plot(time, smoothed, "tab:red", "smoothed", linewidth=1.2)
    plot(time, recording.clipped[window, i], "tab:blue", "clipped", linewidth=1.2)
    plot(time, recording.position[window, i], "tab:green", "robot", linewidth=1.8)
    serl = recording.serl[np.isin(recording.serl[:, 0], time)]
    if len(serl):
        plot(serl[:, 0], serl[:, 1 + i], "0.35", "robot, SERL's law", linestyle="--")


def _plot_forces(axes, recording: Recording, gains: Gains, axis: str, window: slice) -> None:
    i = "xyz".index(axis)
    time = recording.time[window] - recording.time[window.start]
    low, high = -gains.clip_negative[i], gains.clip_positive[i]
    bounds = gains.stiffness[i] * np.array([low, high])
    axes.axhspan(*bounds, color="0.85", label="stiffness × clip")
    axes.plot(time, recording.pull[window, i], "tab:blue", linewidth=1.2, label="of the law")
    felt = -recording.contact[window, i]
    axes.plot(time, felt, "black", linewidth=1.2, label="on the surface, as estimated")
    axes.set_xlabel("time (s)")


def plot_impact(figures: dict[str, Any], path: Path) -> None:
    """Peak and standing force over approach speed: the figures of `serl benchmark contact`."""
    impact = figures["impact"]
    limit = impact["serl_own_speed"]
    with plt.rc_context(STYLE):
        figure, (peak, standing) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
        for axes, key in ((peak, "peak"), (standing, "standing")):
            for law, color, style, label in (
                ("serl", "tab:orange", "s--", "SERL's law, clip opened for the speed"),
                ("serl_carried", "tab:red", "x:", "SERL's law, brought there by ours"),
                ("ours", "tab:blue", "o-", "this law"),
            ):
                points = [point for point in impact[law] if point is not None]
                speeds = [point["speed"] for point in points]
                values = [point[key] for point in points]
                axes.plot(speeds, values, style, color=color, markersize=4, label=label)
            axes.axvline(limit, color="0.5", linewidth=1.0, linestyle="-.")
            axes.set_xlabel("approach speed (m/s)")
            axes.set_xlim(left=0.0)
            axes.locator_params(axis="x", nbins=6)
            axes.set_ylim(bottom=0.0)
        note = " SERL's law goes no faster\n with its own clip"
        standing.text(limit, 0.98 * standing.get_ylim()[1], note, va="top", fontsize="small")
        peak.set_ylabel(f"peak force of impact (N), {impact['direction']}")
        standing.set_ylabel("force that stays (N)")
        peak.legend(fontsize="small", framealpha=1.0)
        figure.savefig(path, dpi=200)
        plt.close(figure)
