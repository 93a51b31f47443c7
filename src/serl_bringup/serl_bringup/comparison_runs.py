"""Trains what a comparison of RL and cloning still lacks, one run after the other."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serl_bringup.comparison import settings_in, settings_of
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import Task, load_tasks
from serl_bringup.task_sections import parse_setting
from serl_learner.config import ConfigError, expect

SERL = [sys.executable, "-c", "from serl_bringup.cli import main; main()"]


@dataclass(frozen=True)
class Wanted:
    """Runs of each task with each seed; `observations` and `overrides` as `serl train` has them."""

    tasks: Sequence[str]
    seeds: Sequence[int]
    clone_demos: int
    observations: str | None = None
    overrides: Sequence[str] = ()  # KEY=VALUE

    def load(self, task: str) -> dict[str, Task]:
        overrides = dict(parse_setting(text) for text in self.overrides)
        return load_tasks(task, observations=self.observations, overrides=overrides)

    def ways(self) -> dict[str, list[str]]:
        """Arguments of `serl train`, by the name of the way to learn."""
        cloning = ["--algorithm", "bc", "--demos", str(self.clone_demos)]
        return {"rl": [], f"cloning-{self.clone_demos}": cloning}

    def options(self) -> list[str]:
        observations = ["--observations", self.observations] if self.observations else []
        return [*observations, *(f"--set={text}" for text in self.overrides)]


def train_missing(wanted: Wanted, folder: Path) -> list[RunFolder]:
    """The folders of all runs, below `folder`; one that has ended is not made again.

    Raises ConfigError where a run has other settings than are wanted, or was stopped; ends as
    `serl train` does where that fails.
    """
    loaded = {task: wanted.load(task) for task in wanted.tasks}  # mistakes first, then hours
    runs = []
    for task, agents in loaded.items():
        for seed in wanted.seeds:
            for way, how in wanted.ways().items():
                path = folder / _name(agents) / f"{way}-seed{seed}"
                new = [task, *how, "--seed", str(seed), *wanted.options()]
                _finish(path, new, agents, resumes=not how)
                runs.append(RunFolder.open(path))
    return runs


def _name(agents: dict[str, Task]) -> str:
    """Of a task's folder: TASK, or TASK_AGENT."""
    first, *others = agents.values()
    return (first.task.rsplit("/", 1)[0] if others else first.task).replace("/", "_")


def _finish(path: Path, new: list[str], agents: dict[str, Task], resumes: bool) -> None:
    """A part of a run is gone on with where that is possible, else made anew."""
    begun = (path / "config.yaml").is_file()
    if begun:
        wanted = {name: settings_of(task) for name, task in agents.items()}
        same = settings_in(RunFolder.open(path)) == wanted
        expect(same, f"{path}", "a run with the settings asked for", "one with others")
    if _is_finished(path):
        return
    if begun and not resumes:
        shutil.rmtree(path)
    what = ["--resume"] if begun and resumes else new
    print(f"serl report: trains {path}", flush=True)
    code = _call([*SERL, "train", *what, "--run-dir", str(path)])
    if code != 0:
        sys.exit(code)  # the run has said why
    if not _is_finished(path):
        raise ConfigError(f"{path}: stopped; the same command goes on with it")


def _is_finished(path: Path) -> bool:
    """It ends with its evaluation, of several agents with that of all."""
    result = RunFolder(path).read_result()
    return result.get("success_rate") is not None or "evaluation_episodes" in result


def _call(command: list[str]) -> int:
    """Ctrl-C and SIGTERM are for the run, which stops in its own order, and is waited for."""
    process = subprocess.Popen(command)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(n, lambda number, _: process.send_signal(number)) for n in numbers]
    try:
        return process.wait()
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
