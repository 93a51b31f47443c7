from setuptools import find_packages, setup

setup(
    name="serl_reward",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/serl_reward"]),
        ("share/serl_reward", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["reward_node = serl_reward.reward_node:main"]},
)
