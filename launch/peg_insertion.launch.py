"""Trains peg insertion.

ros2 launch launch/peg_insertion.launch.py observations:=state
"""

from launch import LaunchDescription

from serl_bringup.launching import training


def generate_launch_description() -> LaunchDescription:
    return training("peg_insertion")
