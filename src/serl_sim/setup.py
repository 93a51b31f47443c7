from setuptools import find_packages, setup

setup(
    name="serl_sim",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/serl_sim"]),
        ("share/serl_sim", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["robot_node = serl_sim.robot_node:main"]},
)
