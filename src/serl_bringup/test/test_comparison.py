"""`serl report`: what it finds in run folders, pools, and tells; what it trains."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from serl_bringup import comparison_runs
from serl_bringup.comparison import collect, groups, page
from serl_bringup.comparison_runs import train_missing
from serl_bringup.plot_comparison import plot_comparison
from serl_bringup.records import COLUMNS
from serl_bringup.run_folder import RunFolder
from serl_learner.config import ConfigError

RESULT = {
    "task": "pcb_insertion", "algorithm": "rlpd", "observations": "vision", "seed": 0,
    "demos": 20, "env_steps": 6000, "robot_minutes": 10.0, "success_rate": 0.98,
    "evaluation_episodes": 50, "cycle_time_s": 1.0, "demo_cycle_time_s": 4.5,
}  # fmt: skip


def run(path, **changes) -> RunFolder:
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("/**: {ros__parameters: {task: pcb_insertion}}")
    folder = RunFolder.open(path)
    folder.write_result(RESULT | changes)
    return folder


def write_episodes(folder: RunFolder, successes: str, length=100):
    rows = [",".join(COLUMNS)]
    for number, sign in enumerate(successes, start=1):
        values = dict.fromkeys(COLUMNS, 0) | {"env_steps": number * length, "success": sign == "#"}
        rows.append(",".join(str(float(values[column])) for column in COLUMNS))
    folder.episodes.write_text("\n".join(rows) + "\n")


@pytest.fixture
def runs(tmp_path):
    first = run(tmp_path / "rl0")
    write_episodes(first, "...." + "#" * 21)
    second = run(tmp_path / "rl1", seed=1, success_rate=0.5, cycle_time_s=2.0)
    write_episodes(second, "#." * 30)
    clone = {"algorithm": "bc", "demos": 100, "env_steps": 0, "robot_minutes": 0.0}
    return [
        second,
        run(tmp_path / "bc0", success_rate=0.1, cycle_time_s=6.0, **clone),
        first,
    ]


def test_seeds_are_pooled(runs):
    tasks = groups(collect(runs))
    assert list(tasks) == ["pcb_insertion"]
    rl, clone = tasks["pcb_insertion"]
    assert (rl.name, clone.name) == (
        "RL, 20 demonstrations, vision",
        "cloning, 100 demonstrations, vision",
    )
    assert [outcome.seed for outcome in rl.outcomes] == [0, 1]
    assert (rl.episodes, rl.success_rate, rl.cycle_time_s) == (100, 0.74, 1.5)
    # Wilson, by hand: centre (0.74 + 0.01921) / 1.03842, half 0.08436
    assert rl.success_interval == pytest.approx((0.6468, 0.8155), abs=1e-3)
    # 19 of 20 first after the 23rd episode: 2300 steps of 0.1 s
    assert [o.learned_minutes for o in rl.outcomes] == [pytest.approx(23 / 6), None]


def test_page_and_picture_show_each_way_and_the_ratios(runs, tmp_path):
    tasks, picture = groups(collect(runs)), tmp_path / "comparison.png"
    text = page(tasks, picture)
    assert "![success rates and cycle times](comparison.png)" in text
    rl, clone, ratio = (line for line in text.splitlines() if line.startswith("| pcb"))
    assert "0, 1 | 74% of 100 | 65% to 82% | 1.50 s (1.00 to 2.00) |" in rl
    assert rl.endswith("| 10.0 min | 3.8 min, not yet |")
    assert "10% of 50" in clone and clone.endswith("|  |  |")
    assert "| 7.4x | 4.0x faster | 10x, at least 2x faster, 100 % in 20 min |" in ratio
    plot_comparison(tasks, picture)
    assert Image.open(picture).size[1] > 400


def test_a_clone_that_never_succeeds_has_no_ratio(tmp_path):
    clone = {"algorithm": "bc", "demos": 100, "success_rate": 0.0, "cycle_time_s": None}
    folders = [run(tmp_path / "rl"), run(tmp_path / "bc", **clone)]
    tasks = groups(collect(folders))
    assert "| cloning never succeeds |  |" in page(tasks, tmp_path / "a.png")
    assert "none succeeded" in page(tasks, tmp_path / "a.png")
    plot_comparison(tasks, tmp_path / "a.png")


def test_what_is_seen_is_compared_with_what_is_seen(tmp_path):
    clone = {"algorithm": "bc", "demos": 100, "observations": "state"}
    folders = [run(tmp_path / "rl"), run(tmp_path / "bc", **clone)]
    assert "RL against cloning: success" not in page(groups(collect(folders)), tmp_path / "a.png")


def test_a_run_that_was_stopped_counts_once_it_is_evaluated(tmp_path):
    folder = run(tmp_path / "rl", success_rate=None, evaluation_episodes=None)
    with pytest.raises(ConfigError, match=r"rl: expected an evaluation in it: serl evaluate .*rl$"):
        collect([folder])
    changed = RESULT | {"evaluation_set": ["gains=x"]}
    (folder.path / "evaluation.json").write_text(json.dumps(changed))
    with pytest.raises(ConfigError, match="expected an evaluation"):  # of another environment
        collect([folder])
    (folder.path / "evaluation.json").write_text(json.dumps(RESULT))
    assert collect([folder])[0].successes == 49


class Trainings:
    """In place of `serl train`: writes what it would leave, and keeps how it was called."""

    def __init__(self, code=0, rate=1.0):
        self.calls, self._code, self._rate = [], code, rate

    def __call__(self, command):
        words = [*map(str, command[len(comparison_runs.SERL) :])]
        self.calls.append(words)
        path = Path(words[words.index("--run-dir") + 1])
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.yaml").write_text("/**: {ros__parameters: {task: pcb_insertion}}")
        RunFolder(path).write_result(RESULT | {"success_rate": self._rate})
        return subprocess.CompletedProcess(command, self._code)


def test_only_what_is_missing_is_trained(tmp_path, monkeypatch):
    trainings = Trainings()
    monkeypatch.setattr(comparison_runs.subprocess, "run", trainings)
    wanted = ["pcb_insertion"], [0, 1], 50, tmp_path, ["--set=actor.max_steps=9"]
    folders = train_missing(*wanted)
    assert [folder.path.name for folder in folders] == [
        *("rl-seed0", "cloning-50-seed0", "rl-seed1", "cloning-50-seed1"),
    ]
    first, second, *_ = trainings.calls
    path = str(tmp_path / "pcb_insertion" / "rl-seed0")
    options = ["--set=actor.max_steps=9", "--run-dir", path]
    assert first == ["train", "pcb_insertion", "--seed", "0", *options]
    assert second[2:6] == ["--algorithm", "bc", "--demos", "50"]
    train_missing(*wanted)
    assert len(trainings.calls) == 4


def test_a_training_that_was_stopped_is_gone_on_with(tmp_path, monkeypatch):
    trainings = Trainings(rate=None)
    monkeypatch.setattr(comparison_runs.subprocess, "run", trainings)
    wanted = ["pcb_insertion"], [0], 50, tmp_path, []
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"rl-seed0: stopped; the same command goes on"):
            train_missing(*wanted)
    assert [words[1] for words in trainings.calls] == ["pcb_insertion", "--resume"]


def test_a_training_that_fails_ends_the_comparison(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison_runs.subprocess, "run", Trainings(code=2))
    with pytest.raises(ConfigError, match=r"rl-seed0: expected a training that ends, got exit co"):
        train_missing(["pcb_insertion"], [0], 50, tmp_path, [])


def test_a_task_that_is_not_there_is_told_before_anything_is_trained(tmp_path):
    with pytest.raises(ConfigError, match="unknown task 'pcb'"):
        train_missing(["pcb_insertion", "pcb"], [0], 50, tmp_path, [])
    assert not list(tmp_path.iterdir())


def test_the_command_without_anything_to_compare_is_one_line():
    command = [sys.executable, "-c", "from serl_bringup.cli import main; main()", "report"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "serl: report: expected RUN_DIR..., or --tasks\n"
