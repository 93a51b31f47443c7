"""The `serl` command."""

import argparse
import sys
import threading
from typing import NoReturn

from serl_bringup.commands import (
    benchmark,
    demos,
    doctor,
    encoder,
    evaluate,
    keys,
    locator,
    plot,
    report,
    reward,
    train,
)
from serl_learner.config import ConfigError

COMMANDS = (
    train,
    evaluate,
    keys,
    demos,
    encoder,
    locator,
    reward,
    plot,
    report,
    benchmark,
    doctor,
)  # in this order


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _tell_thread_error(error: threading.ExceptHookArgs) -> None:
    """TensorBoard's thread meets a full disk and raises it again at the next write, told there."""
    if not issubclass(error.exc_type, OSError):
        threading.__excepthook__(error)


def main() -> None:
    threading.excepthook = _tell_thread_error
    arguments = make_parser().parse_args()
    try:
        code = arguments.command(arguments)
    except ConfigError as error:
        print(f"serl: {error}", file=sys.stderr)
        code = 2
    except OSError as error:  # a full or vanished disk, wherever it is met
        text = f"{error.filename or 'disk'}: {error.strerror}" if error.strerror else str(error)
        print(f"serl: {text}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def make_parser() -> argparse.ArgumentParser:
    """Of every command, with what it takes."""
    parser = _Parser(
        prog="serl",
        description="Trains a robot arm on a real task, from demonstrations, in minutes.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
