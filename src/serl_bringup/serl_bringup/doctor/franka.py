"""What a Franka needs: versions that fit each other, and a network that is never late."""

import re
from collections.abc import Iterator
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from serl_bringup.doctor.check import Check, read

Version = tuple[int, ...]
# libfranka from this version on: the robot, and the system version that it needs at least. From
# Franka's table of compatibility and the release notes of libfranka, up to 0.21.2.
NEEDED = (
    ((0, 18, 0), "Research 3", "5.9.0"),
    ((0, 15, 0), "Research 3", "5.7.2"),
    ((0, 14, 0), "Research 3", "5.7.0"),
    ((0, 13, 3), "Research 3", "5.5.0"),
    ((0, 10, 0), "Research 3", "5.2.0"),
    ((0, 9, 0), "Panda", "4.2.1"),
    ((0, 8, 0), "Panda", "4.0.0"),
    ((0, 6, 0), "Panda", "3.0.0"),
    ((0, 4, 0), "Panda", "1.3.0"),
    ((0, 3, 0), "Panda", "1.2.0"),
    ((0, 0, 0), "Panda", "1.1.0"),
)
FRANKA_ROS2_NEEDS = (0, 20, 4)  # of libfranka, by the release notes of franka_ros2 3.4.1
OLDEST_FRANKA_ROS2 = (3, 4, 0)  # whose estimate of the wrench the controller reads
THERE = "on the computer of the robot"
FOLDERS = ("usr/lib", "usr/lib/*", "usr/local/lib", "opt/ros/*/lib", "opt/ros/*/lib/*")


def versions() -> Iterator[Check]:
    """Of ros2_control, franka_ros2 and libfranka. What drives the robot may be another computer."""
    control = ros_version("controller_manager")
    if control is None:
        advice = f"{THERE}: sudo apt install ros-$ROS_DISTRO-ros2-control"
        yield Check("ros2_control", "warn", "not installed", advice)
    else:
        yield Check("ros2_control", "ok", text(control))
    yield franka_ros2(ros_version("franka_hardware"), libfranka())


def franka_ros2(hardware: Version | None, library: Version | None) -> Check:
    """Whether both fit each other, and what they need of the robot."""
    name = "franka_ros2"
    if hardware is None or library is None:
        missing = "franka_ros2" if hardware is None else "libfranka"
        return Check(name, "warn", f"no {missing}", f"{THERE}: docs/robots.md says which")
    robot, system = needed(library)
    wanted = f"for a {robot} with system {system} or newer"
    found = f"{text(hardware)}, libfranka {text(library)}: {wanted}"
    if hardware < OLDEST_FRANKA_ROS2:
        return Check(name, "fail", found, f"needs franka_ros2 {text(OLDEST_FRANKA_ROS2)} or newer")
    if library < FRANKA_ROS2_NEEDS:
        return Check(name, "fail", found, f"needs libfranka {text(FRANKA_ROS2_NEEDS)} or newer")
    return Check(name, "ok", found, "compare with Settings, System in the robot's Desk")


def needed(library: Version) -> tuple[str, str]:
    """The robot, and the system version that this libfranka needs of it at least."""
    return next((robot, system) for since, robot, system in NEEDED if library >= since)


def ros_version(package: str) -> Version | None:
    try:
        share = Path(get_package_share_directory(package))
    except PackageNotFoundError:
        return None
    found = re.search(r"<version>([\d.]+)</version>", read(share / "package.xml"))
    return parse(found[1]) if found else None


def libfranka(root: Path = Path("/")) -> Version | None:
    """As a ROS package, or else the newest library below `root`."""
    files = [file for folder in FOLDERS for file in root.glob(f"{folder}/libfranka.so.*.*.*")]
    found = [parse(file.name.removeprefix("libfranka.so.")) for file in files]
    return ros_version("libfranka") or max(found, default=None)


def parse(version: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def text(version: Version) -> str:
    return ".".join(map(str, version))
