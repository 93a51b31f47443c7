"""Trains object relocation without resets, by two agents that take turns.

ros2 launch launch/object_relocation.launch.py observations:=state learners:=together
"""

from launch import LaunchDescription

from serl_bringup.launching import training


def generate_launch_description() -> LaunchDescription:
    return training("object_relocation")
