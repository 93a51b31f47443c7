"""Checkpoints that survive a crash and a full disk: written under another name, synced, renamed."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from serl_learner.config import ConfigError

REWARD_FILE = "reward.safetensors"  # beside a checkpoint's policy, where its reward was learned


@dataclass(frozen=True)
class Checkpoint:
    path: Path
    tensors: dict[str, Tensor]  # networks, targets, optimisers, temperature, torch's random state
    policy: bytes  # see policy.from_bytes
    counters: dict[str, Any]  # what JSON holds: steps, next sequences, numpy's random state


class CheckpointStore:
    """`directory`/<step>/{state.safetensors, policy.safetensors, state.json}, the newest `keep`."""

    def __init__(self, directory: str | Path, keep: int = 3) -> None:
        self.directory = Path(directory)
        self._keep = keep

    def save(
        self,
        step: int,
        tensors: dict[str, Tensor],
        policy: bytes,
        counters: dict[str, Any],
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Saves durably, then drops the oldest. A step that is there already is left as it is.

        `files`: what else is to lie beside the policy, by name.
        """
        final = self.directory / f"{step:08d}"
        if final.exists():
            return
        temporary = self.directory / f".{step:08d}"
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            _write(temporary / "state.safetensors", safetensors.torch.save(tensors))
            _write(temporary / "policy.safetensors", policy)
            for name, data in files.items():
                _write(temporary / name, data)
            _write(temporary / "state.json", json.dumps(counters, indent=1).encode())
            _sync(temporary)
            temporary.rename(final)
            _sync(self.directory)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise OSError(
                f"{final}: checkpoint not written: {error.strerror} ({_free(final)} free); "
                "earlier ones are whole"
            ) from error
        for old in self.steps()[: -self._keep]:
            shutil.rmtree(self.directory / f"{old:08d}", ignore_errors=True)

    def steps(self) -> list[int]:
        """Steps of the checkpoints, oldest first."""
        if not self.directory.is_dir():
            return []
        return sorted(int(path.name) for path in self.directory.iterdir() if path.name.isdigit())

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint, or None where there is none."""
        steps = self.steps()
        if not steps:
            return None
        path = self.directory / f"{steps[-1]:08d}"
        try:
            return Checkpoint(
                path,
                safetensors.torch.load((path / "state.safetensors").read_bytes()),
                (path / "policy.safetensors").read_bytes(),
                json.loads((path / "state.json").read_text()),
            )
        except (OSError, ValueError, SafetensorError) as error:
            raise ConfigError(
                f"{path}: not a whole checkpoint: {error}; delete it to use the one before"
            ) from None


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free(path: Path) -> str:
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    return f"{shutil.disk_usage(existing).free / 1e6:.0f} MB"
