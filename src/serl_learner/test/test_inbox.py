import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serl_learner.inbox import Inbox
from serl_learner.transition import Transition


def transition(sequence, actor="a"):
    return Transition(
        agent="agent",
        actor=actor,
        sequence=sequence,
        episode=0,
        step=sequence,
        observation={"pose": np.zeros(1, np.float32)},
        action=np.zeros(1, np.float32),
        reward=0.0,
        terminated=False,
        truncated=False,
    )


class Log:
    """An actor's log: remembers what was asked for, and answers when told to."""

    def __init__(self):
        self.asked = []

    def __call__(self, actor, first, last):
        self.asked.append((actor, first, last))

    def answer(self, inbox, next_sequence, now, pieces=1000):
        actor, first, last = self.asked.pop()
        numbers = range(first, min(last + 1, first + pieces, next_sequence))
        inbox.fetched(actor, [(n, transition(n, actor)) for n in numbers], next_sequence, now)


def put(inbox, *sequences, actor="a", now=0.0):
    return [inbox.put(actor, n, transition(n, actor), now) for n in sequences]


def numbers(transitions):
    return [t.sequence for t in transitions]


def test_in_order_comes_out_at_once():
    log = Log()
    inbox = Inbox(log)
    put(inbox, 0, 1, 2)
    assert numbers(inbox.poll(0.0)) == [0, 1, 2]
    assert inbox.poll(0.0) == []
    assert (log.asked, inbox.missing, inbox.backfilled) == ([], 0, 0)


def test_duplicates_are_delivered_once():
    inbox = Inbox(Log())
    assert put(inbox, 0, 0, 1, 0, 3, 3) == [True, False, True, False, True, False]
    assert numbers(inbox.poll(0.0)) == [0, 1]


def test_a_gap_holds_what_follows_until_it_is_filled():
    log = Log()
    inbox = Inbox(log)
    put(inbox, 0, 3, 4, 6)
    assert numbers(inbox.poll(0.0)) == [0]
    assert log.asked == [("a", 1, 2)]
    assert inbox.missing == 3  # 1, 2, 5
    assert inbox.poll(0.1) == []  # the fetch is under way: it is not made twice
    log.answer(inbox, next_sequence=7, now=0.2)
    assert numbers(inbox.poll(0.2)) == [1, 2, 3, 4]
    assert log.asked == [("a", 5, 5)]
    log.answer(inbox, next_sequence=7, now=0.3)
    assert numbers(inbox.poll(0.3)) == [5, 6]
    assert (inbox.missing, inbox.backfilled) == (0, 3)


def test_replies_in_pieces():
    log = Log()
    inbox = Inbox(log)
    put(inbox, 5)
    inbox.poll(0.0)
    log.answer(inbox, next_sequence=6, now=0.0, pieces=2)
    assert numbers(inbox.poll(0.0)) == [0, 1]
    assert log.asked == [("a", 2, 4)]
    log.answer(inbox, next_sequence=6, now=0.0, pieces=2)
    assert numbers(inbox.poll(0.0)) == [2, 3]


def test_failures_empty_replies_and_silence_are_tried_again_later():
    log = Log()
    inbox = Inbox(log, retry_s=1.0, timeout_s=10.0)
    put(inbox, 1)
    inbox.poll(0.0)
    inbox.failed("a", now=0.0)
    inbox.poll(0.9)
    assert len(log.asked) == 1
    inbox.poll(1.0)
    assert len(log.asked) == 2
    inbox.fetched("a", [], next_sequence=2, now=1.0)  # the log does not have it yet
    inbox.poll(1.9)
    assert len(log.asked) == 2
    inbox.poll(2.0)
    assert len(log.asked) == 3
    inbox.poll(11.9)
    assert len(log.asked) == 3
    inbox.poll(12.0)  # no answer in 10 s
    inbox.poll(13.0)
    assert log.asked == [("a", 0, 0)] * 4


def test_a_learner_that_starts_late_fetches_from_the_beginning():
    log = Log()
    inbox = Inbox(log)
    put(inbox, 500, 501)
    assert inbox.poll(0.0) == []
    assert log.asked == [("a", 0, 499)]
    log.answer(inbox, next_sequence=502, now=0.0)
    assert numbers(inbox.poll(0.0)) == list(range(502))


