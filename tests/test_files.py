"""What holds for all files: pinned versions, no package index, configurations that ROS 2 reads."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BUILT = {".git", ".venv", "build", "install", "log", "runs", "demos", "rewards"}


def requirements(name: str) -> set[str]:
    """The lines of a requirement file, without comments and extras."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return {re.sub(r"\[.*\]", "", line) for line in lines if line and not line.startswith("#")}


def test_every_requirement_is_pinned_once():
    lines = [re.split("==", line) for line in sorted(requirements("constraints.txt"))]
    assert all(len(line) == 2 for line in lines)
    pinned = [normalized(name) for name, _ in lines]
    assert len(pinned) == len(set(pinned))
    for file in ("base.txt", "dev.txt", "ros.txt"):
        missing = {normalized(name) for name in requirements(file)} - set(pinned)
        assert not missing, f"{file}: not in constraints.txt: {missing}"


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def text_files() -> Iterator[tuple[Path, str]]:
    for top in ROOT.iterdir():
        for path in [top, *top.rglob("*")] if top.name not in BUILT else []:
            if path.is_file() and path.suffix != ".pyc":
                yield path.relative_to(ROOT), path.read_text(errors="ignore")


def test_no_file_names_a_package_index():
    """Which index pip asks is for its own configuration to say."""
    hosts = ["pypi." + "org", "python" + "hosted", "download." + "pytorch", "index" + "-url"]
    wrong = [f"{path}: {host}" for path, text in text_files() for host in hosts if host in text]
    assert not wrong


@pytest.mark.parametrize("path", sorted(ROOT.glob("config/**/*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_is_a_ros_parameter_file(path):
    """One that rcl reads: no nulls, no empty maps or lists."""
    document = yaml.safe_load(path.read_text())
    for node, content in document.items():
        assert node.startswith("/")
        assert list(content) == ["ros__parameters"]
        assert not list(empty_values(content["ros__parameters"]))


def empty_values(value, where: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from empty_values(item, f"{where}.{key}")
    elif value is None or value in ({}, []):
        yield where
