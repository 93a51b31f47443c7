"""Memory, latency and rates of a long run, over its time."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from serl_bringup.benchmark_soak import Sample


def plot_soak(samples: list[Sample], path: Path) -> None:
    minutes = [sample.time_s / 60 for sample in samples]
    figure, axes = plt.subplots(3, 1, figsize=(8, 8), sharex=True, layout="constrained")
    memory, latency, rate = axes
    for name in samples[0].memory_mb:
        memory.plot(minutes, [sample.memory_mb[name] for sample in samples], label=name)
    memory.set_ylabel("resident memory (MB)")
    memory.legend()
    for percent, label in ((50, "median"), (100, "longest")):
        values = [np.percentile(sample.latencies_ms, percent) for sample in samples]
        latency.plot(minutes, values, label=label)
    latency.set_ylabel("age of a policy on arrival (ms)")
    latency.set_yscale("log")
    latency.legend()
    steps, times = ([getattr(s, key) for s in samples] for key in ("env_steps", "time_s"))
    rate.plot(minutes[1:], np.diff(steps) / np.diff(times))
    rate.set_ylabel("transitions taken in (1/s)")
    for each in axes:
        each.set_ylim(bottom=None if each is latency else 0)
        each.grid(alpha=0.3)
    rate.set_xlabel("minutes")
    figure.savefig(path, dpi=120)
    plt.close(figure)
