"""Trains PCB insertion.

ros2 launch launch/pcb_insertion.launch.py robot:=sim_node
"""

from launch import LaunchDescription

from serl_bringup.launching import training


def generate_launch_description() -> LaunchDescription:
    return training("pcb_insertion")