def test_an_actor_that_starts_again_goes_on_with_its_numbers():
    inbox = Inbox(Log())
    put(inbox, *range(5))
    assert len(inbox.poll(0.0)) == 5
    put(inbox, 5, now=60.0)
    assert numbers(inbox.poll(60.0)) == [5]


def test_a_quiet_actor_is_asked_for_what_was_lost_at_the_end():
    log = Log()
    inbox = Inbox(log, quiet_s=1.0)
    put(inbox, 0, now=5.0)
    inbox.poll(5.9)
    assert log.asked == []
    inbox.poll(6.0)
    assert log.asked == [("a", 1, 1)]
    log.answer(inbox, next_sequence=4, now=6.0)
    assert numbers(inbox.poll(6.0)) == [1]
    assert inbox.missing == 2
    assert log.asked == [("a", 2, 3)]


def test_an_actor_that_is_only_known_is_asked():
    log = Log()
    inbox = Inbox(log)
    inbox.known("a")
    inbox.poll(100.0)
    assert log.asked == [("a", 0, 0)]


def test_actors_are_apart():
    inbox = Inbox(Log())
    put(inbox, 0, actor="a")
    put(inbox, 1, actor="b")
    put(inbox, 1, actor="a")
    assert [(t.actor, t.sequence) for t in inbox.poll(0.0)] == [("a", 0), ("a", 1)]
    assert inbox.missing == 1


def test_a_refused_transition_keeps_its_place_but_is_not_delivered():
    inbox = Inbox(Log())
    inbox.put("a", 1, None, 0.0)
    put(inbox, 0, 2)
    assert numbers(inbox.poll(0.0)) == [0, 2]
    assert inbox.missing == 0


def test_holds_no_more_than_its_limit_and_fetches_the_rest():
    log = Log()
    inbox = Inbox(log, limit=2)
    put(inbox, 1, 2, 3, 4)
    inbox.poll(0.0)
    log.answer(inbox, next_sequence=5, now=0.0)
    assert numbers(inbox.poll(0.0)) == [0, 1, 2]
    assert log.asked == [("a", 3, 4)]


def test_complains_of_the_log_of_another_run():
    log = Log()
    inbox = Inbox(log)
    put(inbox, *range(10))
    inbox.poll(100.0)
    assert inbox.complaint == ""
    inbox.fetched("a", [], next_sequence=3, now=100.0)
    assert "actor 'a' has a transition log of 3 transitions, but 10" in inbox.complaint
    assert inbox.missing == 0


def test_does_not_complain_when_the_reply_is_overtaken():
    log = Log()
    inbox = Inbox(log)
    put(inbox, 0)
    inbox.poll(100.0)
    put(inbox, 1, 2, now=100.0)  # while the reply below is on its way
    inbox.fetched("a", [], next_sequence=1, now=100.0)
    assert inbox.complaint == ""


@given(
    total=st.integers(1, 40),
    lost=st.sets(st.integers(0, 39)),
    copies=st.lists(st.integers(0, 39), max_size=20),
    shuffle=st.randoms(use_true_random=False),
    pieces=st.integers(1, 7),
    limit=st.integers(1, 10),
)
def test_every_transition_is_delivered_exactly_once_in_order(
    total, lost, copies, shuffle, pieces, limit
):
    arrivals = [n for n in [*range(total), *copies] if n < total and n not in lost]
    shuffle.shuffle(arrivals)
    log, now, delivered = Log(), 0.0, []
    inbox = Inbox(log, limit=limit)
    inbox.known("a")
    for sequence in arrivals:
        put(inbox, sequence, now=now)
        delivered += inbox.poll(now)
        outcome = shuffle.random()
        if log.asked and outcome < 0.3:
            log.asked.clear()
            inbox.failed("a", now)
        elif log.asked and outcome < 0.6:
            log.answer(inbox, total, now, pieces)
        now += 0.5
    for _ in range(3 * total + 3):  # the fetches answer
        delivered += inbox.poll(now)
        while log.asked:
            log.answer(inbox, total, now, pieces)
        now += 1.0
    assert numbers(delivered) == list(range(total))
    assert inbox.missing == 0
