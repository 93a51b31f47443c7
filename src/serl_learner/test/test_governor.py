"""The pace: critic steps per transition, over warm-up, fractions and resumption."""

import pytest

from serl_learner.governor import Governor


def receive(governor: Governor, first: int, count: int, actor: str = "a") -> None:
    for sequence in range(first, first + count):
        governor.receive(actor, sequence)


def work_off(governor: Governor) -> int:
    steps = 0
    while governor.due:
        governor.critic_step()
        steps += 1
    return steps


@pytest.mark.parametrize(
    ("utd_ratio", "steps"),
    [(4.0, [4, 4, 4, 4]), (0.5, [0, 1, 0, 1]), (1.5, [1, 2, 1, 2])],
)
def test_each_transition_after_the_warm_up_is_worth_the_ratio(utd_ratio, steps):
    governor = Governor(training_starts=3, utd_ratio=utd_ratio, free_running=False)
    receive(governor, 0, 3)
    assert not governor.due and governor.waiting_for == ""
    made = []
    for sequence in range(3, 7):
        governor.receive("a", sequence)
        made.append(work_off(governor))
    assert made == steps


def test_warm_up_is_told():
    governor = Governor(3, 1.0, False)
    receive(governor, 0, 1)
    assert governor.waiting_for == "2 more transitions"


def test_learned_steps_lag_while_updates_are_owed():
    governor = Governor(2, 4.0, False)
    receive(governor, 0, 2)
    assert governor.learned_steps == 2
    receive(governor, 2, 3)
    assert governor.learned_steps == 2
    for expected in (2, 2, 2, 3, 3):
        governor.critic_step()
        assert governor.learned_steps == expected
    work_off(governor)
    assert governor.learned_steps == governor.env_steps == 5


def test_free_running_is_always_due_after_the_warm_up():
    governor = Governor(2, 4.0, True)
    receive(governor, 0, 1)
    assert not governor.due
    receive(governor, 1, 1)
    for _ in range(20):
        assert governor.due and governor.learned_steps == 2
        governor.critic_step()


def test_a_resumed_run_counts_nothing_twice_and_waits_for_its_replay():
    first = Governor(2, 4.0, False)
    receive(first, 0, 5, "a")
    receive(first, 0, 3, "b")
    for _ in range(6):
        first.critic_step()
    second = Governor(2, 4.0, False)
    second.restore(first.state())
    assert second.env_steps == 8 and not second.due
    receive(second, 0, 5, "a")
    assert second.waiting_for == "the earlier transitions of b"
    receive(second, 0, 2, "b")
    assert not second.due
    receive(second, 2, 1, "b")
    assert second.env_steps == 8
    assert work_off(second) == work_off(first) == (8 - 2) * 4 - 6
    receive(second, 5, 1, "a")
    assert second.env_steps == 9 and work_off(second) == 4


def test_a_torn_log_does_not_stall_the_resumed_run():
    governor = Governor(0, 1.0, False)
    governor.restore({"env_steps": 5, "credit": 0.0, "next_sequence": {"a": 5}})
    receive(governor, 0, 4)  # the fifth was lost with the actor
    assert governor.waiting_for
    receive(governor, 4, 2)
    assert governor.env_steps == 6 and work_off(governor) == 1
