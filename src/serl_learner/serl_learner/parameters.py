"""ROS parameters <-> frozen dataclasses: one section of the task file is one dataclass."""

import array
import dataclasses
from typing import Any, TypeVar

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from serl_learner.config import RunConfig, expect, from_dict

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


def read_run(node: Node) -> tuple[str, RunConfig]:
    """The task, and the run. Both must be given."""
    task, run = read_parameters(node).get("task", ""), read_section(node, "run", RunConfig)
    for name, value in {"task": task, "run.directory": run.directory}.items():
        expect(value, name, "one", "none")
    return task, run


def read_agents(node: Node) -> dict[str, dict[str, Any]]:
    """The agents, each with its sections as the parameter file has them, in the order of names.

    Those of the section `agents`, under the root namespace. Where there is none, the namespace is
    the only agent, and must be given.
    """
    sections, namespace = read_parameters(node), node.get_namespace().strip("/")
    if "agents" not in sections:
        expect(namespace, "namespace", "one", "none")
        return {namespace: sections}
    agents = sections["agents"]
    expect(not namespace, "namespace", f"none with agents {', '.join(agents)}", namespace)
    return dict(sorted(agents.items()))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, array.array | tuple) else value
