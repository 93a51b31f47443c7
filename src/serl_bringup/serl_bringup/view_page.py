"""The server of the viewer's page: becomes rerun's own program, in the same process."""

import os
import sys
from pathlib import Path

import rerun_cli


def main() -> None:
    program = str(Path(rerun_cli.__file__).with_name("rerun"))
    environment = os.environ | {"CI": "1"}  # rerun then sends no statistics of use
    os.execve(program, [program, *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
