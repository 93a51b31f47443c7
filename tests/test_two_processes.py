"""Learner and actor in two processes: everything arrives once and in order, whatever is killed."""

import signal
import statistics
from itertools import pairwise
from pathlib import Path

import pytest
from mcap.reader import make_reader
from running import log_path, parameters, read_log, wait_for_log

from serl_msgs.msg import LearnerStatus

pytestmark = [pytest.mark.ros, pytest.mark.slow]

LEARNER = "serl_learner.learner_node"
ACTOR = "serl_actor.actor_node"


def assert_complete(task, statuses, steps):
    """The learner has what the log has, and the log has every step of the run, in order."""
    status = statuses.wait_for(lambda s: s.env_steps >= steps)
    assert (status.env_steps, status.missing) == (steps, 0)
    log = read_log(task)
    assert [t.sequence for t in log] == list(range(steps))
    for before, after in pairwise(log):
        ended = before.terminated or before.truncated
        assert after.step == (0 if ended else before.step + 1)
        assert after.episode == before.episode + ended
    assert log[-1].truncated


@pytest.mark.parametrize("order", [(LEARNER, ACTOR), (ACTOR, LEARNER)], ids=["learner", "actor"])
def test_either_may_start_first(tmp_path, start, statuses, order):
    task = parameters(tmp_path, max_steps=120)
    first = start(order[0], task)
    if order[0] == ACTOR:
        first.wait_for_text("waiting for the learner")
    else:
        statuses.wait_for(lambda s: s.agent == "agent")
    second = start(order[1], task)
    learner, actor = (first, second) if order[0] == LEARNER else (second, first)
    assert actor.wait() == 0, actor.text
    assert_complete(task, statuses, 120)
    assert read_log(task)[-1].policy_version >= 50  # weights came back while it acted
    assert learner.interrupt() == 0, learner.text
    status = statuses.wait_for(lambda s: s.state == LearnerStatus.STOPPED)
    assert status.critic_steps == 90  # one for each step after training_starts
    latency_s = statistics.median(statuses.policy_latencies_s)
    print(f"policy latency: {1e3 * latency_s:.1f} ms (median)")
    assert latency_s < 1.0


def test_the_learner_is_killed(tmp_path, start, statuses):
    task = parameters(tmp_path, max_steps=600)
    learner, actor = start(LEARNER, task), start(ACTOR, task)
    wait_for_log(task, 80)
    learner.kill()
    actor.wait_for_text("waiting for the learner: transition")
    steps = len(read_log(task))
    assert 80 <= steps < 600
    learner = start(LEARNER, task, "-p", "run.resume:=true")
    assert actor.wait() == 0, actor.text
    assert_complete(task, statuses, 600)
    assert statuses.learner.backfilled >= steps
    assert learner.interrupt() == 0, learner.text
    status = statuses.wait_for(lambda s: s.state == LearnerStatus.STOPPED)
    assert (status.env_steps, status.critic_steps) == (600, 570)  # nothing was counted twice


def test_the_actor_is_killed(tmp_path, start, statuses):
    task = parameters(tmp_path, max_steps=600)
    learner, actor = start(LEARNER, task), start(ACTOR, task)
    wait_for_log(task, 80)
    actor.kill()
    steps = len(read_log(task))
    assert 80 <= steps < 600
    actor = start(ACTOR, task)
    assert actor.wait() == 0, actor.text
    status = statuses.wait_for(lambda s: s.env_steps >= 600)
    assert (status.env_steps, status.missing) == (600, 0)
    log = read_log(task)
    assert [t.sequence for t in log] == list(range(600))
    assert (log[steps].step, log[steps].episode) == (0, log[steps - 1].episode + 1)
    assert learner.interrupt() == 0, learner.text


def test_at_a_fixed_rate_the_actor_goes_on_without_the_learner(tmp_path, start, statuses):
    task = parameters(tmp_path, max_steps=400, control_rate_hz=50.0)
    learner, actor = start(LEARNER, task), start(ACTOR, task)
    wait_for_log(task, 40)
    learner.kill()
    steps = len(read_log(task))
    wait_for_log(task, steps + 50)
    learner = start(LEARNER, task, "-p", "run.resume:=true")
    assert actor.wait() == 0, actor.text
    assert_complete(task, statuses, 400)
    assert statuses.learner.backfilled >= steps + 50


