"""Runs a task's nodes until the actor is done, and shows and records what they report."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from serl_bringup import live_view
from serl_bringup.health import Health
from serl_bringup.monitor_node import Monitor
from serl_bringup.nodes import RESTARTS, RunNode, run_nodes
from serl_bringup.person import person_of
from serl_bringup.processes import NodeProcess
from serl_bringup.records import Records
from serl_bringup.robot import nodes_of
from serl_bringup.run import Run
from serl_msgs.msg import LearnerStatus

if TYPE_CHECKING:
    from serl_bringup.training_view import TrainingView

OTHERS = {"robot": ("learner", "learner"), "learner": ("robot", "actor")}  # machine, who runs there
PLAIN_LINE_PERIOD_S = 10.0


class NodeError(Exception):
    """A node ended on its own: its last line, and the exit code to end with."""

    def __init__(self, process: NodeProcess):
        code = process.exit_code()
        ending = (
            f"was killed {process.restarts + 1} times" if code < 0 else f"ended with code {code}"
        )
        super().__init__(f"{process.name} {ending}: {process.last_line()}")
        self.exit_code = code if code > 0 else 1


class Session:
    """One training run's processes. `run` tells whether the actor reached its last step.

    A node that was killed is started again and goes on from its log and checkpoints; one that ends
    by itself with an error stops the run, and raises NodeError.
    """

    def __init__(
        self,
        run: Run,
        console: Console,
        *,
        together: bool = False,
        view: "TrainingView | None" = None,
        machine: str | None = None,
    ):
        """`together`: the learners of all agents in one process. `view` shows what they do.

        `machine`: robot or learner, the nodes that run here where the others run elsewhere.
        """
        self._run = run
        self._machine = machine
        self._agents = {agent.name: agent for agent in run.agents}
        self._together = together
        self._view = view
        self._console = console
        self._other_is_here: bool | None = None  # whoever runs on the other machine

    def run(self) -> bool:
        with ExitStack() as stack:
            stack.enter_context(nodes_of(self._run.agents[0].task, self._machine is not None))
            self._console.print(f"its topics are in ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}")
            nodes = run_nodes(self._run.folder.path, together=self._together, machine=self._machine)
            started = [(node, self._start(node)) for node in nodes]
            learners = [process for node, process in started if node.package == "serl_learner"]
            processes = [process for node, process in started if not node.spare]
            for _, process in started:
                stack.callback(process.stop)  # the last one first: the robot stops before others
            self._actor = processes[-1] if nodes[-1].executable == "actor_node" else None
            stopping = stack.enter_context(_stop_signals())
            self._monitor = stack.enter_context(Monitor(*self._agents, watcher=self._view))
            if self._actor:
                tasks = {agent.name: agent.task for agent in self._run.agents}
                if person := person_of(tasks, self._console):
                    stack.enter_context(person)
            self._records = {}
            for name, agent in self._agents.items():
                self._records[name] = Records(agent.folder.episodes, agent.folder.events)
                stack.callback(self._records[name].close)
            screen = _screen(self._run, self._console, self._monitor.health)
            self._refresh = stack.enter_context(screen)
            while not stopping() and not self._is_over():
                self._take(0.2)
                for process in processes:
                    self._keep_alive(process)
            if self._actor:
                self._actor.stop()
            for learner in learners:
                learner.stop()
            self._take(0.5)
            for agent in self._run.agents:
                agent.progress.ended = time.monotonic()
        return not stopping() and self._run.env_steps >= self._run.max_steps

    def _is_over(self) -> bool:
        """The actor ends when the learner has everything."""
        if self._actor:
            return self._actor.exit_code() == 0
        statuses = [a.progress.learner for a in self._run.agents if a.progress.learner]
        has_all = sum(status.env_steps for status in statuses) >= self._run.max_steps
        return has_all and not self._monitor.hears("actor")

    def _start(self, node: RunNode) -> NodeProcess:
        """With its log beside its parameters."""
        folder = (node.parameters or self._run.folder.config).parent
        name = f"{node.namespace}/{node.executable}" if self._run.is_team else node.executable
        log = folder / "logs" / f"{node.executable}.log"
        return NodeProcess.of(node, log, name.removeprefix("/"))

    def _keep_alive(self, process: NodeProcess) -> None:
        if process.exit_code() is None or (process is self._actor and process.exit_code() == 0):
            return
        if not process.was_killed() or process.restarts == RESTARTS:
            raise NodeError(process)
        process.restart()
        self._console.print(
            f"{process.name} was killed: started again, goes on from its log and checkpoints"
        )

    def _take(self, timeout_s: float) -> None:
        for message in self._monitor.drain(timeout_s):
            progress, records = self._agents[message.agent].progress, self._records[message.agent]
            if isinstance(message, LearnerStatus):
                progress.status(message)
                records.status(message)
                if self._view is not None:
                    self._view.status(message)
            else:
                progress.episode(message)
                records.episode(message, progress.recent_success_rate, progress.wall_minutes)
                if self._view is not None:
                    self._view.episode(message, progress)
        if self._machine:
            self._tell_of_the_other()
        self._refresh()

    def _tell_of_the_other(self) -> None:
        other, part = OTHERS[self._machine]
        is_here = self._monitor.hears(part)
        if is_here == self._other_is_here:
            return
        self._other_is_here = is_here
        how = f"serl train --resume --machine {other} --run-dir ITS_COPY_OF_THE_FOLDER"
        found = "is there" if is_here else f"is not there: on its machine, {how}"
        self._console.print(f"the {part} {found}", soft_wrap=True)


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has come; the handlers of before come back at the end."""
    received = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda n, _: received.append(n)) for number in numbers]
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _screen(run: Run, console: Console, health: Health) -> Iterator[Callable[[], None]]:
    """A function that refreshes the live panel, or without a terminal prints a line at times."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield lambda: live.update(live_view.render(run, *health.worst()))
        return
    printed = [time.monotonic()]

    def refresh() -> None:
        if time.monotonic() - printed[0] >= PLAIN_LINE_PERIOD_S:
            printed[0] = time.monotonic()
            console.print(live_view.text(run, *health.worst()), soft_wrap=True)

    yield refresh
    console.print(live_view.text(run), soft_wrap=True)
