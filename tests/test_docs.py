"""What the documentation tells to type and to write is understood."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from serl_actor.robot_env import RobotEnv
from serl_bringup import cli
from serl_bringup.task import load_task

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)?(#[^)]+)?\)")


def commands() -> Iterator[str]:
    """Each line that begins with `serl` in a block; brackets of what may be left out are gone."""
    for page in PAGES:
        for _, block in BLOCK.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\|", line.split("  #")[0].split(" # ")[0]):
                    if part.strip().startswith("serl "):
                        yield part.strip()


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_a_command_of_the_documentation_is_understood(line):
    arguments = shlex.split(line)[1:]
    assert callable(cli.make_parser().parse_args(arguments).command)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title)).lower() for title in titles)
    return {f"#{title.strip().replace(' ', '-')}" for title in kept}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for file, anchor in LINK.findall(page.read_text()):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {file}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.name}: {file}{anchor}"


def test_the_task_of_the_documentation_is_one(tmp_path):
    page = (ROOT / "docs/new_task.md").read_text()
    (text,) = (block for language, block in BLOCK.findall(page) if language == "yaml")
    file = tmp_path / "usb_insertion.yaml"
    file.write_text(text)
    task = load_task(str(file), robot="fr3")
    assert task.task == yaml.safe_load(text)["/**"]["ros__parameters"]["task"]
    task.save(tmp_path / "config.yaml")  # a ROS 2 parameter file
    assert load_task(str(tmp_path / "config.yaml")).environment == task.environment
    environment = RobotEnv(**task.environment.arguments, link=lambda *arguments: None)
    assert {"wrist_1", "wrist_2"} < set(environment.observation_space)
