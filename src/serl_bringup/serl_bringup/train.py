"""`serl train`: prepares a run folder, trains in it, evaluates, and reports."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from serl_actor.environment import control_period_s, make_environment
from serl_bringup.clone import clone
from serl_bringup.conclude import conclude
from serl_bringup.demonstrations import record_file
from serl_bringup.progress import Progress
from serl_bringup.run_folder import RunFolder
from serl_bringup.session import Session
from serl_bringup.task import Task, load_task
from serl_learner.config import ConfigError, RunConfig


@dataclass(frozen=True)
class TrainOptions:
    """What the command line asks for. `demonstrations`: a file, or how many to record."""

    task: str | None
    environment_id: str
    overrides: dict[str, Any]
    seed: int
    run_directory: Path | None
    resume: bool
    demonstrations: str
    algorithm: str
    evaluation_episodes: int


def train(options: TrainOptions, console: Console) -> None:
    """Trains to the task's last step, or to Ctrl-C."""
    task, folder = _resume(options) if options.resume else _prepare(options, console)
    console.print(f"run folder {folder.path}", soft_wrap=True)
    progress = Progress(task.task, task.actor.max_steps, _control_period_s(task))
    if options.algorithm == "bc":
        clone(task, folder, console)
        finished = True
    else:
        finished = Session(folder, progress, console).run()
    episodes = options.evaluation_episodes if finished else 0
    conclude(task, folder, progress, options.algorithm, episodes, console)


def _prepare(options: TrainOptions, console: Console) -> tuple[Task, RunFolder]:
    task = load_task(
        options.task, environment_id=options.environment_id, overrides=options.overrides
    )
    _control_period_s(
        task
    )  # makes the environment once: what is wrong with it shows before anything starts
    folder = RunFolder.create(options.run_directory, task.task)
    try:
        demonstrated = _demonstrate(task, options, folder, console)
        run = RunConfig(
            directory=str(folder.path),
            seed=options.seed,
            demonstrations=str(folder.demonstrations) if demonstrated else "",
            resume=True,  # a node that was killed and is started again goes on where it was
        )
        task = task.in_run(run)
        task.save(folder.config)
    except BaseException:
        shutil.rmtree(folder.path)  # nothing has been learned: leave no half-made folder in the way
        raise
    return task, folder


def _resume(options: TrainOptions) -> tuple[Task, RunFolder]:
    folder = RunFolder.open(options.run_directory)
    task = load_task(str(folder.config), overrides=options.overrides)
    task.save(folder.config)
    return task, folder


def _demonstrate(task: Task, options: TrainOptions, folder: RunFolder, console: Console) -> bool:
    """Copies a person's demonstrations, or records scripted ones. False where there are none."""
    wanted = options.demonstrations
    if not wanted.isdigit():
        if not Path(wanted).is_file():
            raise ConfigError(
                f"--demos {wanted}: no such file; expected an MCAP file or a number of episodes"
            )
        shutil.copyfile(wanted, folder.demonstrations)
        return True
    if int(wanted) == 0 or not task.environment.demonstrator:
        return False
    record_file(task, int(wanted), options.seed, folder.demonstrations, console)
    return True


def _control_period_s(task: Task) -> float:
    environment = make_environment(task.environment)
    try:
        return control_period_s(environment)
    finally:
        environment.close()
