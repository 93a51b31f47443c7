"""Writes an agent's figures as they come: a row per episode, and TensorBoard curves."""

import csv
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from serl_learner.config import ConfigError

COLUMNS = (
    "env_steps", "episode", "length", "episode_return", "success", "terminated",
    "rescued", "intervened_steps", "duration_s", "reset_s", "on_time_share", "policy_latency_s",
    "wall_minutes",
)  # fmt: skip
CURVES = (
    "critic_loss", "actor_loss", "q_mean", "entropy", "temperature",
    "utd_ratio", "critic_steps_per_s", "online_size", "missing",
)  # fmt: skip


class Records:
    """Appends to episodes.csv and the TensorBoard folder; a resumed run goes on in both."""

    def __init__(self, episodes: Path, events: Path):
        new = not episodes.exists()
        if not new and tuple(episodes.open().readline().strip().split(",")) != COLUMNS:
            raise ConfigError(f"{episodes}: expected columns {', '.join(COLUMNS)}")
        self._file = episodes.open("a", newline="")
        self._csv = csv.writer(self._file)
        if new:
            self._csv.writerow(COLUMNS)
        self._events = SummaryWriter(str(events))

    def episode(self, message, recent_success_rate: float, wall_minutes: float) -> None:
        if message.discarded:  # neither a success nor a failure: no point of a learning curve
            return
        env_steps = message.last_sequence + 1
        values = [
            int(v) if isinstance(v, bool) else v
            for v in (getattr(message, c) for c in COLUMNS[1:-1])
        ]
        self._csv.writerow([env_steps, *values, f"{wall_minutes:.3f}"])
        self._file.flush()
        for name in ("length", "episode_return", "intervened_steps", "policy_latency_s"):
            self._events.add_scalar(f"episode/{name}", getattr(message, name), env_steps)
        self._events.add_scalar("episode/success_rate", recent_success_rate, env_steps)

    def status(self, message) -> None:
        for name in CURVES:
            self._events.add_scalar(f"learner/{name}", getattr(message, name), message.env_steps)

    def close(self) -> None:
        self._file.close()
        self._events.close()


def read_episodes(path: Path) -> list[dict[str, float]]:
    """The rows of an episodes.csv, every value a number; one torn by a full disk is left out."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if None not in row.values()]
    return [{key: float(value) for key, value in row.items()} for row in rows]
