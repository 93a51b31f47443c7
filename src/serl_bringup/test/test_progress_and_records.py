import math
import time

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from serl_bringup import live_view
from serl_bringup.plot import _rolling_mean, plot_learning_curves
from serl_bringup.progress import Progress
from serl_bringup.records import Records, read_episodes
from serl_bringup.run import AgentRun, Run
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import load_task
from serl_learner.config import ConfigError
from serl_learner.diagnostics import Level
from serl_msgs.msg import EpisodeSummary, LearnerStatus


def episode(number, length=10, success=True, discarded=False, rescued=False):
    return EpisodeSummary(
        episode=number, last_sequence=(number + 1) * length - 1, length=length, success=success,
        episode_return=float(success), discarded=discarded, policy_latency_s=math.nan,
        on_time_share=math.nan, rescued=rescued,
    )  # fmt: skip


def test_progress_counts_what_the_messages_say():
    progress = Progress(control_period_s=0.1, has_success=True)
    for number in range(25):
        progress.episode(episode(number, success=number >= 10))
    assert (progress.episodes, progress.env_steps) == (25, 250)
    assert progress.recent_success_rate == 15 / 20  # the last 20 episodes only
    assert progress.robot_minutes == pytest.approx(250 * 0.1 / 60)
    assert not progress.policy_latencies_s  # NaN: no policy had arrived


def test_an_episode_that_was_discarded_is_neither_a_success_nor_a_failure(tmp_path):
    progress = Progress(control_period_s=0.1, has_success=True)
    records = Records(tmp_path / "episodes.csv", tmp_path / "events")
    for number in range(4):
        message = episode(number, success=number != 1, discarded=number == 1)
        progress.episode(message)
        records.episode(message, progress.recent_success_rate, wall_minutes=1.0)
    records.close()
    assert (progress.episodes, progress.discarded, progress.env_steps) == (3, 1, 40)
    assert progress.recent_success_rate == 1.0
    assert [row["episode"] for row in read_episodes(tmp_path / "episodes.csv")] == [0, 2, 3]


def test_what_a_robot_drives_between_episodes_is_its_time_too():
    robot = Progress(control_period_s=0.1, has_success=True, drives_back=True)
    simulation = Progress(control_period_s=0.1, has_success=True)
    for progress in (robot, simulation):
        for number in range(3):
            message = episode(number)
            message.reset_s = 4.0
            progress.episode(message)
    assert robot.robot_minutes == pytest.approx((30 * 0.1 + 3 * 4.0) / 60)
    assert simulation.robot_minutes == pytest.approx(30 * 0.1 / 60)


def run_of(tmp_path, *names):
    """A run of 100 steps, in no folder."""
    task = load_task("gymnasium", overrides={"actor.max_steps": 100})
    folder = RunFolder(tmp_path)
    agents = [
        AgentRun(name, task, folder, Progress(control_period_s=0.1, has_success=True))
        for name in names
    ]
    return Run("pcb_insertion", folder, tuple(agents))


TRAINING = LearnerStatus(
    state=LearnerStatus.TRAINING, env_steps=40, critic_steps=160, utd_ratio=4.0
)


def test_the_view_shows_a_run_before_during_and_after(tmp_path):
    console = Console(record=True, width=110)
    run = run_of(tmp_path, "agent")
    console.print(live_view.render(run))
    progress = run.agents[0].progress
    progress.status(TRAINING)
    progress.episode(episode(0, length=50))
    console.print(live_view.render(run))
    text = console.export_text()
    assert "starting" in text and "50 / 100" in text and "4.00" in text and "100 %" in text
    assert "step 50/100" in live_view.text(run) and "nan" not in live_view.text(run)


def test_the_view_shows_what_is_worst(tmp_path):
    console = Console(record=True, width=110)
    run, worst = (
        run_of(tmp_path, "agent"),
        (Level.WARN, "robot_node: simulated at 0.81 of real time"),
    )
    console.print(live_view.render(run, *worst))
    assert worst[1] in console.export_text()
    assert live_view.text(run, *worst).splitlines()[1] == f"  WARN {worst[1]}"
    assert len(live_view.text(run).splitlines()) == 1


def test_the_view_shows_each_of_several_agents_and_all_together(tmp_path):
    console = Console(record=True, width=110)
    run = run_of(tmp_path, "forward", "backward")
    run.agents[0].progress.status(TRAINING)
    run.agents[0].progress.episode(episode(0, length=50, rescued=True))
    run.agents[1].progress.episode(episode(0, length=20, success=False))
    console.print(live_view.render(run))
    text = console.export_text()
    for wanted in ("forward", "backward", " 50 ", " 20 ", "70 / 100", "100 %", " 0 %"):
        assert wanted in text
    assert (run.env_steps, run.episodes, run.rescues) == (70, 2, 1)
    total, forward, backward = live_view.text(run).splitlines()
    assert total.startswith("step 70/100") and total.endswith("rescues 1")
    assert "forward: step 50 " in forward and "backward: step 20 " in backward


def test_episodes_survive_a_restart_and_plot(tmp_path):
    folder = RunFolder.create(tmp_path / "run", "task")
    for part in (range(0, 3), range(3, 6)):  # the second time as a resumed run
        records = Records(folder.episodes, folder.events)
        for number in part:
            message = episode(number, success=number > 2, rescued=number == 4)
            records.episode(message, 0.5, wall_minutes=1.5)
        records.close()
    rows = read_episodes(folder.episodes)
    resumed = Progress(control_period_s=0.1, has_success=True)
    resumed.go_on(rows)
    assert (resumed.env_steps, resumed.episodes, resumed.rescues) == (60, 6, 1)
    assert [row["env_steps"] for row in rows] == [10, 20, 30, 40, 50, 60]
    assert [row["success"] for row in rows] == [0, 0, 0, 1, 1, 1]
    plot_learning_curves([folder], folder.learning_curve)
    assert np.asarray(Image.open(folder.learning_curve)).std() > 1  # something is drawn


def test_a_plot_of_nothing_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"no episodes\.csv"):
        plot_learning_curves([RunFolder(tmp_path)], tmp_path / "curve.png")


def test_rolling_mean_of_fewer_at_the_start():
    assert _rolling_mean(np.array([1.0, 0.0, 0.5])).tolist() == [1.0, 0.5, 0.5]
    assert _rolling_mean(np.array([1.0] * 20 + [0.0] * 20))[-1] == 0.0


def test_what_comes_after_the_training_takes_no_wall_time():
    progress = Progress(0.1, has_success=True, started=time.monotonic() - 600.0)
    progress.ended = progress.started + 300.0
    assert progress.wall_minutes == 5.0
