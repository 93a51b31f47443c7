"""The person at the keyboard of a run: what their keys mean in it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

from rich.console import Console

from serl_bringup import steering
from serl_bringup.person_keys_node import person_keys
from serl_bringup.task import Task


def person_of(tasks: Mapping[str, Task], console: Console) -> AbstractContextManager | None:
    """Tells the person at a run of these agents their keys, and hears them; None: none count."""
    name, first = next(iter(tasks.items()))
    labelled = [agent for agent, task in tasks.items() if task.reward.source == "human"]
    namespace = name if len(tasks) == 1 else ""  # of the reset agent
    resets = [namespace] if first.reset.source == "person" else []
    steers = any(task.intervention.device == "keyboard" for task in tasks.values())
    if labelled:
        console.print("press SPACE for a success, F for a failure")
    if resets:
        console.print("press SPACE when everything is put back")
    if steers:
        console.print(steering.HELP)
    return person_keys(labelled, resets, steers) if labelled or resets or steers else None
