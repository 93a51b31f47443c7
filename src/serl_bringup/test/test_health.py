from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from serl_bringup.health import Health
from serl_learner.diagnostics import Level


def said(**levels):
    """Names with _ for a space, after "actor: " unless they name their node."""
    status = [
        DiagnosticStatus(level=bytes([level]), name=name.replace("__", ": "), message="so it is")
        for name, level in levels.items()
    ]
    return DiagnosticArray(status=status)


class Times:
    now = 0.0

    def __call__(self):
        return self.now


def test_only_what_lasts_is_told_and_the_worst_of_it():
    clock = Times()
    health = Health(clock)
    assert health.worst() == (Level.OK, "")
    health.take(said(actor__pace=1, actor__policy=3, learner__lag=0))
    assert health.worst() == (Level.OK, "")
    clock.now = 2.0
    health.take(said(actor__pace=1, actor__policy=3, learner__lag=2))
    assert health.worst() == (Level.WARN, "actor: pace: so it is")
    clock.now = 4.0
    health.take(said(actor__pace=0, actor__policy=3, learner__lag=2))
    assert health.worst() == (Level.ERROR, "learner: lag: so it is")
    health.take(said(learner__lag=0))
    assert health.worst() == (Level.STALE, "actor: policy: so it is")
    health.take(said(actor__policy=0))
    assert health.worst() == (Level.OK, "")


def test_the_robots_own_word_comes_first():
    clock = Times()
    health = Health(clock)
    health.take(said(actor__camera=1, robot_node__time=1, zebra__lag=1))
    clock.now = 3.0
    assert health.worst()[1] == "robot_node: time: so it is"


def test_a_node_that_falls_silent_is_an_error():
    clock = Times()
    health = Health(clock)
    health.take(said(learner__lag=0))
    clock.now = 11.0
    assert health.worst() == (Level.ERROR, "learner: says nothing for 11 s: see its log")
