"""ROS domains and names that one run has to itself on this machine, held by locked files.

A lock goes with its process, however that ends.
"""

import fcntl
import os
import tempfile
from pathlib import Path

from serl_learner.config import ConfigError

DOMAINS = range(1, 101)  # 0 is where everyone is; above 101 ports clash with Linux's ephemeral ones


class Claim:
    """What this process has to itself until `release`."""

    def __init__(self, name: str, taken: str):
        """`taken` opens the ConfigError, which ends with the number of the process that has it."""
        # Not in the user's own directory: all users of a machine share its domains.
        path = Path(tempfile.gettempdir()) / f"serl_{name}.lock"
        self._file = os.fdopen(_open(path), "r+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._file.read() or "unknown"
            self._file.close()
            raise ConfigError(f"{taken} {owner}") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()


class Domain:
    """A ROS domain that no other run on this machine has, until `release`."""

    def __init__(self, number: int):
        self.number = number
        self._claim = Claim(f"domain_{number}", f"ROS domain {number} is in use by process")

    def release(self) -> None:
        self._claim.release()

    def __enter__(self) -> "Domain":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def acquire_domain(requested: int | None = None) -> Domain:
    """The requested domain (0 to 101), or a free one of 1 to 100."""
    if requested is not None:
        if not 0 <= requested <= 101:
            raise ConfigError(f"ROS domain: expected 0 to 101, got {requested}")
        return Domain(requested)
    first = os.getpid() % len(DOMAINS)  # runs that start together look in different places
    for number in [*DOMAINS[first:], *DOMAINS[:first]]:
        try:
            return Domain(number)
        except ConfigError:
            continue
    raise ConfigError("ROS domain: expected a free one of 1 to 100, found all in use")


def _open(path: Path) -> int:
    """The file, which every user may lock."""
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        os.fchmod(descriptor, 0o666)  # whatever the umask
        return descriptor
