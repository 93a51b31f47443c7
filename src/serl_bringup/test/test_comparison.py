"""`serl report`: what it finds in run folders, pools, and tells; what it trains."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from serl_bringup import comparison_runs
from serl_bringup.comparison import collect, groups, page
from serl_bringup.comparison_runs import Wanted, train_missing
from serl_bringup.plot_comparison import plot_comparison
from serl_bringup.records import COLUMNS
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import load_task, load_tasks, save_team
from serl_learner.config import ConfigError, RunConfig

RESULT = {
    "task": "pcb_insertion", "algorithm": "rlpd", "observations": "vision", "seed": 0,
    "demos": 20, "env_steps": 6000, "robot_minutes": 10.0, "success_rate": 0.98,
    "evaluation_episodes": 50, "cycle_time_s": 1.0, "demo_cycle_time_s": 4.5,
}  # fmt: skip
CLONE = {"algorithm": "bc", "demos": 100, "env_steps": 0, "robot_minutes": 0.0}


def run(path, config=None, **changes) -> RunFolder:
    path.mkdir(parents=True)
    (config or load_task("pcb_insertion")).save(path / "config.yaml")
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
    return [second, run(tmp_path / "bc0", success_rate=0.1, cycle_time_s=6.0, **CLONE), first]


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
    assert "| 7.4x | 4.0x as fast | 10x, at least 2x as fast, 100 % in 20 min |" in ratio
    plot_comparison(tasks, picture)
    assert Image.open(picture).size[1] > 400


def test_a_clone_that_never_succeeds_has_no_ratio(tmp_path):
    clone = CLONE | {"success_rate": 0.0, "cycle_time_s": None}
    folders = [run(tmp_path / "rl"), run(tmp_path / "bc", **clone)]
    tasks = groups(collect(folders))
    assert "| cloning never succeeds |  |" in page(tasks, tmp_path / "a.png")
    assert "none succeeded" in page(tasks, tmp_path / "a.png")
    plot_comparison(tasks, tmp_path / "a.png")


def test_what_is_seen_is_compared_with_what_is_seen(tmp_path):
    clone = CLONE | {"observations": "state"}
    folders = [run(tmp_path / "rl"), run(tmp_path / "bc", **clone)]
    assert "RL against cloning: success" not in page(groups(collect(folders)), tmp_path / "a.png")


def test_a_task_that_never_says_that_it_is_solved_is_not_compared(tmp_path):
    folder = run(tmp_path / "rl", success_rate=None)
    with pytest.raises(ConfigError, match=r"rl: expected a task that says when it is solved$"):
        collect([folder])


def test_a_run_that_was_stopped_counts_once_it_is_evaluated(tmp_path):
    folder = run(tmp_path / "rl")
    folder.write_result({"success_rate": None})
    with pytest.raises(ConfigError, match=r"rl: expected an evaluation in it: serl evaluate .*rl$"):
        collect([folder])
    changed = RESULT | {"evaluation_set": ["gains=x"]}
    (folder.path / "evaluation.json").write_text(json.dumps(changed))
    with pytest.raises(ConfigError, match="expected an evaluation"):  # of another environment
        collect([folder])
    (folder.path / "evaluation.json").write_text(json.dumps(RESULT))
    assert collect([folder])[0].successes == 49


def test_policies_that_always_succeed_can_be_drawn(tmp_path):
    """Wilson's upper bound of 200 of 200 is below 1 by rounding."""
    perfect = {"success_rate": 1.0, "evaluation_episodes": 100}
    folders = [run(tmp_path / str(seed), seed=seed, **perfect) for seed in (0, 1)]
    plot_comparison(groups(collect(folders)), tmp_path / "a.png")


def team(path, rates: dict) -> RunFolder:
    tasks = load_tasks("object_relocation")
    results = {}
    for name, rate in rates.items():
        each = {"task": f"object_relocation/{name}", "success_rate": rate}
        results[name] = RESULT | each | ({"cycle_time_s": None} if rate is None else {})
        run(path / name, tasks[name], **results[name])
    save_team(tasks, "object_relocation", RunConfig(), path / "config.yaml")
    folder = RunFolder.open(path)
    folder.write_result({"success_rate": 0.0, "agents": results})
    return folder


def test_of_several_agents_each_is_a_task_and_one_that_never_had_a_turn_has_no_episodes(tmp_path):
    tasks = groups(collect([team(tmp_path / "team", {"forward": 0.0, "backward": None})]))
    assert list(tasks) == ["object_relocation/backward", "object_relocation/forward"]
    (backward,), (forward,) = tasks.values()
    assert (forward.episodes, backward.episodes) == (50, 0)
    assert "0% of 0" in page(tasks, tmp_path / "a.png")
    plot_comparison(tasks, tmp_path / "a.png")


def test_the_same_folder_counts_once_and_a_seed_only_once(tmp_path):
    folder = run(tmp_path / "a")
    assert len(collect([folder, RunFolder.open(tmp_path / "a")])) == 1
    with pytest.raises(ConfigError, match=r"^pcb_insertion: expected one run of each seed, got"):
        groups(collect([folder, run(tmp_path / "b")]))


