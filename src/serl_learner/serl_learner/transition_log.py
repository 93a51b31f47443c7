"""The durable record of transitions: an append-only MCAP file of serl_msgs/Transition.

An actor writes one per run; demonstrations are the same format. It opens in Foxglove, PlotJuggler
and `ros2 bag`. After `kill -9` the file lacks at most the step that was being written.
"""

import fcntl
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from rclpy.serialization import deserialize_message, serialize_message

from serl_learner import transition
from serl_learner.codec import decode_transition
from serl_learner.config import ConfigError
from serl_learner.mcap_file import Entry, Preamble, closing, message_record, preamble, scan
from serl_msgs.msg import Transition

QUEUE_LIMIT = 1000  # steps that may wait for the disk before append() does


def read_task(path: str | Path) -> str:
    """The task that a log's transitions are of."""
    with _opened(path) as file:
        return Preamble.read(file, Path(path)).task


def read_transitions(path: str | Path, task: str | None = None) -> Iterator[Transition]:
    """Messages of a log in order, also of one that is being written or was never closed."""
    path = Path(path)
    with _opened(path) as file:
        start = Preamble.read(file, path)
        _check_task(path, start.task, task)
        for entry in scan(file, start.end, path)[0]:
            yield _read_message(file, entry, path)


def _opened(path: str | Path) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def load_transitions(path: str | Path, task: str | None = None) -> Iterator[transition.Transition]:
    """The same in memory. Raises ConfigError at one that must not be learned from."""
    for message in read_transitions(path, task):
        try:
            yield decode_transition(message)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from None


class TransitionLog:
    """Appends the transitions of one actor, numbered without gaps, and reads them back.

    append() only queues; a thread serializes, writes, and then calls `written` with the
    serialized message (CDR): what has left the process is always in the file.
    """

    def __init__(
        self,
        path: str | Path,
        task: str,
        agent: str = "agent",
        written: Callable[[bytes], None] = lambda data: None,
    ):
        self.path = Path(path)
        self.recovered = ""  # one line, if the end of the file was torn and has been cut off
        self._written = written
        self._error: Exception | None = None
        if not self.path.exists():
            _create(self.path, preamble(task, agent))
        self._file = self.path.open("r+b", buffering=0)
        try:
            self._recover(task)
        except BaseException:
            self._file.close()
            raise
        self._queue: queue.Queue[Transition | None] = queue.Queue(QUEUE_LIMIT)
        self._thread = threading.Thread(
            target=self._write_queued, name="transition log", daemon=True
        )
        self._thread.start()

    def _recover(self, task: str) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{self.path}: expected no other writer, found one running") from None
        self._preamble = Preamble.read(self._file, self.path)
        _check_task(self.path, self._preamble.task, task)
        self._entries, closed = scan(self._file, self._preamble.end, self.path)
        self._end = self._preamble.end
        if self._entries:
            self._end = self._entries[-1].offset + self._entries[-1].length
        torn = os.fstat(self._file.fileno()).st_size - self._end
        if torn and not closed:
            self.recovered = f"{self.path}: cut off {torn} bytes of a step that was being written"
        last = self._read(self._entries[-1]) if self._entries else None
        self._file.truncate(self._end)
        self._first = self._entries[0].sequence if last else 0
        self.next_sequence = last.sequence + 1 if last else 0
        self.next_episode = last.episode + 1 if last else 0

    def append(self, message: Transition) -> None:
        """Queues a message, which must not be changed; raises the disk's error on earlier ones."""
        if self._error:
            raise self._error
        if self.next_sequence == 0 and not self._entries:
            self._first = self.next_sequence = message.sequence
        if message.sequence != self.next_sequence:
            raise ValueError(
                f"{self.path}: expected sequence {self.next_sequence}, got {message.sequence}"
            )
        self.next_sequence += 1
        self.next_episode = message.episode + 1
        self._queue.put(message)

    def read(self, first: int, last: int, max_bytes: int = 2**62) -> list[Transition]:
        """Written messages `first` to `last`, inclusive; at least one, then up to `max_bytes`."""
        messages, size = [], 0
        begin = max(first - self._first, 0)
        for entry in self._entries[begin : max(last - self._first + 1, begin)]:
            size += entry.length
            if messages and size > max_bytes:
                break
            messages.append(self._read(entry))
        return messages

    def flush(self) -> None:
        """Waits until everything appended is written."""
        self._queue.join()
        if self._error:
            raise self._error

    def close(self) -> None:
        """Writes what is queued and the file's summary."""
        if self._file.closed:
            return
        self._queue.put(None)
        self._thread.join()
        try:
            if self._error:
                raise self._error
            self._write(closing(self._entries, self._end, self._preamble))
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def __enter__(self) -> "TransitionLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, entry: Entry) -> Transition:
        return _read_message(self._file, entry, self.path)

    def _write_queued(self) -> None:
        while (message := self._queue.get()) is not None:
            try:
                if self._error is None:  # after an error nothing may follow: it would leave a gap
                    self._write_message(message)
            except Exception as error:  # raised again by the next append(), flush() or close()
                self._error = error
            self._queue.task_done()

    def _write_message(self, message: Transition) -> None:
        data, now = serialize_message(message), time.time_ns()
        record = message_record(message.sequence, now, data)
        self._write(record)
        offset = self._end + len(record) - len(data)
        self._entries.append(Entry(message.sequence, now, offset, len(data)))
        self._end += len(record)
        self._written(data)
        if message.terminated or message.truncated:  # the reset gives the disk its time
            os.fdatasync(self._file.fileno())

    def _write(self, data: bytes) -> None:
        """Writes all of it at the end of the file, or nothing."""
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self._file.fileno(), data[done:], self._end + done)
        except OSError as error:
            os.ftruncate(self._file.fileno(), self._end)
            raise _disk_error(error, self.path) from None


def _read_message(file: BinaryIO, entry: Entry, path: Path) -> Transition:
    data = os.pread(file.fileno(), entry.length, entry.offset)
    try:
        return deserialize_message(data, Transition)
    except (RuntimeError, ValueError, MemoryError):  # the first is that of the middleware
        raise ConfigError(f"{path}: message {entry.sequence} is damaged") from None


def _create(path: Path, content: bytes) -> None:
    """The beginning of the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _disk_error(error, path) from None


def _disk_error(error: OSError, path: Path) -> OSError:
    free = shutil.disk_usage(path.parent).free
    reason = f"cannot be written: {error.strerror} ({free} bytes free)"
    return OSError(error.errno, reason, str(path))


def _check_task(path: Path, found: str, expected: str | None) -> None:
    if expected is not None and found != expected:
        raise ConfigError(f"{path}: expected transitions of task '{expected}', found '{found}'")
