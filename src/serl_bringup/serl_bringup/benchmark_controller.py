"""`serl benchmark controller`: the impedance law in C++, against the usual way to write it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_prefix

from serl_sim.panda import JOINT_NAMES, description_directory

TOOL_FRAME = "panda_hand_tcp"


def measure() -> dict[str, Any]:
    """Microseconds per tick; `ratio_to_usual` is how many times longer the usual one takes."""
    package = "franka_impedance_controller"
    program = Path(get_package_prefix(package), "lib", package, "benchmark_controller")
    urdf = description_directory() / "urdf" / "panda.urdf"
    command = [str(program), str(urdf), TOOL_FRAME, *JOINT_NAMES]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