def test_runs_with_other_settings_are_not_pooled(tmp_path):
    task = load_task("pcb_insertion", overrides={"environment.arguments.arm": "ur5"})
    folders = [run(tmp_path / "a"), run(tmp_path / "b", task, seed=1)]
    with pytest.raises(ConfigError, match=r"b: expected the same settings, got others in env"):
        groups(collect(folders))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{torn", r"evaluation.json: expected JSON"),
        (json.dumps({"success_rate": 0.5}), r"a: result.json: expected robot_minutes in it"),
    ],
)
def test_a_result_that_is_broken_is_told_in_one_line(tmp_path, written, expected):
    folder = run(tmp_path / "a")
    folder.result.unlink()
    folder.evaluation.write_text(written)
    with pytest.raises(ConfigError, match=expected) as error:
        collect([folder])
    assert "\n" not in str(error.value)


WANTED = Wanted(["pcb_insertion"], [0], 50, overrides=["actor.max_steps=9"])


class Trainings:
    """In place of `serl train`: writes what it would leave, and keeps how it was called."""

    def __init__(self):
        self.calls, self.finishes, self.code = [], True, 0

    def __call__(self, command):
        words = [*map(str, command[len(comparison_runs.SERL) :])]
        self.calls.append(words)
        path = Path(words[words.index("--run-dir") + 1])
        path.mkdir(parents=True, exist_ok=True)
        WANTED.load("pcb_insertion")["agent"].save(path / "config.yaml")
        stopped = {"success_rate": None}
        RunFolder(path).write_result(RESULT if self.finishes else stopped)
        return self.code


@pytest.fixture
def trainings(monkeypatch):
    made = Trainings()
    monkeypatch.setattr(comparison_runs, "_call", made)
    return made


def test_only_what_is_missing_is_trained(tmp_path, trainings):
    folders = train_missing(replace(WANTED, seeds=[0, 1]), tmp_path)
    assert [folder.path.name for folder in folders] == [
        *("rl-seed0", "cloning-50-seed0", "rl-seed1", "cloning-50-seed1"),
    ]
    first, second, *_ = trainings.calls
    path = str(tmp_path / "pcb_insertion" / "rl-seed0")
    options = ["--set=actor.max_steps=9", "--run-dir", path]
    assert first == ["train", "pcb_insertion", "--seed", "0", *options]
    assert second[2:6] == ["--algorithm", "bc", "--demos", "50"]
    train_missing(replace(WANTED, seeds=[0, 1]), tmp_path)
    assert len(trainings.calls) == 4


def test_runs_with_other_settings_than_are_asked_for_are_refused(tmp_path, trainings):
    train_missing(WANTED, tmp_path)
    for other in ({"observations": "state"}, {"overrides": ["actor.max_steps=10"]}):
        with pytest.raises(ConfigError, match=r"rl-seed0: expected a run with the settings asked"):
            train_missing(replace(WANTED, **other), tmp_path)


def test_a_training_that_was_stopped_is_gone_on_with(tmp_path, trainings):
    trainings.finishes = False
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"rl-seed0: stopped; the same command goes on"):
            train_missing(WANTED, tmp_path)
    assert [words[1] for words in trainings.calls] == ["pcb_insertion", "--resume"]


def test_a_part_of_a_clone_is_made_anew(tmp_path, trainings):
    train_missing(WANTED, tmp_path)
    part = tmp_path / "pcb_insertion" / "cloning-50-seed0"
    (part / "result.json").unlink()
    (part / "rest").touch()
    train_missing(WANTED, tmp_path)
    assert trainings.calls[-1][1:4] == ["pcb_insertion", "--algorithm", "bc"]
    assert not (part / "rest").exists()


def test_a_training_that_fails_ends_the_comparison_with_its_code(tmp_path, trainings):
    trainings.code = 2
    with pytest.raises(SystemExit) as ending:
        train_missing(WANTED, tmp_path)
    assert ending.value.code == 2 and len(trainings.calls) == 1


def test_ctrl_c_and_sigterm_are_for_the_run_and_it_is_waited_for(tmp_path):
    """A run that needs a moment to stop, and says that it was asked to."""
    script = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "signal.pause()\n"
    )
    before = signal.getsignal(signal.SIGTERM)
    assert comparison_runs._call([sys.executable, "-c", script]) == 7
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"tasks": ["pcb_insertion", "pcb"]}, "unknown task 'pcb'"),
        ({"overrides": ["actor.max_step=9"]}, "actor.max_step: unknown"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(tmp_path, trainings, wrong, expected):
    with pytest.raises(ConfigError, match=expected):
        train_missing(replace(WANTED, **wrong), tmp_path)
    assert not list(tmp_path.iterdir())


def test_settings_of_runs_that_are_there_already_are_refused(tmp_path):
    run(tmp_path / "a")
    command = [sys.executable, "-c", "from serl_bringup.cli import main; main()", "report"]
    done = subprocess.run(
        [*command, str(tmp_path / "a"), "--seeds", "1"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "serl: --seeds: expected with --tasks alone, got it with run folders\n"


def test_the_command_without_anything_to_compare_is_one_line():
    command = [sys.executable, "-c", "from serl_bringup.cli import main; main()", "report"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "serl: report: expected RUN_DIR..., or --tasks\n"
