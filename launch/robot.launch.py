"""Brings a robot up: ros2_control with its hardware, gripper and Cartesian impedance controller.

    ros2 launch launch/robot.launch.py robot:=mock gains:=pcb_insertion

A robot is two files in config/robots: ROBOT.urdf.xacro, its description and hardware plugin, and
ROBOT.yaml, its parameters. Nothing is started a second time: after a fault a person does that.
"""

from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import Command, LaunchConfiguration
from launch_ros.actions import Node, PushROSNamespace
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

CONFIG = Path(__file__).resolve().parents[1] / "config"
ROBOT = [f"{CONFIG}/robots/", LaunchConfiguration("robot")]


def names(folder: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG / folder).glob("*.yaml"))


def end_unless_done(spawner: ProcessExited, _: LaunchContext) -> Shutdown | None:
    """Everything comes up, or nothing stays up."""
    return Shutdown(reason="a controller did not come up") if spawner.returncode else None


def from_robot_file(context: LaunchContext) -> list[Node]:
    """What a robot's file lists under `bringup`: controllers to spawn, and nodes of its own."""
    robot = CONFIG / "robots" / f"{LaunchConfiguration('robot').perform(context)}.yaml"
    gains = CONFIG / "gains" / f"{LaunchConfiguration('gains').perform(context)}.yaml"
    bringup = yaml.safe_load(robot.read_text())["/**"]["ros__parameters"]["bringup"]
    arguments = [*bringup["controllers"], "--controller-manager-timeout", "30"]
    for file in (CONFIG / "controllers.yaml", robot, gains):  # a later one wins
        arguments += ["--param-file", str(file)]
    parameters = ParameterFile(robot, allow_substs=True)  # $(var robot_ip)
    return [
        Node(
            package="controller_manager",
            executable="spawner",
            arguments=arguments,
            on_exit=end_unless_done,
        ),
        *(
            Node(name=name, parameters=[parameters], **node)
            for name, node in bringup.get("nodes", {}).items()
        ),
    ]


def generate_launch_description() -> LaunchDescription:
    xacro = ["xacro ", *ROBOT, ".urdf.xacro robot_ip:=", LaunchConfiguration("robot_ip")]
    description = ParameterValue(Command(xacro, on_stderr="warn"), value_type=str)
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "robot", choices=names("robots"), description="File in config/robots."
            ),
            DeclareLaunchArgument(
                "gains",
                default_value="precision",
                choices=names("gains"),
                description="Gain set of the impedance controller, in config/gains.",
            ),
            DeclareLaunchArgument(
                "robot_ip", default_value="", description="Address of a robot that is real."
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Of all nodes and topics."
            ),
            PushROSNamespace(LaunchConfiguration("namespace")),
            Node(
                package="robot_state_publisher",
                executable="robot_state_publisher",
                parameters=[[*ROBOT, ".yaml"], {"robot_description": description}],
            ),
            Node(
                package="controller_manager",
                executable="ros2_control_node",
                parameters=[str(CONFIG / "controllers.yaml"), [*ROBOT, ".yaml"]],
                on_exit=Shutdown(reason="ros2_control ended"),
            ),
            OpaqueFunction(function=from_robot_file),
        ]
    )
