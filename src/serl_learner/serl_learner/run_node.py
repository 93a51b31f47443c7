"""What the main of every node does: signals, one executor thread, exit codes."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from serl_learner.config import ConfigError
from serl_learner.discovery import is_local
from serl_learner.domain import Claim

DISCOVERY_S = 2.5  # in which nodes of other machines are found; seen: 1 s on a busy machine


class Runnable(Protocol):
    """A node that has work to do."""

    def run(self, stop: threading.Event) -> None: ...  # until it is done or `stop` is set


def run_node(*makes: Callable[[], Runnable]) -> int:
    """Makes the node, spins it in a thread, runs it; the exit code.

    Several are made one after the other, each in a thread of its own (a graphics context belongs
    to one), the last in this one. When one is done, or raises, all end: the last one first.

    0: done, or stopped by SIGINT or SIGTERM (a second one ends the process at once); 2: bad input
    or a disk that does not take more, told in one line; 1: a fault of ours, with its traceback.
    """
    stop = _stop_on_signals()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        _run_all(makes, stop)
    except (ConfigError, OSError) as error:
        with suppress(OSError):  # standard error may be a file on the disk that is full
            print(error, file=sys.stderr, flush=True)
        return 2
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


def _stop_on_signals() -> threading.Event:
    stop, asked = threading.Event(), threading.Event()

    def handle(number: int, frame: object) -> None:
        if asked.is_set():
            os._exit(128 + number)
        asked.set()
        stop.set()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


def _run_all(makes: Sequence[Callable[[], Runnable]], stop: threading.Event) -> None:
    """`stop` is the last one's; it is set when any is done. Raises the first error."""
    errors: list[Exception] = []

    def live(make: Callable[[], Runnable], made: threading.Event, end: threading.Event) -> None:
        try:
            node = make()
            with spinning(node, end):
                made.set()
                node.run(end)
        except Exception as error:
            errors.append(error)
        finally:
            made.set()
            stop.set()

    *others, last = makes
    living = []
    for make in others:
        made, end = threading.Event(), threading.Event()
        thread = threading.Thread(target=live, args=(make, made, end))
        thread.start()
        living.append((thread, end))
        made.wait()
    if not stop.is_set():
        live(last, threading.Event(), stop)
    for thread, end in reversed(living):
        end.set()
        thread.join()
    if errors:
        raise errors[0]


@contextmanager
def spinning(node: Node, stop: threading.Event) -> Iterator[None]:
    """Runs callbacks in a thread; what one of them raises stops the node and is raised here."""
    errors: list[BaseException] = []
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    ended = Future[None]()

    def spin() -> None:
        try:
            executor.spin_until_future_complete(ended)
        except Exception as error:
            errors.append(error)
            stop.set()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set_result(None)
        thread.join()  # before shutdown(), which takes the guard condition from a running callback
        executor.shutdown()
        node.destroy_node()
    if errors:
        raise errors[0]


def claim_role(node: Node, role: str, topic: str, name: str | None = None) -> Claim:
    """Makes `node` the only one in this role of the agent that `topic` belongs to; or ConfigError.

    The agent is the node's namespace, or that of the topic where it is absolute. On this machine a
    locked file decides, at once. On others it is whoever publishes `topic` (under `name`, if
    given), which `node` does not yet; discovery takes its time for that.
    """
    domain = node.context.get_domain_id()
    agent = topic.rpartition("/")[0] if topic.startswith("/") else node.get_namespace()
    taken = f"agent {agent} already has {role} in ROS domain {domain}"
    topic = node.resolve_topic_name(topic)
    key = f"domain_{domain}{agent}/{name or topic.rpartition('/')[2]}".replace("/", "_")
    claim = Claim(key, f"{taken}: process")
    if is_local():
        return claim
    deadline = time.monotonic() + DISCOVERY_S
    while time.monotonic() < deadline:
        publishers = node.get_publishers_info_by_topic(topic)
        if any(name in (None, publisher.node_name) for publisher in publishers):
            raise ConfigError(f"{taken}: on another machine")
        time.sleep(0.05)
    return claim
