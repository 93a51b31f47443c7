import math
import threading

import numpy as np
import pytest

from serl_actor.actor_diagnostics import PaceDiagnostic, faults, policy
from serl_actor.faults import Fault
from serl_actor.latest_policy import LatestPolicy, Waiter
from serl_actor.pulse import Pulse
from serl_actor.robot_diagnostics import REASONS, camera, controller
from serl_actor.robot_link import CameraPulse, RobotState
from serl_learner.diagnostics import Level
from serl_msgs.msg import ControllerState

NOW_NS = 1_000_000_000_000


def pulsing(rate_hz, *starts_s):
    pulse = Pulse(rate_hz, lambda: 100.0)
    pulse.begin_episode()
    for start_s in starts_s:
        pulse.step(start_s)
    return pulse


def test_the_rate_is_that_of_the_steps_since_the_last_look():
    pulse, look = pulsing(10.0, 0.0, 0.1, 0.204, 0.3), PaceDiagnostic()
    found = look.look(pulse)
    assert (found.level, found.message) == (Level.OK, "10.0 Hz")
    pulse.begin_episode()  # a reset is no period
    for start_s in (9.0, 9.2, 9.4, 9.5):
        pulse.step(start_s)
    found = look.look(pulse)
    assert found.level is Level.WARN
    assert found.message.startswith("33 % of the steps on time, 6.0 of 10.0 Hz: stop other")
    assert look.look(pulse).message == "between two episodes, or waits"


def test_without_a_rate_none_is_late():
    found = PaceDiagnostic().look(pulsing(0.0, 0.0, 0.02, 0.5))
    assert (found.level, found.message) == (Level.OK, "4.0 Hz, as it can")


def test_a_fault_lasts_until_a_step_is_made():
    now = [5.0]
    pulse = Pulse(10.0, lambda: now[0])
    assert faults(pulse).message == "none so far"
    pulse.failed(Fault("camera wrist_1: black"))
    now[0] = 8.0
    pulse.failed(Fault("camera wrist_1: late"))
    now[0] = 9.0
    failing = faults(pulse)
    assert (failing.level, failing.message) == (Level.ERROR, "for 4 s: camera wrist_1: late")
    pulse.works()
    works = faults(pulse)
    assert (works.level, works.message) == (Level.OK, "works; the last one: camera wrist_1: late")
    assert works.values["last fault's age (s)"] == 1.0 and works.values["faults (count)"] == 2


@pytest.mark.parametrize(
    ("steps", "latency_s", "level", "words"),
    [
        (140, 0.01, Level.OK, "40 transitions old"),
        (201, 0.01, Level.WARN, "101 transitions old: the learner does not keep up"),
        (140, 1.5, Level.WARN, "took 1.5 s to arrive"),
        (140, -0.3, Level.WARN, "the learner's clock is 0.30 s ahead"),
    ],
)
def test_policy(steps, latency_s, level, words):
    source = LatestPolicy(Waiter(threading.Event().is_set, print), 0, 0)
    assert policy("policy", source, 0, may_miss=False).level is Level.STALE
    assert policy("policy", source, 0, may_miss=True).level is Level.OK
    source.put(object(), version=7, env_steps=100, latency_s=latency_s)
    found = policy("policy", source, steps, may_miss=False)
    assert found.level is level and found.message.startswith(words)


def state(reason=ControllerState.OK, age_s=0.01):
    zeros = np.zeros(7), np.zeros(6), np.zeros(6)
    return RobotState(NOW_NS - int(1e9 * age_s), *zeros, reason)


def test_every_reason_of_the_controller_has_words():
    names = [n for n in dir(ControllerState) if n.isupper() and n not in ("SLOT_TYPES",)]
    assert {getattr(ControllerState, n) for n in names} == set(REASONS)


@pytest.mark.parametrize(
    ("seen", "is_led", "level", "words"),
    [
        (None, True, Level.STALE, "says nothing"),
        (state(), True, Level.OK, "follows its target"),
        (state(age_s=0.3), True, Level.WARN, "its state is 0.30 s old"),
        (state(age_s=3.0), True, Level.ERROR, "silent for 3.0 s"),
        (state(age_s=-0.5), True, Level.WARN, "its clock is 0.50 s ahead"),
        (state(ControllerState.JOINT_LIMIT), True, Level.WARN, "a joint is close to its end"),
        (state(ControllerState.HARDWARE_ERROR), True, Level.ERROR, "fault, no torque"),
        (state(ControllerState.SECOND_PUBLISHER), True, Level.ERROR, "two publish target_pose"),
        (state(ControllerState.TARGET_STALE), True, Level.WARN, "holds: targets come too late"),
        (state(ControllerState.TARGET_STALE), False, Level.OK, "holds: nothing is asked of it"),
    ],
)
def test_controller(seen, is_led, level, words):
    found = controller(seen, NOW_NS, is_led)
    assert found.level is level and found.message.startswith(words)


@pytest.mark.parametrize(
    ("age_s", "late_s", "wrong", "rate_hz", "level", "words"),
    [
        (0.02, 0.01, "", 30.0, Level.OK, "30 Hz"),
        (math.nan, 0.0, "", 0.0, Level.STALE, "no picture on /eye: start its driver"),
        (3.0, 0.01, "", 0.0, Level.ERROR, "no picture for 3.0 s: look at its driver"),
        (0.4, 0.3, "", 30.0, Level.ERROR, "arrives 0.30 s late"),
        (0.02, -0.5, "", 30.0, Level.WARN, "its clock is 0.50 s ahead"),
        (0.02, 0.01, "", 20.0, Level.WARN, "20 Hz, it had 30: look at exposure"),
        (0.02, 0.01, "expected one of rgb8", 30.0, Level.ERROR, "refused: expected one of rgb8"),
    ],
)
def test_camera(age_s, late_s, wrong, rate_hz, level, words):
    newest_ns = None if math.isnan(age_s) else NOW_NS - int(1e9 * age_s)
    pulse = CameraPulse("/eye", 100, 0, newest_ns, late_s, wrong)
    found = camera("eye", pulse, rate_hz, 30.0, NOW_NS)
    assert found.level is level and found.message.startswith(words)
