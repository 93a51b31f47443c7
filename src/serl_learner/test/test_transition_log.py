import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader

from serl_learner import codec
from serl_learner.config import ConfigError
from serl_learner.mcap_file import MESSAGE_HEADER, RECORD_HEADER
from serl_learner.transition import Transition
from serl_learner.transition_log import TransitionLog, load_transitions, read_transitions

TASK = "pcb_insertion"


def message(sequence, image=False, truncated=False):
    observation = {"pose": np.full(3, sequence, np.float32)}
    if image:
        observation["wrist_1"] = np.full((128, 128, 3), sequence % 256, np.uint8)
    return codec.encode_transition(
        Transition(
            agent="agent",
            actor="actor",
            sequence=sequence,
            episode=sequence // 10,
            step=sequence % 10,
            observation=observation,
            action=np.array([0.25, -1.0], np.float32),
            reward=float(sequence),
            terminated=False,
            truncated=truncated,
            stamp_ns=1_500_000_000,
            final_observation=observation if truncated else None,
        )
    )


def write(path, sequences, task=TASK):
    with TransitionLog(path, task) as log:
        for sequence in sequences:
            log.append(message(sequence))


def sequences(path):
    return [transition.sequence for transition in read_transitions(path, TASK)]


def test_reads_back_what_was_appended(tmp_path):
    path = tmp_path / "log.mcap"
    expected = [message(0, image=True), message(1, image=True, truncated=True)]
    with TransitionLog(path, TASK) as log:
        for transition in expected:
            log.append(transition)
        log.flush()
        assert log.read(0, 1) == expected
    assert list(read_transitions(path, TASK)) == expected
    assert list(read_transitions(path)) == expected


def test_reads_at_random_and_up_to_a_size(tmp_path):
    with TransitionLog(tmp_path / "log.mcap", TASK) as log:
        for sequence in range(20):
            log.append(message(sequence, image=True))
        log.flush()
        assert [t.sequence for t in log.read(7, 9)] == [7, 8, 9]
        assert [t.sequence for t in log.read(18, 25)] == [18, 19]
        assert [t.sequence for t in log.read(3, 9, max_bytes=110_000)] == [3, 4]
        assert [t.sequence for t in log.read(3, 9, max_bytes=1)] == [3]
        assert log.read(20, 30) == []
        assert log.read(9, 7) == []


@pytest.fixture
def two_steps(tmp_path):
    path = tmp_path / "log.mcap"
    with TransitionLog(path, TASK, agent="forward") as log:
        log.append(message(0))
        log.append(message(1, image=True, truncated=True))
    return path


def test_the_mcap_library_reads_it(two_steps):
    with two_steps.open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        assert summary.statistics.message_count == 2
        assert summary.channels[1].topic == "/forward/transitions"
        assert summary.channels[1].message_encoding == "cdr"
        assert summary.schemas[1].name == "serl_msgs/msg/Transition"
        metadata = next(iter(reader.iter_metadata()))
        assert metadata.metadata == {"task": TASK, "agent": "forward"}
        first, last = (decoded for *_, decoded in reader.iter_decoded_messages())
    assert (first.actor, first.sequence, first.reward) == ("actor", 0, 0.0)
    assert list(first.observation.state) == [0.0, 0.0, 0.0]
    assert list(first.action) == [0.25, -1.0]
    assert first.observation.stamp.nanosec == 500_000_000
    assert last.final_observation[0].images[0].header.frame_id == "wrist_1"
    assert bytes(last.observation.images[0].data) == bytes([1]) * (128 * 128 * 3)


def test_the_rosbags_library_reads_it_without_knowing_our_messages(two_steps):
    with AnyReader([two_steps]) as reader:
        (connection,) = reader.connections
        assert (connection.topic, connection.msgcount) == ("/forward/transitions", 2)
        assert connection.msgtype == "serl_msgs/msg/Transition"
        _, last = (reader.deserialize(data, c.msgtype) for c, _, data in reader.messages())
    assert last.observation.names == ["pose"]
    np.testing.assert_array_equal(last.observation.state, [1.0, 1.0, 1.0])
    (image,) = last.final_observation[0].images
    assert (image.header.frame_id, image.encoding, image.height) == ("wrist_1", "rgb8", 128)
    np.testing.assert_array_equal(image.data, np.ones(128 * 128 * 3, np.uint8))


def test_continues_a_closed_file(tmp_path):
    path = tmp_path / "log.mcap"
    write(path, range(12))
    with TransitionLog(path, TASK) as log:
        assert (log.next_sequence, log.next_episode, log.recovered) == (12, 2, "")
        log.append(message(12))
    assert sequences(path) == list(range(13))
    with path.open("rb") as file:
        assert make_reader(file).get_summary().statistics.message_count == 13


@pytest.mark.parametrize("cut", [1, 9, 31, 100])
def test_cuts_off_a_torn_tail(tmp_path, cut):
    path = tmp_path / "log.mcap"
    log = TransitionLog(path, TASK)
    for sequence in range(3):
        log.append(message(sequence))
    log.flush()
    os.truncate(path, path.stat().st_size - cut)  # not closed: the file ends with message 2
    assert sequences(path) == [0, 1]
    log._file.close()  # as a killed process would: no summary
    with TransitionLog(path, TASK) as log:
        assert log.next_sequence == 2
        assert str(path) in log.recovered and "cut off" in log.recovered
        log.append(message(2))
    assert sequences(path) == [0, 1, 2]


def killed(path, count):
    """A log of so many messages as a killed process leaves it; where each of them begins."""
    log = TransitionLog(path, TASK)
    for sequence in range(count):
        log.append(message(sequence))
    log.flush()
    log._file.close()  # no summary
    header = RECORD_HEADER.size + MESSAGE_HEADER.size
    return [entry.offset - header for entry in log._entries]


