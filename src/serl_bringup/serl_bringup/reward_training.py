"""`serl reward train`: a classifier's file, what it is worth, and a picture of that."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.table import Table

from serl_bringup.plot_classifier import plot_classifier
from serl_learner.classifier import to_bytes
from serl_learner.compute import tuned_process
from serl_learner.encoder import EncoderConfig
from serl_reward.classifier_report import TRUSTED, Confusion, figures
from serl_reward.classifier_training import ClassifierConfig, judge, train_classifier
from serl_reward.dataset import Dataset, load_dataset, split


def train_file(
    task: str,
    recordings: Sequence[Path],
    positives: int,
    negatives: int,
    encoder: EncoderConfig,
    config: ClassifierConfig,
    seed: int,
    output: Path,
    console: Console,
) -> None:
    """Trains on three quarters of the episodes, judges the others, and then learns from all.

    So the figures are those of a classifier that has seen less than the file's.
    """
    data = load_dataset(recordings, positives, negatives, task)
    learned, held_out = split(data, seed)
    with _progress(console) as say, tuned_process(os.cpu_count() or 1):
        part = train_classifier(learned, encoder, config, seed, partial(say, "a part"))
        probabilities = judge(part, held_out.images)
        classifier = train_classifier(data, encoder, config, seed, partial(say, "all"))
    confusion = Confusion.of(held_out.labels, probabilities)
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_suffix(".part")
    unfinished.write_bytes(to_bytes(classifier, figures(learned, held_out, confusion)))
    unfinished.replace(output)
    picture = output.with_suffix(".png")
    plot_classifier(held_out, probabilities, picture)
    console.print(_table(output, learned, held_out, confusion))
    console.print("after this judgement it has learned from the held-out episodes too")
    console.print(f"{output}, {picture}", soft_wrap=True)
    if not confusion.balanced_accuracy.value >= TRUSTED:
        console.print(
            f"[bold red]warning:[/] balanced accuracy below {100 * TRUSTED:.0f} %: a policy would"
            f" learn to deceive it; collect more frames like the mistakes in {picture}",
            soft_wrap=True,
        )


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, str, int, int], None]]:
    """Takes which frames are learned from, what is done with them, and how far that is."""
    with ProgressBar(console=console, transient=True) as bar:
        tasks = {}

        def say(frames: str, what: str, done: int, total: int) -> None:
            name = f"{frames}: {what}"
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        yield say


def _table(output: Path, learned: Dataset, held_out: Dataset, confusion: Confusion) -> Table:
    table = Table(title=str(output))
    table.add_column("")
    table.add_column("", justify="right")
    for name, part in (("learned from", learned), ("held out", held_out)):
        counts = part.counts()
        for label in ("positive", "negative"):
            frames, episodes = counts[f"{label}s"], counts[f"{label}_episodes"]
            table.add_row(f"{label} frames {name}", f"{frames} of {episodes} episodes")
    for name, rate in confusion.rates().items():
        table.add_row(name.replace("_", " "), str(rate))
    table.add_row("missed successes", str(confusion.false_negatives))
    table.add_row("false successes", str(confusion.false_positives))
    return table
