from pathlib import Path

from setuptools import find_packages, setup

WORKSPACE = Path("../..")  # these folders are at its top, where users look for them
FOLDERS = ("config", "config/gains", "config/robots", "config/security", "config/tasks", "launch")

setup(
    name="serl_bringup",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/serl_bringup"]),
        ("share/serl_bringup", ["package.xml"]),
        ("lib/serl_bringup", ["scripts/display_node"]),  # where `ros2 run` and launch look
        *(
            (f"share/serl_bringup/{name}", [str(p) for p in (WORKSPACE / name).glob("*.*")])
            for name in FOLDERS
        ),
    ],
    entry_points={"console_scripts": ["serl = serl_bringup.cli:main"]},  # in bin: a user types it
)
