from setuptools import find_packages, setup

setup(
    name="serl_learner",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={"serl_learner": ["fastdds_loopback.xml", "fastdds_network.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/serl_learner"]),
        ("share/serl_learner", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "learner_node = serl_learner.learner_node:main",
            "container_node = serl_learner.container_node:main",
        ]
    },
)
