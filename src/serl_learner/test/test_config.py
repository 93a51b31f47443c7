"""Task files and sections: what is accepted, and the one line that tells what is not."""

from dataclasses import dataclass

import pytest

from serl_learner.config import ConfigError, RunConfig, from_dict, load_task_file


@dataclass(frozen=True)
class Section:
    rate: float = 1.0
    count: int = 2
    name: str = "a"
    on: bool = False
    pair: tuple[float, float] = (0.0, 1.0)
    sizes: tuple[int, ...] = (1,)
    limit: float | None = None
    arguments: dict = None


@dataclass(frozen=True)
class Required:
    size: int


def test_values_take_the_declared_types():
    section = from_dict(
        Section,
        {"rate": 3, "pair": [0, 2], "sizes": [4, 5, 6], "limit": 7, "arguments": {"x": [1]}},
        "f.yaml: s",
    )
    assert section == Section(3.0, 2, "a", False, (0.0, 2.0), (4, 5, 6), 7.0, {"x": [1]})
    assert isinstance(section.rate, float) and isinstance(section.pair[0], float)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"count": "abc"}, "f.yaml: s.count: expected int, got 'abc'"),
        ({"count": 1.5}, "f.yaml: s.count: expected int, got 1.5"),
        ({"count": True}, "f.yaml: s.count: expected int, got True"),
        ({"rate": True}, "f.yaml: s.rate: expected a finite float, got True"),
        ({"rate": float("nan")}, "f.yaml: s.rate: expected a finite float, got nan"),
        ({"on": 1}, "f.yaml: s.on: expected bool, got 1"),
        ({"pair": [1, 2, 3]}, "f.yaml: s.pair: expected a list of 2 floats, got [1, 2, 3]"),
        ({"pair": 1}, "f.yaml: s.pair: expected a list of 2 floats, got 1"),
        ({"sizes": [1, "b"]}, "f.yaml: s.sizes[1]: expected int, got 'b'"),
        ({"arguments": 3}, "f.yaml: s.arguments: expected dict, got 3"),
        ("text", "f.yaml: s: expected a mapping, got 'text'"),
    ],
)
def test_wrong_values_are_named(mapping, message):
    with pytest.raises(ConfigError) as error:
        from_dict(Section, mapping, "f.yaml: s")
    assert str(error.value) == message


def test_unknown_and_missing_keys_are_named():
    with pytest.raises(ConfigError, match=r"^f: s\.rat: unknown, expected one of rate, count"):
        from_dict(Section, {"rat": 1.0}, "f: s")
    with pytest.raises(ConfigError, match=r"^f: s\.size: missing, expected int$"):
        from_dict(Required, {}, "f: s")


def test_range_checks_of_a_section_are_told_with_their_place():
    with pytest.raises(ConfigError, match=r"^f: run\.seed: expected at least 0, got -1$"):
        from_dict(RunConfig, {"seed": -1}, "f: run")


def test_task_file_gives_its_sections(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text("/**:\n  ros__parameters:\n    task: t\n    rlpd: {rate: 3e-4, x: 1e3}\n")
    assert load_task_file(path) == {"task": "t", "rlpd": {"rate": 3e-4, "x": 1000.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", "line 2: "),
        ("a: b: c\n", "line 1: "),
        ("task: t\n", "expected '/\\*\\*: ros__parameters:'"),
        ("", "expected '/\\*\\*: ros__parameters:'"),
        ("/**:\n  ros__parameters: 3\n", "expected '/\\*\\*: ros__parameters:'"),
        ("/**:\n  ros__parameters:\n    a: \x00\n", "special characters"),
    ],
)
def test_malformed_task_files_are_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "task.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_task_file(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_missing_and_unreadable_task_files(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file$"):
        load_task_file(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_task_file(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\xd8\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_task_file(tmp_path / "binary.yaml")
