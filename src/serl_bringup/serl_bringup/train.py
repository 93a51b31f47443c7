"""`serl train`: prepares a run folder, trains in it, evaluates, and reports."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from serl_actor.environment import control_period_s, make_environment
from serl_bringup.clone import clone
from serl_bringup.conclude import conclude
from serl_bringup.demonstrations import record_file
from serl_bringup.progress import Progress
from serl_bringup.records import read_episodes
from serl_bringup.run_folder import RunFolder
from serl_bringup.session import Session
from serl_bringup.task import Task, load_task
from serl_learner.backbone import TRAINED, make_backbone
from serl_learner.compression import Compression
from serl_learner.config import ConfigError, RunConfig, expect
from serl_learner.encoder import make_compression
from serl_learner.frames import Frames
from serl_learner.replay import slot_bytes
from serl_learner.transition import ObservationSpec
from serl_reward.image_reward import load_classifier


@dataclass(frozen=True)
class TrainOptions:
    """What the command line asks for. `demonstrations`: a file, or how many to record."""

    task: str | None
    environment_id: str
    observations: str | None
    overrides: dict[str, Any]
    seed: int
    run_directory: Path | None
    resume: bool
    demonstrations: str
    algorithm: str
    real_time: bool
    evaluation_episodes: int


@dataclass(frozen=True)
class Needs:
    """What a run will take, as far as its observations decide it."""

    control_period_s: float
    replay_bytes: int  # memory, when the replay is full
    log_bytes: int  # disk
    compression: Compression | None  # of images, where it needs to be fitted


def train(options: TrainOptions, console: Console) -> None:
    """Trains to the task's last step, or to Ctrl-C."""
    task, folder, needs = _resume(options) if options.resume else _prepare(options, console)
    console.print(f"run folder {folder.path}", soft_wrap=True)
    memory, disk = needs.replay_bytes / 1e9, needs.log_bytes / 1e9
    console.print(
        f"replay of {task.learner.replay_capacity:,} observations: {memory:.2f} GB of memory when"
        f" full; log: up to {disk:.2f} GB of disk",
        soft_wrap=True,
    )
    progress = Progress(
        task.task,
        task.actor.max_steps,
        needs.control_period_s,
        has_success=bool(task.environment.demonstrator),
    )
    if folder.episodes.exists():
        progress.go_on(read_episodes(folder.episodes))
    if options.algorithm == "bc":
        clone(task, folder, console)
        finished = True
    else:
        finished = Session(folder, progress, console, task.reward.source).run()
    episodes = options.evaluation_episodes if finished else 0
    conclude(task, folder, progress, options.algorithm, episodes, console)


def _prepare(options: TrainOptions, console: Console) -> tuple[Task, RunFolder, Needs]:
    task = load_task(
        options.task,
        environment_id=options.environment_id,
        observations=options.observations,
        overrides=options.overrides,
    )
    needs = _check_environment(task)
    if options.real_time:
        rate_hz = 1 / needs.control_period_s
        task = replace(task, actor=replace(task.actor, control_rate_hz=rate_hz))
    folder = RunFolder.create(options.run_directory, task.task, needs.log_bytes)
    try:
        demonstrated = _demonstrate(task, options, folder, console)
        if not demonstrated and options.algorithm == "rlpd":
            random_steps = task.actor.random_steps
            at_least = "at least 1 without demonstrations"
            expect(random_steps > 0, "actor.random_steps", at_least, random_steps)
            if needs.compression is not None:
                needs.compression.expect_fit()
        run = RunConfig(
            directory=str(folder.path),
            seed=options.seed,
            demonstrations=str(folder.demonstrations) if demonstrated else "",
            resume=True,  # a node that was killed and is started again goes on where it was
        )
        task = task.in_run(run)
        task = _keep_reward_files(task, folder)
        task.save(folder.config)
    except BaseException:
        shutil.rmtree(folder.path)  # nothing has been learned: leave no half-made folder in the way
        raise
    return task, folder, needs


def _resume(options: TrainOptions) -> tuple[Task, RunFolder, Needs]:
    folder = RunFolder.open(options.run_directory)
    task = load_task(str(folder.config), overrides=options.overrides)
    demonstrations = str(folder.demonstrations) if folder.demonstrations.exists() else ""
    run = replace(task.run, directory=str(folder.path), demonstrations=demonstrations)
    task = _keep_reward_files(task.in_run(run), folder)  # the folder may have been moved
    task.save(folder.config)
    return task, folder, _check_environment(task)


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


def _keep_reward_files(task: Task, folder: RunFolder) -> Task:
    """The task with its classifier, or its goals, as the folder keeps them: a copy."""
    reward, vice = task.reward, task.vice
    if reward.source == "classifier":
        file = _kept(reward.classifier.file, folder.classifier)
        reward = replace(reward, classifier=replace(reward.classifier, file=file))
    if reward.source == "vice" and vice.goals:
        vice = replace(vice, goals=_kept(vice.goals, folder.goals))
    return replace(task, reward=reward, vice=vice)


def _kept(file: str, place: Path) -> str:
    source = Path(file)  # of a folder that was moved, it may be gone
    if not place.exists() or (source.is_file() and not source.samefile(place)):
        shutil.copyfile(source, place)
    return str(place)


def _check_reward(task: Task, spec: ObservationSpec) -> None:
    """Raises ConfigError where the reward could not judge what is observed here."""
    source = task.reward.source
    if source == "classifier":
        wanted = load_classifier(task.reward.classifier.file).spec.images
        if not set(wanted) <= set(spec.images):
            raise ConfigError(
                f"reward.classifier.file: expected one for images {list(spec.images)}, "
                f"got one for {list(wanted)}"
            )
    if source == "vice":
        frozen = spec.images and task.encoder.backbone not in TRAINED
        expect(frozen, "reward.source", "vice with images and a frozen backbone", "neither")
        if task.vice.goals and not Path(task.vice.goals).is_file():
            raise ConfigError(f"vice.goals: {task.vice.goals}: no such file")


def _check_environment(task: Task) -> Needs:
    """Makes the environment once, so that what is wrong with it shows before anything starts."""
    environment = make_environment(task.environment)
    try:
        shapes = environment.observation_space.items()
        example = {name: np.zeros(space.shape, space.dtype) for name, space in shapes}
        (action_size,) = environment.action_space.shape
        period_s = control_period_s(environment)
    finally:
        environment.close()
    spec = ObservationSpec.from_observation(example, task.learner.observation_keys)
    _check_reward(task, ObservationSpec.from_observation(example))
    encoder = task.encoder
    backbone = compression = None
    if spec.images:
        backbone = make_backbone(encoder.backbone, encoder.weights)
        compression = make_compression(encoder, backbone, spec)
    slot = slot_bytes(spec, action_size, Frames(spec, encoder, backbone))
    logged = sum(value.nbytes for value in example.values())
    return Needs(
        period_s,
        task.learner.replay_capacity * slot,
        task.actor.max_steps * logged,
        compression,
    )
