from setuptools import find_packages, setup

setup(
    name="serl_actor",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/serl_actor"]),
        ("share/serl_actor", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "actor_node = serl_actor.actor_node:main",
            "gripper_node = serl_actor.gripper_node:main",
            "reset_agent_node = serl_actor.reset_agent_node:main",
        ]
    },
)
