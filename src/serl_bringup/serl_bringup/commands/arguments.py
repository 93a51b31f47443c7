"""Types of arguments that several commands take."""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console


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


def opened_viewer(arguments: argparse.Namespace, title: str) -> AbstractContextManager[Any]:
    """Gives a Viewer, or None where none is wanted."""
    if not arguments.view:
        return nullcontext()
    from serl_bringup.viewer import Viewer

    return Viewer(title, Console().print)
