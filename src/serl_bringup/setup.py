from setuptools import find_packages, setup

setup(
    name="serl_bringup",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/serl_bringup"]),
        ("share/serl_bringup", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["serl = serl_bringup.cli:main"]},
)
