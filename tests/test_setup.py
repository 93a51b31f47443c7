"""What set-up says when it cannot go on: exit code 2, and what to do."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = (
    "awk bash cat cut df dirname du flock grep head id ldconfig mkdir printf rm sed sh "
    "sha256sum tail tr"
)


@pytest.fixture
def bare(tmp_path):
    """A copy of the set-up scripts, and a PATH without compiler, CMake and Python."""
    clone, path = tmp_path / "clone", tmp_path / "bin"
    for folder in ("scripts", "requirements"):
        shutil.copytree(ROOT / folder, clone / folder)
    path.mkdir()
    for tool in TOOLS.split():
        (path / tool).symlink_to(shutil.which(tool, path="/usr/bin:/bin:/usr/sbin:/sbin"))
    return clone, path


def setup(clone: Path, path: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [path / "bash", "scripts/setup.sh"],
        cwd=clone,
        env={"PATH": str(path), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_without_apt_it_names_what_is_missing(bare):
    result = setup(*bare)
    assert result.returncode == 2
    assert line_count(result.stderr) == 1
    assert "g++ cmake make" in result.stderr and "python3-venv" in result.stderr


def test_a_python_that_is_too_old_is_named(bare):
    clone, path = bare
    script(path / "python3", 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    result = setup(clone, path)
    assert result.returncode == 2
    assert line_count(result.stderr) == 1
    assert "3.11 to 3.14, found Python 3.9.2" in result.stderr


def test_an_interpreter_that_is_not_there_is_named(bare):
    result = setup(*bare, PYTHON="/no/python3")
    assert result.returncode == 2
    assert result.stderr == "setup: expected an interpreter, got PYTHON='/no/python3'\n"


def test_a_path_with_spaces_is_refused(bare, tmp_path):
    clone, path = bare
    moved = clone.rename(tmp_path / "my clone")
    result = setup(moved, path)
    assert result.returncode == 2
    assert "without spaces" in result.stderr


def line_count(text: str) -> int:
    return len(text.strip().splitlines())
