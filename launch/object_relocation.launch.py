"""Trains object relocation without resets: two learners, their rewards, the reset agent, one actor.

    ros2 launch launch/object_relocation.launch.py run_dir:=runs/relocation seed:=0

A new run folder is prepared first, with its demonstrations; one that is there goes on where it was.
A node that dies is started again.
"""

from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

TASK = "object_relocation"
AGENTS = ("forward", "backward")
PATIENT = {"sigterm_timeout": "30", "output": "screen"}  # a learner saves a last checkpoint
AGAIN = {"respawn": True, "respawn_delay": 1.0, **PATIENT}
SHARED = {"package": "serl_actor", "namespace": "/"}  # by all agents


def run_dir(context: LaunchContext) -> Path:
    return Path(LaunchConfiguration("run_dir").perform(context)).resolve()


def source(config: Path, section: str) -> str:
    parameters = yaml.safe_load(config.read_text())["/**"]["ros__parameters"]
    return parameters[section]["source"]


def learners(context: LaunchContext) -> list[Node]:
    folder = run_dir(context)
    if LaunchConfiguration("learners").perform(context) == "together":
        arguments = [f"{agent}={folder / agent / 'config.yaml'}" for agent in AGENTS]
        package = {"package": "serl_learner", "executable": "learners_node"}
        return [Node(**package, arguments=arguments, **AGAIN)]
    return [
        Node(
            package="serl_learner",
            executable="learner_node",
            namespace=agent,
            parameters=[str(folder / agent / "config.yaml")],
            **AGAIN,
        )
        for agent in AGENTS
    ]


def rewards(context: LaunchContext) -> list[Node]:
    """Of the agents whose reward is not the environment's own word."""
    configs = {agent: run_dir(context) / agent / "config.yaml" for agent in AGENTS}
    return [
        Node(
            package="serl_reward",
            executable="reward_node",
            namespace=agent,
            parameters=[str(config)],
            **AGAIN,
        )
        for agent, config in configs.items()
        if source(config, "reward") != "environment"
    ]


def nodes(context: LaunchContext) -> list[Node]:
    parameters = [str(run_dir(context) / "config.yaml")]
    return [
        *learners(context),
        *rewards(context),
        Node(executable="reset_agent_node", parameters=parameters, **SHARED, **AGAIN),
        Node(
            executable="actor_node",
            parameters=parameters,
            on_exit=Shutdown(reason="the actor is done"),
            **SHARED,
            **PATIENT,
        ),
    ]


def prepare(context: LaunchContext) -> list[ExecuteProcess | Node]:
    """The nodes, as soon as there is a run folder with their parameters."""
    folder = run_dir(context)
    if (folder / "config.yaml").is_file():
        return nodes(context)

    def go_on(preparation: ProcessExited, context: LaunchContext) -> list[Node] | Shutdown:
        failed = preparation.returncode != 0
        return Shutdown(reason="the run was not prepared") if failed else nodes(context)

    command = ["serl", "train", TASK, "--prepare", "--run-dir", str(folder)]
    command += ["--seed", LaunchConfiguration("seed")]
    return [ExecuteProcess(cmd=command, output="screen", on_exit=go_on)]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "run_dir", default_value=f"runs/{TASK}/ros2", description="Folder of the run."
            ),
            DeclareLaunchArgument("seed", default_value="0", description="Of a new run."),
            DeclareLaunchArgument(
                "learners",
                default_value="apart",
                choices=["apart", "together"],
                description="Each in a process of its own, or both in one.",
            ),
            OpaqueFunction(function=prepare),
        ]
    )
