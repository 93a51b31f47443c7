"""Which nodes a run needs and which of them share a process, for `serl train` and for launch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serl_actor.reset import DEFAULT_AGENT
from serl_bringup.run_folder import RunFolder
from serl_learner.config import load_task_file

RESTARTS = 3  # of a process that was killed; beyond it the run ends


@dataclass(frozen=True)
class RunNode:
    """A process of a run: a node, or a container of several, which its arguments name."""

    package: str
    executable: str  # a console script, and the module that it is made of
    parameters: Path | None = None  # file
    namespace: str = ""  # the root
    arguments: tuple[str, ...] = ()
    spare: bool = False  # the run goes on without it


def run_nodes(
    folder: Path, *, together: bool = False, one: bool = False, machine: str | None = None
) -> list[RunNode]:
    """Of a run folder, in the order in which they start; the actor comes last, and ends the run.

    `together`: the learners of all agents in one process; `one`: everything. `machine`: of two, the
    learner's runs the learners, the robot's all else.
    """
    run = RunFolder.open(folder)
    configs = {agent: run.path / agent / "config.yaml" for agent in run.agents()}
    shared = "" if configs else DEFAULT_AGENT  # namespace
    configs = configs or {DEFAULT_AGENT: run.config}
    sections = load_task_file(run.config)
    learners = [_own("serl_learner", "learner_node", *agent) for agent in configs.items()]
    others = [
        _own("serl_reward", "reward_node", agent, config)
        for agent, config in configs.items()
        if _source(load_task_file(config), "reward") != "environment"
    ]
    if _source(sections, "reset") != "environment":
        others.append(_own("serl_actor", "reset_agent_node", shared, run.config))
    if "world" in sections:
        others.append(simulated_robot(run.config))
    others.append(_own("serl_actor", "actor_node", shared, run.config))
    shown = []
    if sections.get("robot"):
        shown = [RunNode("serl_bringup", "display_node", run.config, shared, spare=True)]
    if one:
        return [*shown, _composed([*learners, *others])]
    learning = [_composed(learners)] if together else learners
    if machine is not None:
        return learning if machine == "learner" else [*shown, *others]
    return [*shown, *learning, *others]


def simulated_robot(config: Path) -> RunNode:
    """What stands for the robot of the task that `config` holds."""
    return RunNode("serl_sim", "robot_node", config)


def _own(package: str, executable: str, agent: str, config: Path) -> RunNode:
    return RunNode(package, executable, config, agent)


def _composed(nodes: Sequence[RunNode]) -> RunNode:
    """All in one process."""
    arguments = (f"{n.package}/{n.executable}:{n.namespace}={n.parameters}" for n in nodes)
    return RunNode("serl_learner", "container_node", arguments=tuple(arguments))


def _source(sections: dict[str, Any], name: str) -> str:
    """Who rewards, or resets."""
    return sections.get(name, {}).get("source", "environment")
