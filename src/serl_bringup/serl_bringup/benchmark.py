"""`serl benchmark`: one JSON object with figures, and the machine that they were measured on."""

import importlib
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch


def run(name: str, **options) -> None:
    measure = importlib.import_module(f"serl_bringup.benchmark_{name}").measure
    print(json.dumps({"benchmark": name, **measure(**options), "machine": machine()}, indent=2))


def machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor()
