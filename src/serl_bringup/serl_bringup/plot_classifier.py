"""One picture from which to tell whether a classifier can be trusted."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from serl_reward.classifier_report import THRESHOLD, Confusion, hardest
from serl_reward.dataset import Dataset

COLUMNS, ROWS = 3, 3  # of frames
CLASSES = ("no success", "success")
COLOURS = ("tab:blue", "tab:orange")


def plot_classifier(held_out: Dataset, probabilities: np.ndarray, path: Path) -> None:
    """Confusion matrix, probabilities by class, and the frames that were hardest to judge.

    probabilities (M,) of the frames.
    """
    figure = plt.figure(figsize=(11, 11), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 2))
    left, right = top.subplots(1, 2)
    confusion = Confusion.of(held_out.labels, probabilities)
    _draw_matrix(left, confusion)
    _draw_histogram(right, held_out.labels, probabilities)
    episodes = len(np.unique(held_out.episodes))
    top.suptitle(
        f"{len(held_out)} frames of {episodes} held-out episodes:"
        f" balanced accuracy {confusion.balanced_accuracy}"
    )
    title, chosen = hardest(held_out.labels, probabilities, COLUMNS * ROWS)
    bottom.suptitle(title)
    for axes, index in zip(bottom.subplots(ROWS, COLUMNS).flat, chosen, strict=False):
        axes.imshow(np.hstack(held_out.images[index]))
        axes.set_title(
            f"{CLASSES[int(held_out.labels[index])]}, judged {probabilities[index]:.2f},"
            f" episode {held_out.episodes[index]}",
            fontsize="small",
        )
    for axes in bottom.axes:
        axes.axis("off")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _draw_matrix(axes, confusion: Confusion) -> None:
    matrix = confusion.matrix()
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if shares[row, column] > 0.5 else "black"
        text = f"{count}\n{100 * shares[row, column]:.1f} %"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks((0, 1), CLASSES)
    axes.set_yticks((0, 1), CLASSES)
    axes.set_xlabel("judged")
    axes.set_ylabel("is")


def _draw_histogram(axes, labels: np.ndarray, probabilities: np.ndarray) -> None:
    bins = np.linspace(0, 1, 41)
    for label, name, colour in zip((False, True), CLASSES, COLOURS, strict=True):
        axes.hist(probabilities[labels == label], bins, label=name, color=colour, alpha=0.6)
    axes.axvline(THRESHOLD, color="black", linestyle="--", linewidth=1)
    axes.set_yscale("log")
    axes.set_xlabel("probability of success")
    axes.set_ylabel("frames")
    axes.legend()
