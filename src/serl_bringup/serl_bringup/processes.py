"""Runs the nodes of a training run as processes of their own, and sees that none outlives it."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from serl_bringup.nodes import RunNode
from serl_learner.discovery import RANGE, local_discovery

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 30.0


class NodeProcess:
    """A node, or several, in one process, with its output in a file of its own."""

    def __init__(self, name: str, module: str, arguments: list[str], log: Path):
        """`name`: as it is called on the screen."""
        self.name = name
        self.restarts = 0
        self._log = log
        self._command = [sys.executable, "-m", module, *arguments]
        self._start()

    @classmethod
    def of(cls, node: RunNode, log: Path, name: str = "") -> "NodeProcess":
        arguments = node.arguments or ros_arguments(node.namespace, node.parameters)
        module = f"{node.package}.{node.executable}"
        return cls(name or node.executable, module, list(arguments), log)

    def _start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone
                preexec_fn=_die_with_parent,
            )

    @property
    def number(self) -> int:
        """Of the process, as Linux counts them."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def was_killed(self) -> bool:
        """Ended by a signal: it can go on where its log and checkpoints end."""
        code = self.exit_code()
        return code is not None and code < 0

    def restart(self) -> None:
        self.restarts += 1
        self._start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Asks to stop, waits, and kills what does not listen. Returns the exit code."""
        if self.exit_code() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def last_line(self) -> str:
        """What the process said last: for an orderly failure, the one line that explains it."""
        lines = self._log.read_text(errors="replace").splitlines()
        free = shutil.disk_usage(self._log).free
        nothing = f"no output in {self._log} ({free / 1e6:.0f} MB free)"  # a full disk takes none
        return next((line.strip() for line in reversed(lines) if line.strip()), nothing)


def ros_arguments(namespace: str, parameters: Path) -> list[str]:
    """Of the command line of one node; an empty namespace is the root."""
    return ["--ros-args", "-r", f"__ns:=/{namespace}", "--params-file", str(parameters)]


def _die_with_parent() -> None:
    """Linux ends the node if the supervisor is killed: nothing is left running."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def node_environment(domain: int, local: bool = True) -> dict[str, str]:
    """What the nodes share: discovery, one domain, and `process_environment`.

    `local`: they find those of this machine alone, unless the shell says otherwise.
    """
    return {
        **(local_discovery() if local and RANGE not in os.environ else {}),
        "ROS_DOMAIN_ID": str(domain),
        **process_environment(),
    }


def process_environment() -> dict[str, str]:
    """One thread per mathematics library, unless the shell says otherwise; each line at once."""
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return {"OMP_NUM_THREADS": threads, "PYTHONUNBUFFERED": "1"}
