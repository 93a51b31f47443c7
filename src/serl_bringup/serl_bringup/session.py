"""Runs a task's nodes until the actor is done, and shows and records what they report."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.live import Live

from serl_bringup import live_view
from serl_bringup.label_keys_node import LabelKeys
from serl_bringup.monitor_node import Monitor
from serl_bringup.processes import NodeProcess, node_environment
from serl_bringup.progress import Progress
from serl_bringup.records import Records
from serl_bringup.run_folder import RunFolder
from serl_learner.config import ConfigError
from serl_learner.domain import acquire_domain
from serl_msgs.msg import LearnerStatus

PLAIN_LINE_PERIOD_S = 10.0
RESTARTS = 3
AGENT = "agent"  # namespace of a run's nodes


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
        self, folder: RunFolder, progress: Progress, console: Console, reward: str = "environment"
    ):
        """`reward`: its source. Any but the environment takes a node, a human one keys as well."""
        self._folder = folder
        self._reward = reward
        self._progress = progress
        self._console = console

    def run(self) -> bool:
        requested = _requested_domain()
        with ExitStack() as stack:
            domain = stack.enter_context(acquire_domain(requested))
            os.environ.update(node_environment(domain.number))
            learner = self._start("serl_learner.learner_node")
            others = [learner]
            if self._reward != "environment":
                others.append(self._start("serl_reward.reward_node"))
            actor = self._actor = self._start("serl_actor.actor_node")
            for process in (*others, actor):
                stack.callback(process.stop)  # the last one first: the robot stops before others
            stopping = stack.enter_context(_stop_signals())
            self._monitor = stack.enter_context(Monitor(AGENT))
            if self._reward == "human":
                stack.enter_context(LabelKeys(AGENT))
                self._console.print("press SPACE for a success, F for a failure")
            self._records = Records(self._folder.episodes, self._folder.events)
            stack.callback(self._records.close)
            self._refresh = stack.enter_context(
                _screen(self._progress, self._folder, self._console)
            )
            while not stopping() and actor.exit_code() != 0:
                self._take(0.2)
                for process in (*others, actor):
                    self._keep_alive(process)
            actor.stop()
            learner.stop()
            self._take(0.5)
        return not stopping() and self._progress.env_steps >= self._progress.max_steps

    def _start(self, module: str) -> NodeProcess:
        log = self._folder.logs / f"{module.rsplit('.', 1)[-1]}.log"
        return NodeProcess(module, AGENT, self._folder.config, log)

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
            if isinstance(message, LearnerStatus):
                self._progress.status(message)
                self._records.status(message)
            else:
                self._progress.episode(message)
                self._records.episode(
                    message, self._progress.recent_success_rate, self._progress.wall_minutes
                )
        self._refresh()


def _requested_domain() -> int | None:
    text = os.environ.get("ROS_DOMAIN_ID", "")
    if text and not text.isdigit():
        raise ConfigError(f"ROS_DOMAIN_ID: expected a number from 0 to 101, got '{text}'")
    return int(text) if text else None


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
def _screen(
    progress: Progress, folder: RunFolder, console: Console
) -> Iterator[Callable[[], None]]:
    """A function that refreshes the live panel, or without a terminal prints a line at times."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield lambda: live.update(live_view.render(progress, str(folder.path)))
        return
    printed = [time.monotonic()]

    def refresh() -> None:
        if time.monotonic() - printed[0] >= PLAIN_LINE_PERIOD_S:
            printed[0] = time.monotonic()
            console.print(live_view.line(progress), soft_wrap=True)

    yield refresh
    console.print(live_view.line(progress), soft_wrap=True)
