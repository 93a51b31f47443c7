"""Types of arguments that several commands take."""

import argparse
from collections.abc import Callable
from pathlib import Path


def at_least(minimum: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise argparse.ArgumentTypeError(f"expected at least {minimum}, got {value}")
        return value

    return integer


def file_ending(*suffixes: str) -> Callable[[str], Path]:
    def path(text: str) -> Path:
        if not text.endswith(suffixes):
            names = " or ".join(suffixes)
            raise argparse.ArgumentTypeError(f"expected a name ending in {names}, got {text}")
        return Path(text)

    return path


def add_view(parser) -> None:
    parser.add_argument("--view", action="store_true", help="show it live, in a browser")


def add_robot(parser) -> None:
    parser.add_argument("--robot", metavar="ROBOT",
                        help="acts over topics: sim_node, which a node simulates, or one of"
                        " config/robots, which `ros2 launch launch/robot.launch.py` has brought"
                        " up")  # fmt: skip
