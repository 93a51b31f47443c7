from pathlib import Path

from setuptools import find_packages, setup

TASKS = Path("../../config/tasks")  # at the top of the workspace, where users look for them

setup(
    name="serl_bringup",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/serl_bringup"]),
        ("share/serl_bringup", ["package.xml"]),
        ("share/serl_bringup/config/tasks", [str(path) for path in TASKS.glob("*.yaml")]),
    ],
    entry_points={"console_scripts": ["serl = serl_bringup.cli:main"]},
)
