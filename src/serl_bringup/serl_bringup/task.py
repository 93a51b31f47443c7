"""A task is one YAML file: finds it, applies the command line, checks it, writes a run's copy."""

from collections.abc import Collection
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from serl_actor.actor import ActorConfig
from serl_actor.environment import EnvironmentConfig
from serl_actor.intervention import InterventionConfig
from serl_actor.reset import DEFAULT_AGENT, ResetConfig
from serl_bringup.config_files import find_file, split_agent
from serl_bringup.task_sections import (
    choose_observations,
    expand_gains,
    known_robots,
    load_gains,
    merge,
    override,
    put_on_robot,
)
from serl_learner.bc import BCConfig
from serl_learner.config import (
    ConfigError,
    RunConfig,
    expect,
    from_dict,
    load_task_file,
)
from serl_learner.encoder import EncoderConfig
from serl_learner.rlpd import RLPDConfig
from serl_learner.trainer import LearnerConfig
from serl_learner.vice import ViceConfig
from serl_reward.config import RewardConfig


@dataclass(frozen=True)
class Task:
    """Everything that defines a run. Each section configures one component, documented there."""

    task: str
    environment: EnvironmentConfig
    robot: str = ""  # that the environment drives over topics; none: it is itself the robot
    world: EnvironmentConfig | None = None  # of a robot that a node simulates
    reset: ResetConfig = field(default_factory=ResetConfig)
    rlpd: RLPDConfig = field(default_factory=RLPDConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    actor: ActorConfig = field(default_factory=ActorConfig)
    intervention: InterventionConfig = field(default_factory=InterventionConfig)
    bc: BCConfig = field(default_factory=BCConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    vice: ViceConfig = field(default_factory=ViceConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        lead, period = self.actor.max_lead, self.learner.publish_period
        if 0 < lead < period:  # the actor would wait for a policy that the learner holds back
            expected = f"0, or at least learner.publish_period ({period})"
            raise ConfigError(f"actor.max_lead: expected {expected}, got {lead}")
        device = self.intervention.device
        helped = device != "scripted" or self.environment.demonstrator
        expect(helped, "intervention.device", "none without environment.demonstrator", device)
        one_step = (
            self.reward.source != "vice" or self.rlpd.n_step == 1
        )  # it rewards anew, each step
        expect(one_step, "rlpd.n_step", "1 with reward.source: vice", self.rlpd.n_step)
        form = {"classifier": self.reward.classifier, "vice": self.vice}.get(self.reward.source)
        if form is not None and form.form == "log" and self.rlpd.return_range is not None:
            bounds = list(self.rlpd.return_range)
            raise ConfigError(f"rlpd.return_range: expected none with form: log, got {bounds}")

    @property
    def needs_robot(self) -> bool:
        """One that is real: nothing else will do."""
        return bool(self.robot) and self.world is None

    def in_simulation(self) -> "Task":
        """Without the node between: the world is the environment. Itself, where there is none."""
        if self.world is None:
            return self
        return replace(self, environment=self.world, robot="", world=None)

    def in_run(self, run: RunConfig) -> "Task":
        return replace(self, run=run)

    def save(self, path: Path) -> None:
        """Writes a ROS 2 parameter file that every node of the run takes as it is."""
        _write(asdict(self), path)


# Sections of an agent that others than its own nodes, learner and reward, have to know.
TOLD = ("learner", "reward")
# What agents that act in one world have in common: it cannot be said of one alone.
COMMON = ("task", "robot", "world", "reset", "actor", "intervention", "run")


def save_team(tasks: dict[str, Task], name: str, run: RunConfig, path: Path) -> None:
    """Writes a parameter file for the nodes that several agents share: actor and reset agent.

    Their environment begins as that of the first one.
    """
    _check_helper(tasks)
    first = asdict(next(iter(tasks.values())).in_run(run)) | {"task": name}
    shared = {key: first[key] for key in (*COMMON, "environment")}
    agents = {agent: asdict(task) for agent, task in tasks.items()}
    told = {agent: {key: agents[agent][key] for key in TOLD} for agent in agents}
    _write(shared | {"agents": told}, path)


def load_tasks(
    name: str | None,
    *,
    environment_id: str = "",
    observations: str | None = None,
    robot: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> dict[str, Task]:
    """The tasks of a run's agents, by their names; one without a section `agents` is of `agent`.

    `name` is that of a task or its file; TASK/AGENT, or FILE.yaml/AGENT, is what one of several
    agents learns, as a task of its own in an environment that resets itself. For a bare Gymnasium
    environment `gymnasium.yaml` serves. `observations` (state, vision) chooses what the policy
    learns from, otherwise the file does. The sections of an agent win over the others; over all of
    them `with_robot`, where a `robot` is named that the policy drives over topics. `overrides`
    maps dotted keys to values, e.g. {"learner.batch_size": 128}; those that begin with
    `agents.AGENT.` are for one alone, and win. The gain set named by `gains` becomes arguments of
    the environment, which may override its values one by one. Raises ConfigError with one line that
    names the key, the value and what was expected.
    """
    file, chosen = split_agent(name or "gymnasium")
    path = find_file("tasks", file)
    sections = load_task_file(path)
    where = path.name
    if environment_id:
        sections.setdefault("environment", {})["id"] = environment_id
        if name is None:
            sections["task"] = environment_id.split(":")[-1].replace("/", "-")
    agents = _agents(sections.pop("agents", {}), where)
    on_robot = sections.pop("with_robot", None)
    choose_observations(sections, observations, where)
    if robot is None and on_robot is not None:
        simulated = "id" in (sections.get("environment") or ())
        expected = f"one of {', '.join(known_robots())}, as {where} has no simulation"
        expect(simulated, "--robot", expected, "none")
    if "gains" in sections:
        expand_gains(sections)
    if not agents:
        if robot is not None:
            put_on_robot(sections, on_robot, robot, where)
        expect(not chosen, f"task {name}", f"no agent, as {where} names none", chosen)
        return {DEFAULT_AGENT: _build(sections, dict(overrides or {}), where)}
    tasks = {}
    for agent, own in agents.items():
        mine = deepcopy(sections)
        merge(mine, own, f"{where}: agents.{agent}")
        if robot is not None:
            put_on_robot(mine, on_robot, robot, where)
        mine["task"] = f"{sections.get('task', '')}/{agent}"
        tasks[agent] = _build(mine, overrides_of(agent, agents, overrides), where)
    _check_turns(next(iter(tasks.values())).reset, tasks, where)
    if not chosen:
        _check_helper(tasks)
        locators = {task.environment.locator for task in tasks.values()}
        expected = "one of all agents, who act in one world"
        expect(len(locators) == 1, f"{where}: environment.locator", expected, ", ".join(locators))
        return tasks
    expect(chosen in tasks, f"task {name}", f"an agent of {', '.join(tasks)}", chosen)
    return {DEFAULT_AGENT: _alone(tasks[chosen])}


def _alone(task: Task) -> Task:
    """What one of several agents learns by itself: nobody brings it back but a reset."""
    if not task.robot:
        return replace(task, reset=ResetConfig())
    own = {"agents": (), "stir_count": 0, "stir_strokes": ()}
    source = "scripted" if task.reset.start_pose else "person"
    return replace(task, reset=replace(task.reset, source=source, **own))


def load_task(name: str | None, **options: Any) -> Task:
    """The task of one agent, with the options of `load_tasks`."""
    tasks = load_tasks(name, **options)
    expected = f"one of {', '.join(f'{name}/{agent}' for agent in tasks)}"
    expect(len(tasks) == 1, "task", expected, f"{name}, which is of several agents")
    (task,) = tasks.values()
    return task


def overrides_of(
    agent: str, agents: Collection[str], overrides: dict[str, Any] | None
) -> dict[str, Any]:
    """The overrides that are for all `agents`, and over them those that are for this one."""
    common, own = {}, {}
    for key, value in (overrides or {}).items():
        if not key.startswith("agents."):
            common[key] = value
            continue
        _, name, section = [*key.split(".", 2), "", ""][:3]
        expect(name in agents, f"--set {key}", f"agents.NAME of {', '.join(agents)}", name)
        shared = section.split(".")[0] in COMMON
        expect(section and not shared, f"--set {key}", "a key that agents do not share", section)
        if name == agent:
            own[section] = value
    return common | own


def _agents(agents: Any, where: str) -> dict[str, Any]:
    """What is particular to each agent."""
    expect(isinstance(agents, dict), f"{where}: agents", "sections", agents)
    expect(len(agents) != 1, f"{where}: agents", "two or more", ", ".join(agents))
    for agent, own in agents.items():
        expect(isinstance(own, dict), f"{where}: agents.{agent}", "sections", repr(own))
        shared = ", ".join(key for key in own if key in COMMON)
        expect(not shared, f"{where}: agents.{agent}", "sections that agents do not share", shared)
    return agents


def _check_turns(reset: ResetConfig, tasks: dict[str, Task], where: str) -> None:
    expect(reset.source == "agents", f"{where}: reset.source", "agents, of several", reset.source)
    unknown = [agent for agent in reset.agents if agent not in tasks]
    expect(not unknown, f"{where}: reset.agents", f"some of {', '.join(tasks)}", unknown)


def _check_helper(tasks: dict[str, Task]) -> None:
    """The actor has one device for all agents."""
    devices = {task.intervention.device for task in tasks.values()}
    same = len({task.environment.demonstrator for task in tasks.values()}) == 1
    expected = "none, as the agents' demonstrators differ"
    expect("scripted" not in devices or same, "intervention.device", expected, ", ".join(devices))


def _build(sections: dict[str, Any], overrides: dict[str, Any], where: str) -> Task:
    if "gains" in overrides:
        gains = load_gains(overrides.pop("gains"))
        overrides = {f"environment.arguments.{key}": gains[key] for key in gains} | overrides
    for key, value in overrides.items():
        override(sections, key, value)
    return _from_anywhere(from_dict(Task, sections, where))


def _from_anywhere(task: Task) -> Task:
    """With the files that it names found from every working directory."""
    environment, encoder, reward, vice = task.environment, task.encoder, task.reward, task.vice
    environment = replace(environment, locator=_absolute(environment.locator))
    encoder = replace(encoder, weights=_absolute(encoder.weights))
    if reward.classifier is not None:
        file = _absolute(reward.classifier.file)
        reward = replace(reward, classifier=replace(reward.classifier, file=file))
    vice = replace(vice, goals=_absolute(vice.goals))
    return replace(task, environment=environment, encoder=encoder, reward=reward, vice=vice)


def _absolute(file: str) -> str:
    """A name without a suffix is no file: it stays."""
    path = Path(file).expanduser()
    return str(path.resolve()) if path.suffix else file


def _write(sections: dict[str, Any], path: Path) -> None:
    sections = _without_empty(_plain(sections))
    text = yaml.safe_dump({"/**": {"ros__parameters": sections}}, sort_keys=False)
    path.write_text(text)


def _plain(value: Any) -> Any:
    """Tuples as lists, and lists of one number type: ROS 2 parameters know no others."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return (
            [float(item) for item in items] if any(isinstance(i, float) for i in items) else items
        )
    return value


def _without_empty(value: Any) -> Any:
    """Drops what a ROS 2 parameter file cannot express; the default stands for it."""
    if isinstance(value, dict):
        items = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in (None, {}, [])}
    return value
