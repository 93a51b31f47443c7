"""Records demonstrations of a task, by script or by a person at a device.

ros2 launch launch/record_demos.launch.py task:=pcb_insertion robot:=sim_node device:=keyboard
"""

from launch import LaunchDescription

from serl_bringup.launching import recording


def generate_launch_description() -> LaunchDescription:
    return recording()
