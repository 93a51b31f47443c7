"""A learner and an actor as real processes over real middleware, in a ROS domain of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from serl_bringup.monitor_node import Monitor
from serl_learner.transition import Transition
from serl_learner.transition_log import load_transitions
from serl_msgs.msg import LearnerStatus

TASK = "pendulum"
PATIENCE_S = 120.0  # for anything that has to happen; a busy machine starts a process in 15 s


def parameters(directory: Path, **actor) -> Path:
    """A task small enough that networks and environment take no time beside the middleware."""
    sections = {
        "task": TASK,
        "environment": {"id": "Pendulum-v1", "max_episode_steps": 25},
        "rlpd": {"hidden": [16, 16], "ensemble": 2},
        "learner": {
            "batch_size": 16,
            "training_starts": 30,
            "utd_ratio": 1.0,
            "checkpoint_period": 50,
        },
        "actor": {"random_steps": 20, **actor},
        "run": {"directory": str(directory / "run"), "seed": 3},
    }
    path = directory / "task.yaml"
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": sections}}))
    return path


class Process:
    """What it prints is in `text`."""

    def __init__(self, command: list[str], output: Path, **options):
        self.name = output.name
        self._output = output
        with output.open("w") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, **options
            )

    @property
    def text(self) -> str:
        return self._output.read_text()

    def wait_for_text(self, wanted: str) -> None:
        wait_until(lambda: wanted in self.text, lambda: f"'{wanted}' in: {self.text}")

    def wait(self) -> int:
        """The exit code."""
        wait_until(lambda: self.process.poll() is not None, lambda: f"an end of: {self.text}")
        return self.process.returncode

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Running(Process):
    """One node."""

    def __init__(self, module: str, parameters: Path, *arguments: str):
        """`arguments`: more of ROS, such as -p actor.max_steps:=10."""
        command = [sys.executable, "-m", module, "--ros-args", "-r", "__ns:=/agent"]
        super().__init__(
            [*command, "--params-file", str(parameters), *arguments],
            parameters.with_name(f"{module}_{time.monotonic_ns()}.log"),
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )


def wait_until(ready: Callable[[], bool], explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for {explain()}"
        time.sleep(0.02)


class Statuses:
    """What learner and actor have reported to a monitor."""

    def __init__(self, monitor: Monitor):
        self._monitor = monitor
        self.learner = LearnerStatus()
        self.policy_latencies_s: list[float] = []

    def take(self, timeout_s: float = 0.0) -> None:
        for message in self._monitor.drain(timeout_s):
            if isinstance(message, LearnerStatus):
                self.learner = message
            else:
                self.policy_latencies_s.append(message.policy_latency_s)

    def wait_for(self, ready: Callable[[LearnerStatus], bool]) -> LearnerStatus:
        deadline = time.monotonic() + PATIENCE_S
        while not ready(self.learner):
            assert time.monotonic() < deadline, f"waited in vain; last status: {self.learner}"
            self.take(0.1)
        return self.learner


def log_path(parameters: Path, actor: str = "actor") -> Path:
    return parameters.parent / "run" / "transitions" / f"{actor}.mcap"


def read_log(parameters: Path, actor: str = "actor") -> list[Transition]:
    return list(load_transitions(log_path(parameters, actor), TASK))


def wait_for_log(parameters: Path, steps: int) -> None:
    def count() -> int:
        return len(read_log(parameters)) if log_path(parameters).exists() else 0

    wait_until(lambda: count() >= steps, lambda: f"{steps} steps in the log, it has {count()}")
