"""Puts each actor's transitions into the order of their sequence numbers, each exactly once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from serl_learner.transition import Transition


@dataclass
class _Actor:
    """What is known of one actor."""

    expected: int = 0  # the sequence number that is delivered next
    exists: int = 0  # one more than the highest sequence number heard of
    held: dict[int, Transition | None] = field(default_factory=dict)  # those behind a gap
    asked_at: float | None = None  # when the fetch under way was asked for, s
    asked_from: int = 0  # its first number
    ask_after: float = 0.0  # no fetch before this time, s
    last_news: float = 0.0  # when something was last heard, s
    behind: bool = False  # its log has less than was received from it

    @property
    def gap_end(self) -> int:
        """The last number of the first gap: what to fetch, from `expected` on."""
        return min(self.held, default=self.exists) - 1


class Inbox:
    """Takes transitions in any order, with losses and repetitions; gives them in order.

    Gaps are asked for through `fetch(actor, first, last)`, which returns at once; its outcome comes
    back as `fetched` or `failed`. At most one fetch per actor is under way. Actors that have been
    quiet for `quiet_s` are asked too, which finds what was lost at the end, and actors that
    began before the learner. Times are in seconds, of the caller's clock.

    Not for several threads: one thread makes all calls.
    """

    def __init__(
        self,
        fetch: Callable[[str, int, int], None],
        *,
        limit: int = 1000,  # transitions held behind a gap; more are fetched again later
        retry_s: float = 1.0,
        timeout_s: float = 10.0,
        quiet_s: float = 1.0,
    ):
        self._fetch = fetch
        self._limit, self._retry_s, self._quiet_s = limit, retry_s, quiet_s
        self._timeout_s = timeout_s
        self._actors: dict[str, _Actor] = {}
        self._ready: list[Transition] = []
        self.backfilled = 0  # transitions delivered that were fetched

    @property
    def missing(self) -> int:
        """Transitions known to exist and not yet received."""
        return sum(
            max(actor.exists - actor.expected - len(actor.held), 0)
            for actor in self._actors.values()
        )

    @property
    def complaint(self) -> str:
        """One line if an actor's log cannot be the one of this run; otherwise empty."""
        for name, actor in self._actors.items():
            if actor.behind:
                return (
                    f"actor '{name}' has a transition log of {actor.exists} transitions, but"
                    f" {actor.expected} were received from it: it is not the log of this run"
                )
        return ""

    def known(self, actor: str) -> None:
        """An actor is there, even if nothing has arrived from it."""
        self._actors.setdefault(actor, _Actor())

    def put(self, actor: str, sequence: int, transition: Transition | None, now: float) -> bool:
        """One arrival; None for one that must not be used. False if it was there already."""
        self.known(actor)
        state = self._actors[actor]
        state.last_news = now
        state.exists = max(state.exists, sequence + 1)
        if sequence < state.expected or sequence in state.held:
            return False
        if sequence != state.expected and len(state.held) >= self._limit:
            return False
        state.held[sequence] = transition
        while state.expected in state.held:
            delivered = state.held.pop(state.expected)
            state.expected += 1
            if delivered is not None:
                self._ready.append(delivered)
        return True

    def fetched(
        self,
        actor: str,
        transitions: Iterable[tuple[int, Transition | None]],
        next_sequence: int,
        now: float,
    ) -> None:
        """The reply: (sequence, transition) pairs, and what the actor will number next."""
        state = self._actors[actor]
        new = sum(self.put(actor, *arrival, now) for arrival in transitions)
        self.backfilled += new
        state.asked_at, state.last_news = None, now
        state.behind = next_sequence < state.asked_from
        state.exists = next_sequence if state.behind else max(state.exists, next_sequence)
        state.ask_after = now if new else now + self._retry_s

    def failed(self, actor: str, now: float) -> None:
        """A fetch could not be made or answered; it is made again later."""
        state = self._actors[actor]
        state.asked_at, state.ask_after = None, now + self._retry_s

    def poll(self, now: float) -> list[Transition]:
        """What is in order, once; and asks for what is missing."""
        for name, actor in self._actors.items():
            if actor.asked_at is not None:
                if now - actor.asked_at < self._timeout_s:
                    continue
                self.failed(name, now)
            if now < actor.ask_after:
                continue
            quiet = now - actor.last_news >= self._quiet_s
            if actor.gap_end >= actor.expected or quiet:
                last = max(actor.gap_end, actor.expected)  # of a quiet actor: is there one more?
                actor.asked_at, actor.asked_from = now, actor.expected
                self._fetch(name, actor.expected, last)
        ready, self._ready = self._ready, []
        return ready