def assert_damaged(path, content, what):
    path.write_bytes(content)
    for read in (lambda: list(read_transitions(path, TASK)), lambda: TransitionLog(path, TASK)):
        with pytest.raises(ConfigError) as raised:
            read()
        assert str(raised.value) == f"{path}: {what}"
    assert path.read_bytes() == content


@pytest.mark.parametrize("header", [b"\x06", b"\0" * 9, b"\x05\x02" + b"\0" * 7])
def test_a_damaged_record_is_not_taken_for_the_end(tmp_path, header):
    path = tmp_path / "log.mcap"
    begins = killed(path, 3)[1]
    content = bytearray(path.read_bytes())
    content[begins : begins + len(header)] = header
    assert_damaged(path, bytes(content), f"damaged at byte {begins}")


def test_a_length_beyond_the_end_is_damage_in_a_file_that_was_closed(tmp_path):
    path = tmp_path / "log.mcap"
    begins = killed(path, 3)[1]
    TransitionLog(path, TASK).close()
    content = bytearray(path.read_bytes())
    content[begins + 4] = 1  # 16 MiB more
    assert_damaged(path, bytes(content), f"damaged at byte {begins}")


def test_a_damaged_message_is_told_by_its_number(tmp_path):
    path = tmp_path / "log.mcap"
    begins = killed(path, 3)[2] + RECORD_HEADER.size + MESSAGE_HEADER.size
    content = bytearray(path.read_bytes())
    content[begins + 4 : begins + 8] = b"\xff" * 4  # the length of the first string
    assert_damaged(path, bytes(content), "message 2 is damaged")


KILLED = """
import sys
sys.path.insert(0, {test_directory!r})
from test_transition_log import TransitionLog, message, TASK
log = TransitionLog({path!r}, TASK, written=lambda data: print(len(data), flush=True))
for sequence in range(10**6):
    log.append(message(sequence, image=True))
"""


def test_kill_in_the_middle_of_writing_loses_nothing_that_left_the_process(tmp_path):
    path = tmp_path / "log.mcap"
    script = KILLED.format(test_directory=str(Path(__file__).parent), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    announced = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    announced += process.stdout.readlines()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    with TransitionLog(path, TASK) as log:
        count = log.next_sequence
    assert sequences(path) == list(range(count))
    assert len(announced) <= count <= len(announced) + 1


def test_a_disk_that_fills_up_is_told_in_one_line_and_what_was_written_stays(tmp_path):
    path = tmp_path / "log.mcap"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = TransitionLog(path, TASK)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 110_000, hard))
    try:
        for sequence in range(4):
            log.append(message(sequence, image=True))
        with pytest.raises(OSError, match=r"log\.mcap") as raised:
            log.flush()
        with pytest.raises(OSError, match="bytes free"):
            log.append(message(4, image=True))
        with pytest.raises(OSError, match="cannot be written: File too large"):
            log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert "\n" not in str(raised.value)
    assert sequences(path) == [0, 1]
    with TransitionLog(path, TASK) as log:
        assert (log.next_sequence, log.recovered) == (2, "")


def test_refuses_the_file_of_another_task(tmp_path):
    path = tmp_path / "log.mcap"
    write(path, range(1), task="cable_routing")
    expected = f"{path}: expected transitions of task 'pcb_insertion', found 'cable_routing'"
    with pytest.raises(ConfigError) as raised:
        TransitionLog(path, TASK)
    assert str(raised.value) == expected
    with pytest.raises(ConfigError) as raised:
        list(read_transitions(path, TASK))
    assert str(raised.value) == expected


def test_refuses_what_is_not_a_transition_log(tmp_path):
    path = tmp_path / "log.mcap"
    write(path, range(1))
    whole = path.read_bytes()
    for content in (b"", b"not MCAP at all", whole[:5], whole[:60], whole[:3000]):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"log\.mcap: expected"):
            list(read_transitions(path, TASK))
        with pytest.raises(ConfigError, match=r"log\.mcap: expected"):
            TransitionLog(path, TASK)
        assert path.read_bytes() == content
    with pytest.raises(ConfigError, match=r"nothing\.mcap: cannot be read"):
        list(read_transitions(tmp_path / "nothing.mcap"))


def test_refuses_messages_of_another_version(tmp_path):
    path = tmp_path / "log.mcap"
    write(path, range(1))
    path.write_bytes(path.read_bytes().replace(b"\nfloat32 reward\n", b"\nfloat64 reward\n"))
    with pytest.raises(ConfigError, match="another version"):
        list(read_transitions(path, TASK))


def test_refuses_a_gap_and_a_second_writer(tmp_path):
    path = tmp_path / "log.mcap"
    with TransitionLog(path, TASK) as log:
        log.append(message(0))
        with pytest.raises(ValueError, match="expected sequence 1, got 2"):
            log.append(message(2))
        with pytest.raises(ConfigError, match="expected no other writer"):
            TransitionLog(path, TASK)


def test_a_transition_that_must_not_be_learned_from_names_file_and_field(tmp_path):
    path = tmp_path / "log.mcap"
    bad = message(1)
    bad.reward = float("nan")
    with TransitionLog(path, TASK) as log:
        log.append(message(0))
        log.append(bad)
    transitions = load_transitions(path, TASK)
    assert next(transitions).sequence == 0
    with pytest.raises(ConfigError) as raised:
        next(transitions)
    expected = f"{path}: actor 'actor', sequence 1: reward: expected finite, got nan"
    assert str(raised.value) == expected
