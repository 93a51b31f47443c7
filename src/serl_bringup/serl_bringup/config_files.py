"""Finds the files of the folder config: tasks, gain sets and robots, by their names."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory

from serl_learner.config import ConfigError

SIMULATED = "sim_node"  # the robot that a node simulates; it has no file
ONE_OF = {"tasks": "task", "gains": "gains"}  # what is told to be unknown


def config_directory() -> Path:
    """Holds `tasks`, `gains` and `robots`, one YAML file each."""
    return Path(get_package_share_directory("serl_bringup"), "config")


def names(kind: str) -> list[str]:
    """Of all files of a kind: `tasks`, `gains` or `robots`."""
    return sorted(path.stem for path in (config_directory() / kind).glob("*.yaml"))


def find_file(kind: str, name: str) -> Path:
    """Of a task or a gain set; a path to a YAML file stays as it is. Raises ConfigError."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    path = config_directory() / kind / f"{name}.yaml"
    if not path.exists():
        raise ConfigError(
            f"unknown {ONE_OF[kind]} '{name}': expected one of {', '.join(names(kind))}, "
            "or a path to a YAML file"
        )
    return path


def split_agent(name: str) -> tuple[str, str]:
    """`TASK/AGENT`, or `FILE.yaml/AGENT`, as both; the agent is empty where none is named."""
    if name.endswith((".yaml", ".yml")):
        return name, ""
    file, _, agent = name.rpartition("/")
    return (file, agent) if file else (name, "")
