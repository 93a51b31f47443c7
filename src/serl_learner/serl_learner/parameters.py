"""ROS parameters <-> frozen dataclasses: one section of the task file is one dataclass."""

import array
import dataclasses
from typing import Any, TypeVar

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from serl_learner.config import ConfigError, RunConfig, from_dict

T = TypeVar("T")


def read_parameters(node: Node) -> dict[str, Any]:
    """What the parameter file says, nested as it is there.

    The node has to be made with automatically_declare_parameters_from_overrides=True.
    """
    tree: dict[str, Any] = {}
    for name, parameter in node.get_parameters_by_prefix("").items():
        *sections, key = name.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[key] = _plain(parameter.value)
    return tree


def read_section(node: Node, name: str, config: type[T]) -> T:
    """Section `name` as the dataclass `config`; declares the fields that the file leaves out too.

    They are read-only, and `ros2 param dump` shows the whole configuration. Raises ConfigError.
    """
    values = read_parameters(node).get(name, {})
    section = from_dict(config, values, name)
    for field in dataclasses.fields(section):
        key, value = f"{name}.{field.name}", getattr(section, field.name)
        if node.has_parameter(key):
            kind = node.get_parameter(key).type_.value
            node.set_descriptor(key, ParameterDescriptor(type=kind, read_only=True))
        elif isinstance(value, bool | int | float | str) or (isinstance(value, tuple) and value):
            node.declare_parameter(key, value, ParameterDescriptor(read_only=True))
    return section


def read_run(node: Node) -> tuple[str, str, RunConfig]:
    """The agent, which is the node's namespace; the task; and the run. All must be given."""
    agent, task = node.get_namespace().strip("/"), read_parameters(node).get("task", "")
    run = read_section(node, "run", RunConfig)
    given = {"namespace": agent, "task": task, "run.directory": run.directory}
    for name, value in given.items():
        if not value:
            raise ConfigError(f"{name}: expected one, got none")
    return agent, task, run


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, array.array | tuple) else value
