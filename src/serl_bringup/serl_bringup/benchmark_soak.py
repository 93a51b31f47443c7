"""Two actors and one learner for an hour, at ten times a robot's rate: what grows, what is lost?

A Gymnasium environment that costs nothing, so that what is measured is what carries its steps.
"""

import math
import os
import re
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from serl_actor.reset import DEFAULT_AGENT
from serl_bringup.monitor_node import Monitor
from serl_bringup.processes import NodeProcess, node_environment, ros_arguments
from serl_bringup.robot import requested_domain
from serl_bringup.task import load_task
from serl_learner.config import RunConfig, expect
from serl_learner.domain import acquire_domain
from serl_learner.transition_log import read_transitions
from serl_msgs.msg import LearnerStatus

RATE_HZ = 100.0  # of each actor
ACTORS = ("left", "right")
PERIOD_S = 10.0  # of the samples
LATE_S = 300.0  # after their time that the actors may end: the learner has to have everything
SETTINGS = {
    "environment.max_episode_steps": 100,
    "rlpd.hidden": [64, 64],
    "rlpd.ensemble": 2,
    "learner.batch_size": 64,
    "learner.utd_ratio": 0.1,
    "learner.replay_capacity": 50_000,  # which is full, and goes round, from the fifth minute on
    "actor.control_rate_hz": RATE_HZ,
}


@dataclass(frozen=True)
class Sample:
    """What PERIOD_S brought."""

    time_s: float  # since the start
    env_steps: int  # that the learner had
    memory_mb: dict[str, float]  # of each process
    latencies_ms: list[float]  # of a policy, one per episode of each actor
    on_time: list[float]  # share of each episode's steps


def measure(minutes: float = 60.0, plot: Path | None = None) -> dict[str, Any]:
    """`plot`: a PNG to draw memory, latency and rates over time in."""
    least = 6 * PERIOD_S / 60.0  # a sample and more in each quarter
    expect(least <= minutes < math.inf, "--minutes", f"at least {least:g}", minutes)
    with TemporaryDirectory(prefix="serl_soak_") as folder:
        samples, status = _run(Path(folder), 60.0 * minutes)
        numbers = [_numbers(Path(folder, "transitions", f"{actor}.mcap")) for actor in ACTORS]
    if plot:
        from serl_bringup.plot_soak import plot_soak

        plot_soak(samples, plot)
    made = sum(map(len, numbers))
    whole = all(each == list(range(len(each))) for each in numbers)
    return {
        "minutes": minutes,
        "actors": len(ACTORS),
        "rate_hz_each": RATE_HZ,
        "transitions": made,
        "numbered_without_gaps": whole,
        "lost": made - status.env_steps,
        "backfilled": status.backfilled,
        **_flatness(samples),
    }


def _run(folder: Path, duration_s: float) -> tuple[list[Sample], LearnerStatus]:
    """The samples, and the learner's word when it had everything."""
    steps = round(duration_s * RATE_HZ)
    overrides = SETTINGS | {"actor.max_steps": steps, "learner.checkpoint_period": steps // 10}
    task = load_task("gymnasium", environment_id="Pendulum-v1", overrides=overrides)
    config = folder / "config.yaml"
    task.in_run(RunConfig(directory=str(folder))).save(config)
    with ExitStack() as stack:
        domain = stack.enter_context(acquire_domain(requested_domain()))
        os.environ.update(node_environment(domain.number))
        started = {name: _start(name, folder, config) for name in ("learner", *ACTORS)}
        for process in started.values():
            stack.callback(process.stop)
        monitor = stack.enter_context(Monitor(DEFAULT_AGENT))
        return _watch(monitor, started, duration_s)


def _start(name: str, folder: Path, config: Path) -> NodeProcess:
    module = "serl_learner.learner_node" if name == "learner" else "serl_actor.actor_node"
    arguments = [*ros_arguments(DEFAULT_AGENT, config), "-r", f"__node:={name}"]
    return NodeProcess(name, module, arguments, folder / f"{name}.log")


def _watch(
    monitor: Monitor, started: dict[str, NodeProcess], duration_s: float
) -> tuple[list[Sample], LearnerStatus]:
    """Until the actors are done: they wait for the learner to have everything."""
    samples, status = [], LearnerStatus()
    began = time.monotonic()
    actors = [started[actor] for actor in ACTORS]
    while any(actor.exit_code() is None for actor in actors):
        late = time.monotonic() - began > duration_s + LATE_S
        dead = [process for process in started.values() if process.exit_code() not in (None, 0)]
        if late or dead:
            told = "; ".join(f"{process.name}: {process.last_line()}" for process in dead)
            raise RuntimeError(told or f"not done {LATE_S:.0f} s after its time")
        sample = Sample(time.monotonic() - began, status.env_steps, _memory_mb(started), [], [])
        until = time.monotonic() + PERIOD_S
        while (left := until - time.monotonic()) > 0.0:
            for message in monitor.drain(left):
                if isinstance(message, LearnerStatus):
                    status = message
                elif not np.isnan(message.policy_latency_s):
                    sample.latencies_ms.append(1e3 * message.policy_latency_s)
                    sample.on_time.append(message.on_time_share)
        if sample.latencies_ms and sample.memory_mb.keys() == started.keys():
            samples.append(sample)
    return samples, status


def _memory_mb(started: dict[str, NodeProcess]) -> dict[str, float]:
    """Resident, of those that still run."""
    found = {}
    for name, process in started.items():
        try:
            status = Path(f"/proc/{process.number}/status").read_text()
        except OSError:
            continue
        if size := re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE):
            found[name] = int(size[1]) / 1e3
    return found


def _flatness(samples: list[Sample]) -> dict[str, Any]:
    """The second quarter, when everything is warm and the replay full, beside the last one."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    both = {"second_quarter": early, "last_quarter": late}
    return {
        "memory_mb": {
            name: {when: round(_mean(s.memory_mb[name] for s in of)) for when, of in both.items()}
            for name in samples[-1].memory_mb
        },
        "policy_latency_ms": {
            when: _percentiles([value for s in of for value in s.latencies_ms])
            for when, of in both.items()
        },
        "steps_on_time": {
            when: round(_mean(value for s in of for value in s.on_time), 4)
            for when, of in both.items()
        },
    }


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _percentiles(values: list[float]) -> dict[str, float]:
    median, p99 = np.percentile(values, [50, 99])
    return {"median": round(float(median), 2), "p99": round(float(p99), 2)}


def _numbers(log: Path) -> list[int]:
    return [message.sequence for message in read_transitions(log)]
