"""The viewer, where one is wanted: its import takes a second."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from serl_bringup.viewer import Viewer


def viewing(wanted: bool, title: str, console: Console) -> AbstractContextManager["Viewer | None"]:
    """Gives a viewer, or None."""
    if not wanted:
        return nullcontext()
    from serl_bringup.viewer import Viewer

    return Viewer(title, lambda message: console.print(message, soft_wrap=True))
