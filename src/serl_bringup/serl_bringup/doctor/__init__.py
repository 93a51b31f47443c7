"""`serl doctor`: looks at this machine before a run does, and says what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from serl_bringup.doctor import devices, franka, link, machine, network, realtime, robot, software
from serl_bringup.doctor.check import Check

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
FRANKA = ("fr3", "franka")


@dataclass(frozen=True)
class Setup:
    """The robot that is asked about, besides what a run in simulation needs."""

    robot: str  # of config/robots, or sim_node
    is_real: bool = True  # and not simulated by a node
    cameras: Mapping[str, str] = field(default_factory=dict)  # of its task: name to topic
    address: str = ""  # of its control box


def run(setup: Setup | None = None) -> int:
    """Prints tables; returns the exit code: 1 if anything fails that is needed for what is asked.

    That is a run in simulation, and with `setup` one on that robot.
    """
    console = Console()
    with console.status("checking this machine ..."):
        found = list(checks())
    _print(console, "serl doctor", found)
    if setup is None:
        console.print("for a robot: serl doctor --robot ROBOT --task TASK")
    else:
        with console.status(f"checking what {setup.robot} needs ..."):
            needed = list(robot_checks(setup))
        _print(console, f"for {setup.robot}", needed)
        found += needed
    return int(any(check.status == "fail" for check in found))


def checks() -> Iterator[Check]:
    """What every run needs."""
    yield software.python()
    yield from software.packages()
    yield software.controller()
    yield network.middleware()
    yield network.domain()
    yield software.rendering()
    yield software.video()
    yield software.gpu()
    yield machine.processor()
    yield machine.disk(_run_folder())
    yield machine.disk_speed(_run_folder())


def robot_checks(setup: Setup) -> Iterator[Check]:
    """What a robot needs besides; of one that a node simulates, that it is there."""
    if setup.is_real:
        yield from _computer_checks()
    if setup.robot in FRANKA:
        yield from franka.versions()
    if setup.address:
        yield link.robot_link(setup.address, link.round_trips_ms)
    yield from robot.topics(setup.cameras)


def _computer_checks() -> Iterator[Check]:
    yield realtime.kernel()
    yield realtime.limits()
    yield realtime.isolation()
    yield realtime.governor()
    yield machine.clock()
    yield network.interface()
    yield network.udp_buffers()
    yield network.fragments()
    yield devices.groups()
    yield devices.cameras()
    yield devices.spacemouse()


def _print(console: Console, title: str, found: list[Check]) -> None:
    table = Table("check", "", "found", "what to do", title=title, title_justify="left")
    for check in found:
        style = STYLES[check.status]
        table.add_row(check.name, f"[{style}]{check.status}[/]", check.found, check.advice)
    console.print(table)


def _run_folder() -> Path:
    runs = Path("runs")
    return runs.resolve() if runs.is_dir() else Path.cwd()
