"""The `serl` command as a user types it, and the processes that it starts."""

import os
import subprocess
import sys
from pathlib import Path


def command(*arguments):
    return [sys.executable, "-c", "from serl_bringup.cli import main; main()", *map(str, arguments)]


def environment():
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    variables.pop("ROS_DOMAIN_ID")  # a run picks a free domain of its own
    return variables


def serl(*arguments, **options):
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=280,
        env=environment(),
        **options,
    )


def node_processes(folder, *words):
    """Numbers of living processes that were started for this run, with these words among others."""
    numbers = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(word in line for word in (str(folder), *words)):
            numbers.append(int(path.parent.name))
    return numbers
