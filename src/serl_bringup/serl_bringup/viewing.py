"""The viewer, where one is wanted: its import takes a second."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console

from serl_bringup.run import Run

if TYPE_CHECKING:
    from serl_bringup.training_view import TrainingView
    from serl_bringup.viewer import Viewer


def viewing(wanted: bool, title: str, console: Console) -> AbstractContextManager["Viewer | None"]:
    """Gives a viewer, or None."""
    if not wanted:
        return nullcontext()
    from serl_bringup.viewer import Viewer

    return Viewer(title, lambda message: console.print(message, soft_wrap=True))


def training_view(viewer: "Viewer", run: Run) -> "TrainingView":
    """For a viewer to show a training."""
    from serl_bringup.training_view import TrainingView

    return TrainingView(viewer, run)
