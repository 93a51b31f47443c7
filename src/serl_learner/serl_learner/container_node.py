"""Several nodes in one process, which share its memory, its device and its Python interpreter.

usage: container_node PACKAGE/NODE:NAMESPACE=PARAMETER_FILE...

It ends as soon as one of them is done; the last one ends first.
"""

import sys
from functools import partial
from importlib import import_module

from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from serl_learner.config import ConfigError, expect
from serl_learner.run_node import run_node


def make_node(argument: str) -> Node:
    what, _, file = argument.partition("=")
    name, _, namespace = what.partition(":")
    package, _, executable = name.partition("/")
    expected = "PACKAGE/NODE:NAMESPACE=PARAMETER_FILE"
    expect(all((package, executable, file)), "container_node", expected, f"'{argument}'")
    return node_class(package, executable)(
        namespace=namespace,
        cli_args=["--ros-args", "--params-file", file],
        use_global_arguments=False,
    )


def node_class(package: str, executable: str) -> type[Node]:
    """That of the node which an executable of ours runs: the only one that its module defines."""
    try:
        module = import_module(f"{package}.{executable}")
    except ModuleNotFoundError as error:
        raise ConfigError(f"container_node: {package}/{executable}: {error}") from None
    defined = [each for each in vars(module).values() if isinstance(each, type)]
    nodes = [c for c in defined if issubclass(c, Node) and c.__module__ == module.__name__]
    expect(len(nodes) == 1, f"container_node: {package}/{executable}", "a node", len(nodes))
    return nodes[0]


def main() -> None:
    arguments = remove_ros_args(sys.argv)[1:] or [""]
    sys.exit(run_node(*(partial(make_node, argument) for argument in arguments)))


if __name__ == "__main__":
    main()
