"""What it costs that nothing is lost: per step, per checkpoint, and when a learner starts again."""

import os
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from serl_actor.environment import make_environment
from serl_actor.reset import DEFAULT_AGENT
from serl_bringup.benchmark_learner import ACTION_SIZE, random_transition
from serl_bringup.monitor_node import Monitor
from serl_bringup.nodes import RunNode
from serl_bringup.processes import NodeProcess, node_environment
from serl_bringup.robot import requested_domain
from serl_bringup.task import Task, load_task
from serl_learner.backbone import make_backbone
from serl_learner.checkpoint import CheckpointStore
from serl_learner.codec import encode_transition
from serl_learner.config import RunConfig
from serl_learner.domain import acquire_domain
from serl_learner.policy import to_bytes
from serl_learner.rlpd import RLPD
from serl_learner.transition import ObservationSpec, Transition
from serl_learner.transition_log import TransitionLog
from serl_msgs.msg import LearnerStatus

TASK = "pcb_insertion"
EPISODE = 100  # steps
RATE_HZ = 100.0  # of the steps that are timed: ten times a robot's
TIMED = 2000  # steps
DEMONSTRATED = 200  # steps
PATIENCE_S = 3600.0


def measure(observations: str = "state", count: int | None = None) -> dict[str, Any]:
    """`count`: transitions that a learner that starts again has to get; with images fewer."""
    count = count or (100_000 if observations == "state" else 2_000)
    settings = {"learner.training_starts": count - 10, "actor.max_steps": count}
    settings |= {"learner.utd_ratio": 1.0, "learner.replay_capacity": 2 * count}
    task = load_task(TASK, observations=observations, overrides=settings)
    environment = make_environment(task.environment)
    spec = ObservationSpec.from_observation(environment.reset(seed=0)[0])
    environment.close()
    with TemporaryDirectory(prefix="serl_durability_") as name:
        folder = Path(name)
        demonstrations = folder / "demonstrations.mcap"  # what images are compressed by
        _write(demonstrations, task.task, spec, DEMONSTRATED)
        run = RunConfig(directory=str(folder), demonstrations=str(demonstrations), resume=True)
        task = task.in_run(run)
        task.save(folder / "config.yaml")
        return {
            "observations": observations,
            "step": _time_steps(folder / "timed.mcap", task, spec),
            "checkpoint": _time_checkpoint(folder / "timed", task, spec),
            "start": _time_starts(folder, task, spec, count),
        }


def _time_steps(path: Path, task: Task, spec: ObservationSpec) -> dict[str, dict[str, float]]:
    """On the control thread, and until the step is in the file, which is when it is published."""
    begun_s: list[float] = []
    spent_s, written_s = [], []
    log = TransitionLog(
        path, task.task, written=lambda _: written_s.append(time.perf_counter() - begun_s.pop(0))
    )
    with log:
        start = time.perf_counter()
        for sequence in range(TIMED):
            step = _step(spec, sequence)
            time.sleep(max(start + sequence / RATE_HZ - time.perf_counter(), 0.0))
            began = time.perf_counter()
            begun_s.append(began)
            log.append(encode_transition(step))
            spent_s.append(time.perf_counter() - began)
    return {"control_thread_ms": _summary(spent_s), "until_written_ms": _summary(written_s)}


def _time_checkpoint(folder: Path, task: Task, spec: ObservationSpec) -> dict[str, float]:
    seen = ObservationSpec.from_observation(
        _step(spec, 0).observation, task.learner.observation_keys
    )
    backbone = make_backbone(task.encoder.backbone) if seen.images else None
    agent = RLPD(task.rlpd, seen, ACTION_SIZE, 0, task.encoder, backbone)
    store = CheckpointStore(folder)
    began = time.perf_counter()
    store.save(1, agent.state(), to_bytes(agent.policy), {})
    saved = time.perf_counter()
    store.latest()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {
        "save_ms": round(1e3 * (saved - began), 1),
        "load_ms": round(1e3 * (time.perf_counter() - saved), 1),
        "size_mb": round(size / 1e6, 2),
    }


def _time_starts(folder: Path, task: Task, spec: ObservationSpec, count: int) -> dict[str, Any]:
    """A learner without and with a checkpoint, whose actor has `count` transitions in its log."""
    _write(folder / "transitions" / "actor.mcap", task.task, spec, count)
    with ExitStack() as stack:
        domain = stack.enter_context(acquire_domain(requested_domain()))
        os.environ.update(node_environment(domain.number))
        new, resumed = (_time_start(folder, count) for _ in range(2))
    return {"transitions": count, "new_learner_s": new, "resumed_learner_s": resumed}


def _time_start(folder: Path, count: int) -> dict[str, float]:
    """Until it answers, and until its replay holds everything."""
    with ExitStack() as stack:
        monitor = stack.enter_context(Monitor(DEFAULT_AGENT))
        began, answers_s = time.monotonic(), None
        for package, executable in ("serl_learner", "learner_node"), ("serl_actor", "actor_node"):
            node = RunNode(package, executable, folder / "config.yaml", DEFAULT_AGENT)
            process = NodeProcess.of(node, folder / f"{executable}.log")
            stack.callback(process.stop)
        while True:
            for message in monitor.drain(0.1):
                if not isinstance(message, LearnerStatus):
                    continue
                now_s = round(time.monotonic() - began, 1)
                answers_s = answers_s or now_s
                if message.online_size == count:
                    return {"answers": answers_s, "has_everything": now_s}
            if time.monotonic() - began > PATIENCE_S:
                raise RuntimeError(f"not done after {PATIENCE_S} s: {process.last_line()}")


def _write(path: Path, task: str, spec: ObservationSpec, count: int) -> None:
    with TransitionLog(path, task) as log:
        for sequence in range(count):
            log.append(encode_transition(_step(spec, sequence)))


def _step(spec: ObservationSpec, sequence: int) -> Transition:
    number = sequence % EPISODE
    step = random_transition(
        spec, sequence, np.random.default_rng(sequence), ends=number == EPISODE - 1
    )
    return replace(step, episode=sequence // EPISODE, step=number)


def _summary(times_s: list[float]) -> dict[str, float]:
    median, most = 1e3 * np.percentile(times_s, [50, 99.9])
    return {"median": round(float(median), 3), "p999": round(float(most), 3)}
