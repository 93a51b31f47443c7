"""Trains cable routing.

ros2 launch launch/cable_routing.launch.py seed:=1
"""

from launch import LaunchDescription

from serl_bringup.launching import training


def generate_launch_description() -> LaunchDescription:
    return training("cable_routing")
