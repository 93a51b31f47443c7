"""What a person presses in the terminal, while something else runs."""

import os
import select
import sys
import termios
import tty

from serl_learner.config import ConfigError

SPACE = b" "


class Keys:
    """The terminal gives each key at once, without showing it, while this context is open.

    Raises ConfigError where standard input is no terminal.
    """

    def __enter__(self) -> "Keys":
        if not sys.stdin.isatty():
            raise ConfigError("keys: expected a terminal as standard input, to press SPACE in")
        self._file = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def space(self) -> bool:
        """Whether the space bar has been pressed since this was last asked. Does not wait."""
        pressed = b""
        while select.select([self._file], [], [], 0)[0] and (data := os.read(self._file, 1024)):
            pressed += data
        return SPACE in pressed
