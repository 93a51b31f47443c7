"""A person's terminal: what a command prints there, and the keys that are pressed."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import termios

from running import wait_until

COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command in a terminal: what it prints, and keys to press."""

    def __init__(self, command: list[str], environment: dict[str, str]):
        self._keyboard, terminal = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            start_new_session=True,
            preexec_fn=_as_in_a_shell,
        )
        os.close(terminal)
        os.set_blocking(self._keyboard, False)

    def press(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def shows(self, text: str, keys: bytes = b"") -> None:
        """Waits until it has printed that, pressing the keys again and again."""

        def printed() -> bool:
            self.take()
            if keys and text not in self.text:
                self.press(keys)
            return text in self.text

        wait_until(printed, lambda: f"{text!r} in:\n{self.text}")

    def ends(self) -> int:
        def ended() -> bool:
            self.take()
            return self.process.poll() is not None

        wait_until(ended, lambda: f"an end of:\n{self.text}")
        self.take()
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._keyboard)

    def take(self) -> None:
        try:
            while data := os.read(self._keyboard, 4096):
                self.text += COLOURS.sub("", data.decode(errors="replace"))
        except (BlockingIOError, OSError):  # nothing now; nobody at the other end
            pass


def _as_in_a_shell() -> None:
    """The terminal is the process's own; and Ctrl-C is not ignored, as in the background it is."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
