"""What the launch files can be asked for, and the `serl` commands that they run with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serl_actor.intervention import DEVICES
from serl_bringup.config_files import SIMULATED, find_file, names, split_agent
from serl_learner.config import expect, load_task_file

NO_ROBOT = "none"


@dataclass(frozen=True)
class Argument:
    """Of a launch file. Without choices it takes any text."""

    name: str
    default: str | None  # None: it has to be given
    description: str
    choices: tuple[str, ...] = ()


def training_arguments(task: str) -> list[Argument]:
    observations = sections_of(task)["observations"]
    return [
        Argument("run_dir", f"runs/{task}/ros2", "Folder of the run. One that is there goes on."),
        Argument("seed", "0", "Of a new run."),
        Argument(
            "observations", observations, "What a new run's policy sees.", ("state", "vision")
        ),
        Argument("demos", "20", "Of a new run: a file, or how many to record by script."),
        Argument("max_steps", "", "Of a new run: environment steps; empty: the task's."),
        _robot("The actor simulates it; a node does; or it is brought up here."),
        ROBOT_IP,
        Argument(
            "learners",
            "apart",
            "Of several agents: each in a process of its own, or all in one.",
            ("apart", "together"),
        ),
        Argument(
            "processes", "apart", "A node each, or one with all nodes of the run.", ("apart", "one")
        ),
    ]


def recording_arguments() -> list[Argument]:
    devices = tuple(device for device in DEVICES if device != "none")
    return [
        Argument("task", None, "Its name, or its file; of several agents TASK/AGENT."),
        _robot("The environment simulates it; a node does; or it is brought up here."),
        ROBOT_IP,
        Argument("device", "scripted", "Who shows it.", devices),
        Argument("episodes", "20", "Successful ones to record."),
        Argument("output", "", "A new MCAP file; empty: demos/TASK.mcap."),
    ]


def _robot(description: str) -> Argument:
    return Argument("robot", NO_ROBOT, description, (NO_ROBOT, SIMULATED, *names("robots")))


ROBOT_IP = Argument("robot_ip", "", "Address of a robot that is real.")


def prepare_command(task: str, chosen: Mapping[str, str]) -> list[str]:
    """Makes a new run folder."""
    command = ["serl", "train", task, "--prepare", "--run-dir", chosen["run_dir"]]
    return command + _options(chosen, "seed", "observations", "demos", "max_steps", "robot")


def record_command(chosen: Mapping[str, str]) -> list[str]:
    command = ["serl", "demos", "record", chosen["task"]]
    return command + _options(chosen, "robot", "device", "episodes", "output")


def _options(chosen: Mapping[str, str], *names: str) -> list[str]:
    """Of a command line, but for those that are not chosen."""
    given = {name: chosen[name] for name in names if chosen[name] not in ("", NO_ROBOT)}
    return [part for name, v in given.items() for part in (f"--{name.replace('_', '-')}", v)]


def robot_of_run(config: Path, chosen: str) -> str:
    """What a prepared run acts with, which may be chosen again, and nothing else."""
    own = load_task_file(config).get("robot") or NO_ROBOT
    expect(chosen in (NO_ROBOT, own), "robot", f"{own}, which the run has already", chosen)
    return own


def gain_set(task: str) -> str:
    """That a task begins with."""
    return sections_of(task).get("gains", "precision")


def sections_of(task: str) -> dict[str, Any]:
    file, _ = split_agent(task)
    return load_task_file(find_file("tasks", file))
