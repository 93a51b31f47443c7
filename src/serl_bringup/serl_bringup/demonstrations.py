"""`serl demos`: records demonstrations to MCAP, and says what is in a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.table import Table

from serl_actor.actor import EpisodeStats
from serl_actor.demonstrations import DemonstrationSummary, record, summarise
from serl_actor.judged import JudgedEnvironment
from serl_bringup.hand import DROP_HELP, LABEL_HELP, EndedByHand, hand
from serl_bringup.robot import robot_of, robot_resets
from serl_bringup.task import Task
from serl_bringup.viewing import viewing
from serl_learner.codec import encode_transition
from serl_learner.config import ConfigError, expect
from serl_learner.transition import Transition
from serl_learner.transition_log import TransitionLog, load_transitions
from serl_reward.rewards import make_reward
from serl_sim.twin import Twin, is_shown_over_topics

if TYPE_CHECKING:
    from serl_bringup.viewer import Viewer


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
    expect(log.next_sequence > 0, f"{path}", "a transition to write", "none")
    unfinished.rename(path)


def record_file(
    task: Task,
    episodes: int,
    seed: int,
    path: Path,
    console: Console,
    device: str = "scripted",
    view: bool = False,
    **recorded: Any,
) -> None:
    """Records successful episodes of the task's demonstrator, or of a person, in a new file.

    When interrupted it keeps the finished ones, if there are any. What a person has shown is never
    overwritten, not even in the file of a recording that was killed. `view`: in a browser.
    `recorded`: of `record`, what else is.
    """
    left = path.with_suffix(".part")
    if device != "scripted" and left.exists():
        raise ConfigError(f"{left} is what a killed recording left: filter it, or remove it")
    if task.robot and not may_be_scripted(task):
        held = f"one that a person holds, with --robot {task.robot}"
        expect(device != "scripted", "--device", held, device)
    with (
        robot_of(task),
        new_file(path, task.task) as append,
        viewing(view, task.task, console) as viewer,
        _demonstrator(task, device, seed, viewer, console) as options,
        ProgressBar(console=console, transient=True) as bar,
    ):
        shown = bar.add_task(f"recording {episodes} demonstrations", total=episodes)
        kept = dropped = 0

        def ended(stats: EpisodeStats) -> None:
            nonlocal kept, dropped
            good = stats.success and not stats.discarded
            kept, dropped = kept + good, dropped + (not good)
            bar.update(shown, completed=kept)
            if viewer is not None:
                viewer.episode(stats)
            if device != "scripted":
                what = "kept" if good else "dropped"
                bar.console.print(f"{stats.length} steps, {what}: {kept} of {episodes}")

        recorded |= options | {"ended": ended, "resets": robot_resets(task, seed)}
        try:
            record(task.environment, episodes, seed, append, **recorded)
        except KeyboardInterrupt:
            if kept == 0:
                raise
            console.print("interrupted")
    console.print(f"recorded {kept} demonstrations ({dropped} failed ones dropped)")


def may_be_scripted(task: Task) -> bool:
    """A script has to know where things are: in a simulation, or where nothing moves them."""
    if not task.robot:
        return bool(task.environment.demonstrator)
    return task.world is not None and is_shown_over_topics(task.world)


@contextmanager
def _demonstrator(
    task: Task, device: str, seed: int, viewer: "Viewer | None", console: Console
) -> Iterator[dict[str, Any]]:
    """Options of `record`."""
    measured = task.reward.source == "pose"  # nothing has to be learned for it

    def watched(environment: gym.Env) -> gym.Env:
        return environment if viewer is None else viewer.watched(environment)

    def rewarded(environment: gym.Env) -> gym.Env:
        environment = watched(environment)
        if not measured:
            return environment
        return JudgedEnvironment(environment, make_reward(task.reward, task.vice, None))

    if device == "scripted":
        over_topics = {"device": lambda _: Twin(task.world, seed), "real_time": True}
        yield {"judged": rewarded} | over_topics if task.robot else {"judged": watched}
        return
    config = replace(task.intervention, device=device)
    expect(config.is_held, "--device", "scripted, or one that a person holds", device)
    with hand(config, console.print) as person:
        labels = not measured and task.reward.source != "environment"
        if labels:
            console.print(LABEL_HELP)
        console.print(DROP_HELP)

        def judged(environment: gym.Env) -> gym.Env:
            return EndedByHand(rewarded(environment), person, labels)

        yield {"device": person.device, "judged": judged, "real_time": True}


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
