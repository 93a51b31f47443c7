"""The folder that a run leaves behind: enough to reproduce it, and to show a colleague."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from serl_learner.config import ConfigError, expect, load_task_file

MINIMUM_FREE_BYTES = 500_000_000


class RunFolder:
    """Paths of one run. `create` makes a new folder, `open` takes an existing one."""

    def __init__(self, path: Path):
        self.path = path
        self.config = path / "config.yaml"
        self.result = path / "result.json"
        self.evaluation = path / "evaluation.json"
        self.report = path / "report.md"
        self.demonstrations = path / "demonstrations.mcap"
        self.classifier = path / "reward.safetensors"
        self.goals = path / "goals.mcap"
        self.locator = path / "locator.safetensors"
        self.episodes = path / "episodes.csv"
        self.learning_curve = path / "learning_curve.png"
        self.video = path / "policy.mp4"
        self.checkpoints = path / "checkpoints"
        self.logs = path / "logs"
        self.events = path / "tensorboard"

    @classmethod
    def create(cls, path: Path | None, task: str, log_bytes: int = 0) -> "RunFolder":
        """A new folder, by default runs/<task>/<stamp>, where none is and the disk has room.

        `log_bytes`: what the log of its transitions will take beside the rest.
        """
        path = path or Path("runs", task, time.strftime("%Y-%m-%d-%H%M%S"))
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ConfigError(
                f"run folder {path} exists: expected a new one, or --resume to go on with it"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(path).free
        except OSError as error:
            raise ConfigError(f"run folder {path} cannot be made: {error.strerror}") from None
        needed = MINIMUM_FREE_BYTES + log_bytes
        if free < needed:
            path.rmdir()
            raise ConfigError(
                f"disk of {path} has {free / 1e6:.0f} MB free: "
                f"expected at least {needed / 1e6:.0f} MB"
            )
        folder = cls(path.resolve())
        folder.logs.mkdir()
        return folder

    @classmethod
    def open(cls, path: Path | None) -> "RunFolder":
        """The folder of an earlier run. Raises ConfigError if there is none at `path`."""
        if path is None:
            raise ConfigError("--resume needs --run-dir: the folder of the run to go on with")
        folder = cls(path.resolve())
        if not folder.config.is_file():
            raise ConfigError(f"{path} is not a run folder: expected config.yaml in it")
        return folder

    @classmethod
    def open_agent(cls, path: Path) -> "RunFolder":
        """That of an agent, not that of a run of several, which is told as ConfigError."""
        folder = cls.open(path)
        agents = ", ".join(str(path / agent) for agent in folder.agents())
        expect(not agents, f"{path}", f"the folder of one agent: {agents}", "that of their run")
        return folder

    def agents(self) -> list[str]:
        """Of a run of several agents their names, in order; each has a folder of its name."""
        return list(load_task_file(self.config).get("agents", {}))

    def latest_policy(self) -> Path:
        """The newest checkpoint's policy. Raises ConfigError if the run has none yet."""
        policies = self.policies()
        if not policies:
            raise ConfigError(
                f"{self.checkpoints} holds no checkpoint: the run stopped before its first"
            )
        return policies[-1]

    def policies(self) -> list[Path]:
        """Of the checkpoints, the newest last."""
        return sorted(self.checkpoints.glob("[0-9]*/policy.safetensors"))

    def write_result(self, result: dict[str, Any]) -> None:
        """Replaces result.json whole: a reader never sees half of it."""
        temporary = self.result.with_suffix(".tmp")
        temporary.write_text(json.dumps(result, indent=2) + "\n")
        temporary.replace(self.result)

    def read_result(self) -> dict[str, Any]:
        """What the run ended with; empty where it has not."""
        return _read(self.result)

    def read_evaluation(self) -> dict[str, Any]:
        """What `serl evaluate` found last; empty where it was not asked."""
        return _read(self.evaluation)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path}: expected JSON: {error}") from None
