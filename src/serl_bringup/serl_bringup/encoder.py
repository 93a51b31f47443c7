"""`serl encoder`: files for `encoder.weights`, converted from SERL's or trained here."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress as ProgressBar

from serl_bringup.encoder_data import collect
from serl_bringup.task import Task
from serl_learner.backbone import make_backbone, save_backbone
from serl_learner.compute import tuned_process
from serl_learner.pretrain import PretrainConfig, pretrain
from serl_learner.serl_weights import convert_serl_weights


def convert(source: Path, output: Path, console: Console) -> None:
    """`source`: SERL's resnet10_params.pkl; `output`: a .safetensors file."""
    backbone = convert_serl_weights(source, output)
    console.print(f"{output}: {backbone.name} {backbone.digest[:12]}", soft_wrap=True)


def pretrain_file(
    tasks: Sequence[Task], steps: int, output: Path, seed: int, console: Console
) -> None:
    """Pre-trains the backbone of a run's agents on their images, for `encoder.weights`."""
    output.parent.mkdir(parents=True, exist_ok=True)  # rather refused now than after minutes
    images, cameras, labels = collect(tasks, steps, seed, console)
    backbone = make_backbone(tasks[0].encoder.backbone, "random")
    config = PretrainConfig()
    with ProgressBar(console=console, transient=True) as bar, tuned_process(os.cpu_count() or 1):
        shown = bar.add_task("training the backbone", total=config.steps)
        errors: list[float] = []

        def say(step: int, error: float) -> None:
            errors.append(error)
            bar.update(shown, completed=step + 1)

        trained = pretrain(backbone, images, cameras, labels, config, seed, say)
    save_backbone(trained, output)
    console.print(
        f"{output}: {trained.name} that tells the tool's pose from one of {len(images)} images with"
        f" {np.mean(errors[-50:]):.2f} of its standard deviation as error",
        soft_wrap=True,
    )