def test_nodes_share_no_memory_that_one_could_leave_broken(tmp_path, start, statuses):
    learner = start(LEARNER, parameters(tmp_path))
    statuses.wait_for(lambda s: s.agent == "agent")
    mapped = Path(f"/proc/{learner.process.pid}/maps").read_text()
    assert "libfastdds" in mapped and "/dev/shm/fastdds" not in mapped


def test_nodes_listen_on_the_loopback_interface_alone(tmp_path, start, statuses):
    learner = start(LEARNER, parameters(tmp_path))
    statuses.wait_for(lambda s: s.agent == "agent")
    learner.process.send_signal(signal.SIGSTOP)  # what it has open stays so while it is read
    process = Path("/proc", str(learner.process.pid))
    opened = {str(descriptor.readlink()) for descriptor in (process / "fd").iterdir()}
    table = [line.split() for line in (process / "net" / "udp").read_text().splitlines()[1:]]
    addresses = {row[1].split(":")[0] for row in table if f"socket:[{row[9]}]" in opened}
    assert addresses == {"0100007F"}  # 127.0.0.1


def test_two_actors_feed_one_learner(tmp_path, start, statuses):
    task = parameters(tmp_path, max_steps=100)
    learner = start(LEARNER, task)
    actors = [start(ACTOR, task, "-r", f"__node:={name}") for name in ("left", "right")]
    assert [actor.wait() for actor in actors] == [0, 0]
    status = statuses.wait_for(lambda s: s.env_steps >= 200)
    assert (status.env_steps, status.missing) == (200, 0)
    for name in ("left", "right"):
        assert [t.sequence for t in read_log(task, name)] == list(range(100))
    assert learner.interrupt() == 0, learner.text


def test_an_interrupted_actor_closes_its_episode_and_its_log(tmp_path, start, statuses):
    task = parameters(tmp_path, max_steps=100_000)
    start(LEARNER, task)
    actor = start(ACTOR, task)
    statuses.wait_for(lambda s: s.env_steps >= 40)
    assert actor.interrupt() == 0, actor.text
    log = read_log(task)
    assert log[-1].truncated
    with log_path(task).open("rb") as file:
        assert make_reader(file).get_summary().statistics.message_count == len(log)
    status = statuses.wait_for(lambda s: s.env_steps >= len(log))
    assert status.env_steps == len(log)


def test_refuses_a_second_learner_and_a_second_actor(tmp_path, start, statuses):
    task = parameters(tmp_path, max_steps=100_000)
    start(LEARNER, task)
    start(ACTOR, task)
    statuses.wait_for(lambda s: s.env_steps >= 1)
    (tmp_path / "second").mkdir()
    other = parameters(tmp_path / "second", max_steps=10)
    learner, actor = start(LEARNER, other), start(ACTOR, other)
    assert learner.wait() == 2
    assert actor.wait() == 2
    assert learner.text.startswith("agent /agent already has a learner in ROS domain ")
    assert actor.text.startswith("agent /agent already has an actor 'actor' in ROS domain ")
    assert learner.text.count("\n") == actor.text.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-p", "actor.max_steps:=many"], "actor.max_steps: expected int, got 'many'"),
        (["-p", "actor.speed:=3"], "actor.speed: unknown"),
        (["-p", "run.directory:=''"], "run.directory"),
        (["-p", "environment.id:=Pendulum-v99"], "environment.id: 'Pendulum-v99'"),
    ],
    ids=["type", "key", "directory", "environment"],
)
def test_bad_configuration_is_one_line_and_exit_code_2(tmp_path, start, arguments, complaint):
    actor = start(ACTOR, parameters(tmp_path), *arguments)
    assert actor.wait() == 2
    assert actor.text.startswith(complaint)
    assert actor.text.count("\n") == 1
