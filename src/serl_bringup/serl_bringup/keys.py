"""What a person presses in the terminal, while something else runs."""

import os
import select
import sys
import termios
import tty

from serl_learner.config import ConfigError

SPACE = b" "  # a success
FAILURE = b"fF"


class Keys:
    """The terminal gives each key at once, without showing it, while this context is open.

    Raises ConfigError where standard input is no terminal.
    """

    def __enter__(self) -> "Keys":
        if not sys.stdin.isatty():
            raise ConfigError("keys: expected a terminal as standard input, to press them in")
        self._file = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def pressed(self, timeout_s: float = 0.0) -> bytes:
        """The keys pressed since this was last asked; waits for the first one up to the timeout."""
        keys = b""
        while select.select([self._file], [], [], 0.0 if keys else timeout_s)[0]:
            if not (data := os.read(self._file, 1024)):
                break
            keys += data
        return keys

    def space(self) -> bool:
        """Whether the space bar has been pressed since this was last asked. Does not wait."""
        return SPACE in self.pressed()
