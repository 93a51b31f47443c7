"""One row of what `serl doctor` says, and how it asks other programs."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROBE_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Check:
    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""  # what to do, in words that can be typed


class ProbeError(RuntimeError):
    """What a probing process said last."""


def probe(
    command: list[str],
    environment: dict[str, str] | None = None,
    timeout_s: float = PROBE_TIMEOUT_S,
) -> str:
    """Its output. In a process of its own: graphics drivers and middleware may crash or hang."""
    try:
        result = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except FileNotFoundError:
        raise ProbeError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no result in {timeout_s:.0f} s") from None
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise ProbeError(lines[-1])
    return result.stdout


def first_line(text: str) -> str:
    return (text.splitlines() or [""])[0]


def read(path: Path) -> str:
    """A file of the kernel; nothing, where this one has none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
