"""`serl train`: prepares a run folder, trains in it, evaluates, and reports."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from serl_actor.environment import control_period_s, make_environment
from serl_actor.gripper import SIZE as ACTION_SIZE  # with a gripper
from serl_actor.reset import DEFAULT_AGENT
from serl_bringup.clone import clone
from serl_bringup.conclude import conclude
from serl_bringup.demonstrations import may_be_scripted, record_file
from serl_bringup.locating import has_base_pose, located_file
from serl_bringup.progress import Progress
from serl_bringup.records import read_episodes
from serl_bringup.run import AgentRun, Run
from serl_bringup.run_folder import RunFolder
from serl_bringup.session import Session
from serl_bringup.task import Task, load_task, load_tasks, overrides_of, save_team
from serl_bringup.viewing import training_view, viewing
from serl_learner.backbone import TRAINED, make_backbone
from serl_learner.compression import Compression
from serl_learner.config import ConfigError, RunConfig, expect, load_task_file
from serl_learner.encoder import make_compression
from serl_learner.frames import Frames
from serl_learner.replay import slot_bytes
from serl_learner.transition import ObservationSpec
from serl_learner.transition_log import read_task
from serl_reward.image_reward import load_classifier


@dataclass(frozen=True)
class TrainOptions:
    """What the command line asks for.

    `demonstrations`: a file, or how many to record; of several agents a folder with AGENT.mcap, or
    how many each. `prepare`: only the run folder. `together`: their learners in one process.
    `view`: training is shown in a browser. `robot`: that acts over topics, instead of a simulation.
    `machine`: robot or learner, this machine's part of a run on two.
    """

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
    prepare: bool = False
    together: bool = False
    view: bool = False
    robot: str | None = None
    machine: str | None = None


@dataclass(frozen=True)
class Needs:
    """What a run will take, as far as its observations decide it."""

    control_period_s: float
    replay_bytes: int  # memory, when the replay is full
    log_bytes: int  # disk
    compression: Compression | None  # of images, where it needs to be fitted


def train(options: TrainOptions, console: Console) -> None:
    """Trains to the task's last step, or to Ctrl-C."""
    run, needs = _resume(options) if options.resume else _prepare(options, console)
    console.print(f"run folder {run.folder.path}", soft_wrap=True)
    capacity = sum(agent.task.learner.replay_capacity for agent in run.agents)
    memory, disk = sum(n.replay_bytes for n in needs) / 1e9, _log_bytes(needs) / 1e9
    console.print(
        f"replay of {capacity:,} observations: {memory:.2f} GB of memory when"
        f" full; log: up to {disk:.2f} GB of disk",
        soft_wrap=True,
    )
    if options.prepare:
        return
    if options.algorithm == "bc":
        for agent in run.agents:
            clone(agent.task, agent.folder, console)
        finished = True
    else:
        with viewing(options.view, run.task, console) as viewer:
            view = viewer and training_view(viewer, run)
            how = {"together": options.together, "view": view, "machine": options.machine}
            finished = Session(run, console, **how).run()
    episodes = options.evaluation_episodes if finished else 0
    conclude(run, options.algorithm, episodes, console)


def _prepare(options: TrainOptions, console: Console) -> tuple[Run, list[Needs]]:
    tasks = load_tasks(
        options.task,
        environment_id=options.environment_id,
        observations=options.observations,
        robot=options.robot,
        overrides=options.overrides,
    )
    needs = {name: _check_environment(task) for name, task in tasks.items()}
    if options.real_time or any(task.intervention.is_held for task in tasks.values()):
        tasks = {name: _in_real_time(task, needs[name]) for name, task in tasks.items()}
    is_team = len(tasks) > 1
    (name, *_), (first, *_) = tasks, tasks.values()
    title = first.task.removesuffix(f"/{name}") if is_team else first.task
    folder = RunFolder.create(options.run_directory, title, _log_bytes(needs.values()))
    try:
        prepared = []
        for name, task in tasks.items():
            own = RunFolder.create(folder.path / name, task.task) if is_team else folder
            task = _prepare_agent(name if is_team else "", task, needs[name], own, options, console)
            prepared.append((name, task, own))
        agents = [AgentRun(*agent, _progress(agent[1], needs[agent[0]])) for agent in prepared]
        run = Run(title, folder, tuple(agents))
        _save_shared(run)
    except BaseException:
        shutil.rmtree(folder.path)  # nothing has been learned: leave no half-made folder in the way
        raise
    return run, list(needs.values())


