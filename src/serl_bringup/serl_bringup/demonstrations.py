"""`serl demos`: records demonstrations to MCAP, and says what is in a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.table import Table

from serl_actor.demonstrations import DemonstrationSummary, record, summarise
from serl_bringup.task import Task
from serl_learner.codec import encode_transition
from serl_learner.config import ConfigError
from serl_learner.transition import Transition
from serl_learner.transition_log import TransitionLog, load_transitions


@contextmanager
def new_file(path: Path, task: str) -> Iterator[Callable[[Transition], None]]:
    """Gives what writes transitions, one at least, to a new MCAP file. Whole, or not there."""
    if path.exists():
        raise ConfigError(f"{path} exists: expected the name of a new file")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    log = TransitionLog(unfinished, task)
    try:
        yield lambda transition: log.append(encode_transition(transition))
    finally:
        log.close()
        if log.next_sequence == 0:  # nothing that someone may want to rescue
            unfinished.unlink()
    unfinished.rename(path)


def record_file(task: Task, episodes: int, seed: int, path: Path, console: Console) -> None:
    """Records successful episodes of the task's scripted demonstrator in a new file."""
    with new_file(path, task.task) as append, ProgressBar(console=console, transient=True) as bar:
        shown = bar.add_task(f"recording {episodes} demonstrations", total=episodes)

        def write(transition: Transition) -> None:
            append(transition)
            done = transition.episode + (transition.final_observation is not None)
            bar.update(shown, completed=done)

        failed = record(task.environment, episodes, seed, write)
    console.print(f"recorded {episodes} demonstrations ({failed} failed ones dropped)")


def show_file(path: Path, console: Console) -> None:
    """Prints what is in a file of demonstrations, or of any run's transitions."""
    summary = summarise(load_transitions(path))
    table = Table(title=str(path))
    table.add_column("")
    table.add_column("", justify="right")
    for row in _rows(summary):
        table.add_row(*row)
    console.print(table)


def _rows(summary: DemonstrationSummary) -> list[tuple[str, str]]:
    def numbers(values: tuple[float, ...]) -> str:
        return "  ".join(f"{value:+.2f}" for value in values)

    shapes = ", ".join(f"{name} {shape}" for name, shape in summary.observations.items())
    lengths = f"{min(summary.lengths, default=0)} to {max(summary.lengths, default=0)}"
    return [
        ("episodes", f"{summary.episodes} ({summary.successes} successful)"),
        ("transitions", f"{summary.steps} ({summary.intervened_steps} by a person or script)"),
        ("episode length", f"{summary.mean_length:.1f} steps on average, {lengths}"),
        ("mean return", f"{summary.mean_return:.2f}"),
        ("action mean", numbers(summary.action_mean)),
        ("action std", numbers(summary.action_std)),
        ("actions at their bound", numbers(summary.saturated)),
        ("observations", shapes),
    ]
