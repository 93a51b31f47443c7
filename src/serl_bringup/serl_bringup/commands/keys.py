"""`serl keys`."""

import time
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from serl_learner.config import ConfigError


def add(commands) -> None:
    p = commands.add_parser("keys", help="a person's keys for a run that ros2 launch started")
    p.add_argument("run", type=Path, metavar="RUN_DIR")
    p.set_defaults(command=_keys)


def _keys(arguments) -> NoReturn:
    from serl_bringup.assessment import open_agents
    from serl_bringup.person import person_of
    from serl_bringup.run_folder import RunFolder

    agents = open_agents(RunFolder.open(arguments.run), {})
    person = person_of({name: agent.task for name, agent in agents.items()}, Console())
    if person is None:
        raise ConfigError(f"{arguments.run}: expected a run that asks a person by keys, got none")
    with person:
        while True:  # to Ctrl-C, which may interrupt another thread than this one
            time.sleep(0.2)