def _prepare_agent(
    name: str, task: Task, needs: Needs, folder: RunFolder, options: TrainOptions, console: Console
) -> Task:
    """Puts demonstrations and configuration into the folder. `name`: of one of several agents."""
    demonstrated = _demonstrate(task, name, options, folder, console)
    if not demonstrated and options.algorithm == "rlpd":
        random_steps = task.actor.random_steps
        if task.robot:  # nobody lets an arm move at random without saying so
            file = f"a file of `serl demos record --robot {task.robot}`, or actor.random_steps"
            expect(random_steps > 0, "--demos", file, options.demonstrations)
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
    task = _keep_files(task.in_run(run), folder)
    task.save(folder.config)
    return task


def _resume(options: TrainOptions) -> tuple[Run, list[Needs]]:
    folder = RunFolder.open(options.run_directory)
    names = folder.agents()
    if names:
        folders = {name: RunFolder.open(folder.path / name) for name in names}
        title = load_task_file(folder.config)["task"]
    else:
        folders = {DEFAULT_AGENT: folder}
        title = load_task(str(folder.config)).task
    agents, needs = [], []
    for name, own in folders.items():
        task = _resume_agent(own, overrides_of(name, names, options.overrides))
        needs.append(_check_environment(task))
        progress = _progress(task, needs[-1])
        if own.episodes.exists():
            progress.go_on(read_episodes(own.episodes))
        agents.append(AgentRun(name, task, own, progress))
    run = Run(title, folder, tuple(agents))
    _save_shared(run)
    return run, needs


def _resume_agent(folder: RunFolder, overrides: dict[str, Any]) -> Task:
    task = load_task(str(folder.config), overrides=overrides)
    demonstrations = str(folder.demonstrations) if folder.demonstrations.exists() else ""
    run = replace(task.run, directory=str(folder.path), demonstrations=demonstrations)
    task = _keep_files(task.in_run(run), folder)  # the folder may have been moved
    task.save(folder.config)
    return task


def _save_shared(run: Run) -> None:
    """The configuration of the nodes that several agents share."""
    if run.is_team:
        tasks = {agent.name: agent.task for agent in run.agents}
        shared = replace(run.agents[0].task.run, directory=str(run.folder.path), demonstrations="")
        save_team(tasks, run.task, shared, run.folder.config)


def _progress(task: Task, needs: Needs) -> Progress:
    return Progress(
        needs.control_period_s, has_success=_knows_success(task), drives_back=bool(task.robot)
    )


def _knows_success(task: Task) -> bool:
    """Whether an episode says so where the policy is evaluated."""
    return bool(task.robot or task.environment.demonstrator)


def _in_real_time(task: Task, needs: Needs) -> Task:
    return replace(task, actor=replace(task.actor, control_rate_hz=1 / needs.control_period_s))


def _log_bytes(needs: Iterable[Needs]) -> int:
    """Of all agents: each is told what it would be if it acted alone."""
    return max(need.log_bytes for need in needs)


def _demonstrate(
    task: Task, name: str, options: TrainOptions, folder: RunFolder, console: Console
) -> bool:
    """Copies a person's demonstrations, or records scripted ones. False where there are none."""
    wanted = options.demonstrations
    if not wanted.isdigit():
        file = Path(wanted, f"{name}.mcap") if name else Path(wanted)
        expected = f"a folder with {name}.mcap" if name else "an MCAP file"
        if not file.is_file():
            raise ConfigError(
                f"--demos {wanted}: no such file; expected {expected} or a number of episodes"
            )
        recorded = read_task(file)
        wanted_task = f"transitions of task '{task.task}'"
        expect(recorded == task.task, f"--demos {file}", wanted_task, f"'{recorded}'")
        if has_base_pose(file):
            located_file(file, task.environment, folder.demonstrations)
        else:
            shutil.copyfile(file, folder.demonstrations)
        return True
    if not may_be_scripted(task):
        task = task.in_simulation()
    if int(wanted) == 0 or not may_be_scripted(task):
        return False
    record_file(task, int(wanted), options.seed, folder.demonstrations, console)
    return True


def _keep_files(task: Task, folder: RunFolder) -> Task:
    """The task with the files that it needs, as the folder keeps them: copies."""
    environment, reward, vice = task.environment, task.reward, task.vice
    if environment.locator:
        environment = replace(environment, locator=_kept(environment.locator, folder.locator))
    if reward.source == "classifier":
        file = _kept(reward.classifier.file, folder.classifier)
        reward = replace(reward, classifier=replace(reward.classifier, file=file))
    if reward.source == "vice" and vice.goals:
        vice = replace(vice, goals=_kept(vice.goals, folder.goals))
    return replace(task, environment=environment, reward=reward, vice=vice)


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
    has_gripper = action_size == ACTION_SIZE or task.rlpd.gripper == "continuous"
    expect(has_gripper, "rlpd.gripper", f"continuous with {action_size} actions", "discrete")
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
