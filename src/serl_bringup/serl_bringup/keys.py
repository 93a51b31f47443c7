"""What a person presses in the terminal, while something else runs."""

import os
import select
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serl_learner.config import ConfigError

SPACE = b" "  # a success
FAILURE = b"fF"
PERIOD_S = 0.05  # of `listening`
TERMINAL = "/dev/tty"  # the process's own; under `ros2 launch`, standard input is none


class Keys:
    """The terminal gives each key at once, without showing it, while this context is open.

    Raises ConfigError where the process has no terminal.
    """

    def __enter__(self) -> "Keys":
        try:
            self._file = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            raise ConfigError("keys: expected a terminal to press them in, got none") from None
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)
        os.close(self._file)

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


@contextmanager
def listening(on_keys: Callable[[bytes], None]) -> Iterator[None]:
    """Calls `on_keys` with what was pressed, in a thread: at each key, and at 20 Hz without any.

    Raises ConfigError where the process has no terminal.
    """
    over = threading.Event()

    def read(keys: Keys) -> None:
        while not over.is_set():
            on_keys(keys.pressed(PERIOD_S))

    with Keys() as keys:
        thread = threading.Thread(target=read, args=(keys,), name="keys", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
