"""Trains what a comparison of RL and cloning still lacks, one run after the other."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from serl_bringup.run_folder import RunFolder
from serl_bringup.task import load_tasks
from serl_learner.config import ConfigError, expect

SERL = [sys.executable, "-c", "from serl_bringup.cli import main; main()"]


def train_missing(
    tasks: Sequence[str], seeds: Sequence[int], clone_demos: int, folder: Path, options: list[str]
) -> list[RunFolder]:
    """The folders of all runs, below `folder`; one that has ended is not made again.

    RL with as many demonstrations as `serl train` records, cloning with `clone_demos`. `options`
    go to each new `serl train`. Raises ConfigError when one fails or is stopped.
    """
    names = {task: _name(task) for task in tasks}  # a mistake is told before hours of training
    runs = []
    for task, name in names.items():
        for seed in seeds:
            for way, how in _ways(clone_demos).items():
                path = folder / name / f"{way}-seed{seed}"
                _finish(path, [task, *how, "--seed", str(seed), *options])
                runs.append(RunFolder.open(path))
    return runs


def _name(task: str) -> str:
    """Of its folder: TASK, or TASK_AGENT."""
    first, *others = load_tasks(task).values()
    return (first.task.rsplit("/", 1)[0] if others else first.task).replace("/", "_")


def _ways(clone_demos: int) -> dict[str, list[str]]:
    cloning = ["--algorithm", "bc", "--demos", str(clone_demos)]
    return {"rl": [], f"cloning-{clone_demos}": cloning}


def _finish(path: Path, new: list[str]) -> None:
    if _is_finished(path):
        return
    begun = (path / "config.yaml").is_file()
    is_clone = "bc" in new
    expect(not (begun and is_clone), f"{path}", "a finished run, or none", "a part of one")
    what = ["--resume"] if begun else new
    print(f"serl report: trains {path}", flush=True)
    with _left_to_the_run():
        code = subprocess.run([*SERL, "train", *what, "--run-dir", str(path)]).returncode
    expect(code == 0, f"{path}", "a training that ends", f"exit code {code}")
    if not _is_finished(path):
        raise ConfigError(f"{path}: stopped; the same command goes on with it")


def _is_finished(path: Path) -> bool:
    if not (path / "config.yaml").is_file():
        return False
    return RunFolder.open(path).read_result().get("success_rate") is not None


@contextmanager
def _left_to_the_run() -> Iterator[None]:
    """Ctrl-C reaches the run, which stops in its own order; what waits for it goes on waiting."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
