"""The MCAP layout of a transition log, in the records of the `mcap` package.

  magic, Header, Schema, Channel, Metadata | Message, Message, ... | DataEnd, summary, Footer, magic
  preamble, written first                  | one for each step     | closing, written last

Messages are not grouped in chunks: each one is whole in the file as soon as it is written.
"""

import functools
import io
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ament_index_python.packages import get_package_share_directory
from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    DataEnd,
    Footer,
    Header,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
)
from mcap.writer import LIBRARY_IDENTIFIER, MCAP0_MAGIC

from serl_learner.config import ConfigError

METADATA = "serl"
CHANNEL_ID = SCHEMA_ID = 1
RECORD_HEADER = struct.Struct("<BQ")  # opcode, length of what follows
DATA_END_LENGTH = 4  # bytes: a checksum
MESSAGE_HEADER = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time; then the data


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the data of one message lies in the file."""

    sequence: int
    log_time: int  # ns
    offset: int  # bytes from the start of the file
    length: int  # bytes


@dataclass(frozen=True)
class Preamble:
    task: str
    agent: str
    metadata_index: MetadataIndex
    end: int  # where the first message begins, bytes

    @classmethod
    def read(cls, file: BinaryIO, path: Path) -> "Preamble":
        if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            raise ConfigError(f"{path}: expected an MCAP file of transitions, found another format")
        end = len(MCAP0_MAGIC)
        for opcode, offset, length in _records(file, end):
            content = ReadDataStream(io.BytesIO(os.pread(file.fileno(), length, offset)))
            if opcode == Opcode.SCHEMA:
                _check_schema(Schema.read(content), path)
            elif opcode == Opcode.METADATA:
                metadata = Metadata.read(content)
                if metadata.name == METADATA:
                    begin = offset - RECORD_HEADER.size
                    index = MetadataIndex(begin, RECORD_HEADER.size + length, METADATA)
                    fields = metadata.metadata
                    return cls(fields["task"], fields["agent"], index, offset + length)
            elif opcode not in (Opcode.HEADER, Opcode.CHANNEL):
                break
        raise ConfigError(
            f"{path}: expected a transition log, found an MCAP file whose beginning is cut off or"
            " which was not written by serl"
        )


def _records(file: BinaryIO, start: int) -> Iterator[tuple[int, int, int]]:
    """(opcode, offset of the content, its length) of each whole record from `start` on."""
    size, position = os.fstat(file.fileno()).st_size, start
    while position + RECORD_HEADER.size <= size:
        file.seek(position)
        opcode, length = RECORD_HEADER.unpack(file.read(RECORD_HEADER.size))
        position += RECORD_HEADER.size
        if position + length > size:
            return
        yield opcode, position, length
        position += length


def scan(file: BinaryIO, start: int, path: Path) -> tuple[list[Entry], bool]:
    """The whole messages from `start` on, and whether the file was closed after them.

    A file that was not closed may end within a record. Raises ConfigError at any other one that
    cannot be read: what follows it would be lost without a word.
    """
    complete = _ends_with_magic(file)  # asked first: the file may be growing
    entries, end = [], start
    for opcode, offset, length in _records(file, start):
        if opcode == Opcode.DATA_END and length == DATA_END_LENGTH:
            return entries, True
        if opcode != Opcode.MESSAGE or length < MESSAGE_HEADER.size:
            break
        _, sequence, log_time, _ = MESSAGE_HEADER.unpack(file.read(MESSAGE_HEADER.size))
        header = MESSAGE_HEADER.size
        entries.append(Entry(sequence, log_time, offset + header, length - header))
        end = offset + length
    else:
        if not complete and _may_be_torn(file, end):
            return entries, False
    raise ConfigError(f"{path}: damaged at byte {end}")


def _ends_with_magic(file: BinaryIO) -> bool:
    file.seek(-len(MCAP0_MAGIC), os.SEEK_END)
    return file.read() == MCAP0_MAGIC


def _may_be_torn(file: BinaryIO, position: int) -> bool:
    """Whether what begins at `position`, up to the end of the file, may be part of one record."""
    file.seek(position)
    header = file.read(RECORD_HEADER.size)
    if len(header) < RECORD_HEADER.size:
        return True
    return RECORD_HEADER.unpack(header)[0] in (Opcode.MESSAGE, Opcode.DATA_END)


def message_record(sequence: int, log_time: int, data: bytes) -> bytes:
    """`log_time` in ns; `data` serialized (CDR). The record ends with the data."""
    header = MESSAGE_HEADER.pack(CHANNEL_ID, sequence, log_time, log_time)
    return RECORD_HEADER.pack(Opcode.MESSAGE, len(header) + len(data)) + header + data


def preamble(task: str, agent: str) -> bytes:
    builder = RecordBuilder()
    builder.write(MCAP0_MAGIC)
    Header(profile="ros2", library=LIBRARY_IDENTIFIER).write(builder)
    _schema().write(builder)
    _channel(agent).write(builder)
    Metadata(METADATA, {"task": task, "agent": agent}).write(builder)
    return builder.end()


def closing(entries: list[Entry], start: int, preamble: Preamble) -> bytes:
    """What is written at `start`, after the last message: a summary, which saves readers a scan."""
    times = [entry.log_time for entry in entries]
    statistics = Statistics(
        message_count=len(entries),
        schema_count=1,
        channel_count=1,
        attachment_count=0,
        metadata_count=1,
        chunk_count=0,
        message_start_time=min(times, default=0),
        message_end_time=max(times, default=0),
        channel_message_counts={CHANNEL_ID: len(entries)},
    )
    builder = RecordBuilder()
    DataEnd(data_section_crc=0).write(builder)  # 0 here and below: no checksum
    summary_start = start + builder.count
    for record in (_schema(), _channel(preamble.agent), statistics, preamble.metadata_index):
        record.write(builder)
    Footer(summary_start, summary_offset_start=0, summary_crc=0).write(builder)
    builder.write(MCAP0_MAGIC)
    return builder.end()


def _schema() -> Schema:
    text = message_definition("serl_msgs/Transition").encode()
    return Schema(id=SCHEMA_ID, name="serl_msgs/msg/Transition", encoding="ros2msg", data=text)


def _channel(agent: str) -> Channel:
    return Channel(
        id=CHANNEL_ID,
        schema_id=SCHEMA_ID,
        topic=f"/{agent}/transitions",
        message_encoding="cdr",
        metadata={},
    )


@functools.cache
def message_definition(message: str) -> str:
    """Text of a definition, "package/Type", followed by those of all messages in it (ros2msg)."""
    texts, names = [], [message]
    for name in names:  # grows while it is walked
        package, _, kind = name.partition("/")
        path = Path(get_package_share_directory(package)) / "msg" / f"{kind}.msg"
        text = path.read_text(encoding="utf-8")
        texts.append(f"{'=' * 80}\nMSG: {name}\n{text}" if texts else text)
        for used in re.findall(r"^\s*([\w/]*[A-Z]\w*)(?:\[[<=\d]*\])?\s+\w", text, re.MULTILINE):
            part = used.replace("/msg/", "/") if "/" in used else f"{package}/{used}"
            if part not in names:
                names.append(part)
    return "\n".join(texts)


def _check_schema(schema: Schema, path: Path) -> None:
    """Bytes of another version of the message would decode to nonsense."""
    expected = _schema()
    found = schema.data.decode(errors="replace")
    if schema.name != expected.name or _fields(found) != _fields(expected.data.decode()):
        raise ConfigError(
            f"{path}: expected messages of today's {expected.name}, found {schema.name}"
            f"{' of another version' if schema.name == expected.name else ''}"
        )


def _fields(definition: str) -> list[list[str]]:
    """The definition without its comments."""
    lines = (re.sub(r"#.*", "", line).split() for line in definition.splitlines())
    return [line for line in lines if line]
