"""What the launch files do, in terms of launch: a robot and the nodes of a run, or a recording."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from serl_bringup.config_files import SIMULATED
from serl_bringup.launch_arguments import (
    NO_ROBOT,
    Argument,
    gain_set,
    prepare_command,
    record_command,
    recording_arguments,
    robot_of_run,
    training_arguments,
)
from serl_bringup.nodes import RESTARTS, RunNode, run_nodes
from serl_bringup.processes import STOP_TIMEOUT_S, process_environment

PROCESS: dict[str, Any] = {
    "additional_env": process_environment(),
    "output": "screen",
    "sigterm_timeout": str(STOP_TIMEOUT_S),  # a learner saves a last checkpoint
}
Exited = Callable[[ProcessExited, LaunchContext], "list[Action] | Action | None"]


def training(task: str) -> LaunchDescription:
    """Prepares a run folder, if there is none, and trains in it to the actor's last step."""
    return _described(training_arguments(task), _train, task)


def recording() -> LaunchDescription:
    """Records demonstrations of any task."""
    return _described(recording_arguments(), _record)


def _described(arguments: list[Argument], do: Callable, *given: str) -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.description,
            choices=list(argument.choices) or None,
        )
        for argument in arguments
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=do, args=given)])


def _train(context: LaunchContext, task: str) -> list[Action]:
    chosen = dict(context.launch_configurations)
    if Path(chosen["run_dir"], "config.yaml").is_file():
        return _run(task, chosen)

    def prepared(preparation: ProcessExited, context: LaunchContext) -> list[Action]:
        if context.is_shutdown:
            return []
        if preparation.returncode != 0:
            raise RuntimeError("the run was not prepared")  # launch ends with an error
        return _run(task, chosen)

    return [ExecuteProcess(cmd=prepare_command(task, chosen), on_exit=prepared, **PROCESS)]


def _run(task: str, chosen: dict[str, str]) -> list[Action]:
    """The nodes of a folder, and the robot that it was prepared for."""
    folder = Path(chosen["run_dir"])
    robot = robot_of_run(folder / "config.yaml", chosen["robot"])
    together, one = chosen["learners"] == "together", chosen["processes"] == "one"
    nodes = run_nodes(folder.resolve(), together=together, one=one)
    return [*_bring_up(robot, chosen["robot_ip"], task), *map(_started, nodes)]


def _started(node: RunNode) -> Node:
    return Node(
        package=node.package,
        executable=node.executable,
        namespace=f"/{node.namespace}",
        parameters=[str(node.parameters)] if node.parameters else [],
        arguments=list(node.arguments),
        respawn=True,
        respawn_delay=1.0,
        on_exit=None if node.spare else _ending(node.executable),
        **PROCESS,
    )


def _ending(name: str) -> Exited:
    """Who was killed comes back; who ends by itself, as the actor does, ends the run."""
    kills = count(1)

    def ended(process: ProcessExited, context: LaunchContext) -> Action | None:
        code = process.returncode
        if context.is_shutdown:
            return None
        if code == 0:
            return Shutdown(reason=f"{name} is done")
        if code > 0 or next(kills) > RESTARTS:
            raise RuntimeError(f"{name} ended with code {code}")
        return None

    return ended


def _bring_up(robot: str, robot_ip: str, task: str) -> list[Action]:
    if robot in (NO_ROBOT, SIMULATED):
        return []
    file = Path(get_package_share_directory("serl_bringup"), "launch", "robot.launch.py")
    given = {"robot": robot, "robot_ip": robot_ip, "gains": gain_set(task)}
    source = PythonLaunchDescriptionSource(str(file))
    return [GroupAction([IncludeLaunchDescription(source, launch_arguments=given.items())])]


def _record(context: LaunchContext) -> list[Action]:
    chosen = dict(context.launch_configurations)

    def recorded(process: ProcessExited, context: LaunchContext) -> Action:
        if process.returncode != 0 and not context.is_shutdown:
            raise RuntimeError("nothing was recorded")
        return Shutdown(reason="the recording is done")

    command = ExecuteProcess(cmd=record_command(chosen), on_exit=recorded, **PROCESS)
    return [*_bring_up(chosen["robot"], chosen["robot_ip"], chosen["task"]), command]
