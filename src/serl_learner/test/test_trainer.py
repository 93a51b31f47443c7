"""The loop, driven by a scripted actor: pace, publication, reports, checkpoints, resumption."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from point_task import PointActor, demonstrator

from serl_learner.checkpoint import CheckpointStore
from serl_learner.config import ConfigError
from serl_learner.policy import from_bytes
from serl_learner.rlpd import NonFiniteLoss, RLPDConfig
from serl_learner.status import TrainerState
from serl_learner.trainer import LearnerConfig, Trainer

RLPD = RLPDConfig(hidden=(8,), ensemble=3)


def demonstrations(episodes=2) -> list:
    return PointActor(0, "demo").episodes(episodes, demonstrator(np.random.default_rng(0)))


def transitions(count: int, seed=1) -> list:
    actor, rng = PointActor(seed), np.random.default_rng(seed)
    return [actor.act(lambda observation: rng.uniform(-1, 1, 2)) for _ in range(count)]


class Harness:
    """A trainer with a script for its inbox, a clock that it moves, and lists for its outputs."""

    def __init__(
        self, script, prior=(), checkpoints=None, resume=False, encoder=None, vice=None, **config
    ) -> None:
        self.script = list(script)  # one list of transitions per call of `receive` that may wait
        self.time = 0.0
        self.idle_waits = 0
        self.published, self.reports, self.waits = [], [], []
        defaults = {"batch_size": 8, "training_starts": 20, "utd_ratio": 2.0}
        self.trainer = Trainer(
            LearnerConfig(**(defaults | config)),
            RLPD,
            list(prior),
            self.receive,
            self.published.append,
            self.reports.append,
            seed=0,
            checkpoints=checkpoints,
            resume=resume,
            encoder=encoder,
            vice=vice,
            clock=lambda: self.time,
        )

    def receive(self, timeout_s: float) -> list:
        self.time += 0.01
        self.waits.append(timeout_s)
        if timeout_s == 0.0:
            return []
        arrived = self.script.pop(0) if self.script else []
        if not arrived:
            self.time += timeout_s
            self.idle_waits += not self.script
        return arrived

    def run(self, idle_waits=1) -> "Harness":
        """Runs until the script is empty and so many waits gave nothing."""
        self.trainer.run(lambda: self.idle_waits >= idle_waits)
        return self

    @property
    def last(self):
        return self.reports[-1]


def one_by_one(items: list) -> list:
    return [[item] for item in items]


def test_keeps_the_ratio_exactly():
    last = Harness(one_by_one(transitions(50)), demonstrations()).run().last
    assert last.env_steps == 50
    assert last.critic_steps == 2 * (50 - 20)
    assert last.actor_steps == last.critic_steps // 4
    assert last.utd_ratio == 2.0
    assert last.state == TrainerState.STOPPED


def test_a_burst_is_worked_off_before_it_waits_again():
    harness = Harness([transitions(50)], demonstrations()).run()
    assert harness.last.critic_steps == 60
    waiting = [index for index, wait in enumerate(harness.waits) if wait > 0]
    assert waiting == [0, 60]  # the burst is followed by its 60 updates, polling in between
    assert max(harness.waits) <= 0.1  # so that `stop` is asked often enough


def test_batches_are_half_online_half_prior():
    harness = Harness([transitions(25)], demonstrations(), batch_size=8).run()
    batch = harness.trainer._sample()
    prior = {tuple(state) for state in harness.trainer._prior.states().tolist()}
    assert [tuple(state) in prior for state in batch.state.tolist()] == [False] * 4 + [True] * 4
    assert batch.demonstrated.tolist() == [0.0] * 4 + [1.0] * 4


def corrected(every: int, count=25) -> list:
    data = transitions(count)
    for transition in data[::every]:
        transition.intervened = True
    return data


def test_a_correction_is_also_one_of_those_that_were_shown():
    data = corrected(every=5)
    harness = Harness([data], demonstrations(), batch_size=400).run()
    batch = harness.trainer._sample()
    state = [tuple(row) for row in batch.state.tolist()]
    shown = Counter(state[200:])
    prior = {tuple(row) for row in harness.trainer._prior.states().tolist()}
    corrections = {tuple(t.observation["position"].tolist()) for t in data if t.intervened}
    assert shown.keys() <= prior | corrections and len(shown.keys() & corrections) == 5
    share = sum(shown[key] for key in corrections) / 200
    assert share == pytest.approx(5 / (5 + len(prior)), abs=0.1)  # each as often as the others
    assert batch.demonstrated.tolist() == [0.0] * 200 + [1.0] * 200


def test_without_demonstrations_corrections_are_half_of_the_batch():
    data = corrected(every=5)
    harness = Harness([data]).run()
    batch = harness.trainer._sample()
    corrections = {tuple(t.observation["position"].tolist()) for t in data if t.intervened}
    assert {tuple(row) for row in batch.state[4:].tolist()} <= corrections
    assert batch.demonstrated.tolist() == [0.0] * 4 + [1.0] * 4


def test_without_prior_data_everything_is_online_and_the_normaliser_is_measured_at_the_start():
    harness = Harness(one_by_one(transitions(40))).run()
    assert harness.last.prior_size == 0 and harness.last.critic_steps == 40
    first, warm, trained = (
        from_bytes(s.data).normalizer for s in np.array(harness.published)[[0, 2, -1]]
    )
    assert first.scale.tolist() == warm.scale.tolist() == [1.0, 1.0]
    # 21 transitions when the first update is due, of which 20 have their successor (or an end)
    states = np.stack([t.observation["position"] for t in transitions(20)])
    torch.testing.assert_close(trained.mean, torch.from_numpy(states.mean(axis=0)))


def test_normaliser_of_prior_data_is_in_version_0():
    data = demonstrations()
    harness = Harness([], data).run()
    states = np.stack([t.observation["position"] for t in data])
    policy = from_bytes(harness.published[0].data)
    torch.testing.assert_close(policy.normalizer.mean, torch.from_numpy(states.mean(axis=0)))


def test_publishes_version_0_then_every_period_also_during_warm_up():
    harness = Harness(one_by_one(transitions(50)), demonstrations(), publish_period=10).run()
    assert [(s.version, s.env_steps) for s in harness.published] == [
        (0, 0), (0, 10), (0, 20), (20, 30), (40, 40), (60, 50),
    ]  # fmt: skip


def test_a_warm_start_comes_before_the_first_policy_and_is_no_part_of_the_ratio():
    script = one_by_one(transitions(50))
    harness = Harness(script, demonstrations(), publish_period=10, warm_start=7).run()
    assert [(s.version, s.env_steps) for s in harness.published] == [
        (7, 0), (7, 10), (7, 20), (27, 30), (47, 40), (67, 50),
    ]  # fmt: skip
    assert (harness.last.critic_steps, harness.last.actor_steps) == (67, 67 // 4)
    assert harness.last.utd_ratio == 2.0
    assert Harness(script, warm_start=7).run().last.critic_steps == 60  # nothing to start from


def test_a_warm_start_is_made_once(tmp_path):
    script, data = transitions(50), demonstrations()
    whole = Harness(one_by_one(script), data, warm_start=7).run()
    store = CheckpointStore(tmp_path)
    Harness(one_by_one(script[:13]), data, store, warm_start=7).run()
    rest = [script[:13], *one_by_one(script[13:])]
    resumed = Harness(rest, data, store, resume=True, warm_start=7).run()
    assert resumed.last.critic_steps == 67
    for name, value in state_of(whole).items():
        assert torch.equal(value, state_of(resumed)[name]), name


def test_a_warm_start_is_stopped_like_the_rest_and_goes_on(tmp_path):
    store, asked = CheckpointStore(tmp_path), iter(range(100))
    Harness([], demonstrations(), store, warm_start=7).trainer.run(lambda: next(asked) >= 3)
    assert store.steps() == [3]
    resumed = Harness([], demonstrations(), store, resume=True, warm_start=7).run()
    assert resumed.published[0].version == 7


def test_publishes_what_is_learned_while_it_is_behind():
    harness = Harness([transitions(50)], demonstrations(), publish_period=10).run()
    # 20 of 50 were warm-up; the policy then follows every 10 transitions' worth of updates
    assert [(s.version, s.env_steps) for s in harness.published] == [
        (0, 0), (1, 20), (20, 30), (40, 40), (60, 50),
    ]  # fmt: skip


def test_free_running_does_not_wait():
    harness = Harness([transitions(30)], demonstrations(), free_running=True)
    harness.trainer.run(lambda: len(harness.waits) > 200)
    assert harness.last.critic_steps > 150
    assert [wait for wait in harness.waits if wait > 0] == [0.1]


def test_reports_each_state_and_once_a_second():
    harness = Harness(
        [[] for _ in range(25)] + [transitions(21)] + [[] for _ in range(30)], demonstrations()
    )
    harness.run(idle_waits=20)
    states = [report.state for report in harness.reports]
    waiting, training, paced = (
        TrainerState.WAITING_FOR_DATA,
        TrainerState.TRAINING,
        TrainerState.PACED,
    )
    order = [state for i, state in enumerate(states) if i == 0 or state != states[i - 1]]
    assert order == [waiting, training, paced, TrainerState.STOPPED]
    assert states.count(waiting) == 3  # 2.75 s: at 0, 1 and 2 s
    messages = {r.state: r.message for r in harness.reports}
    assert messages[waiting] == "waiting for 20 more transitions"
    assert messages[training] == messages[paced] == ""
    assert states.count(paced) >= 4
    trained = [r for r in harness.reports if not math.isnan(r.critic_loss)]
    assert len(trained) >= 1 and all(math.isfinite(r.q_mean) for r in trained)
    assert math.isnan(harness.last.critic_loss)


def test_a_loss_that_is_not_finite_stops_the_run_and_says_why():
    harness = Harness([transitions(50)], demonstrations())
    bias = harness.trainer._agent.critic.value.bias
    bias.data[0] = math.inf
    with pytest.raises(NonFiniteLoss, match="critic loss is inf at critic step 0"):
        harness.run()
    assert harness.last.state == TrainerState.STOPPED
    assert "critic loss is inf" in harness.last.message


def test_a_transition_of_another_shape_is_refused():
    odd = transitions(1)
    odd[0].observation = {"position": np.zeros(3, np.float32)}
    with pytest.raises(ConfigError, match="transition 0 of actor: observation position: expected"):
        Harness([odd], demonstrations()).run()


def state_of(harness: Harness) -> dict:
    return {name: tensor.clone() for name, tensor in harness.trainer._agent.state().items()}


@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize("cut", [13, 37])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, prior, cut):
    data = demonstrations() if prior else []
    script = transitions(60)
    whole = Harness(one_by_one(script), data).run()
    Harness(one_by_one(script[:cut]), data, CheckpointStore(tmp_path)).run()
    rest = [script[:cut], *one_by_one(script[cut:])]
    resumed = Harness(rest, data, CheckpointStore(tmp_path), resume=True).run()
    assert resumed.last.env_steps == 60
    assert resumed.last.critic_steps == whole.last.critic_steps == 80
    expected, got = state_of(whole), state_of(resumed)
    assert expected.keys() == got.keys()
    for name in expected:
        assert torch.equal(expected[name], got[name]), name


def test_resumed_run_publishes_its_policy_at_once(tmp_path):
    first = Harness(one_by_one(transitions(45)), demonstrations(), CheckpointStore(tmp_path)).run()
    second = Harness([], demonstrations(), CheckpointStore(tmp_path), resume=True).run()
    assert (second.published[0].version, second.published[0].env_steps) == (50, 45)
    policy = first.trainer._agent.policy
    observation = {"position": np.array([0.3, 0.4], np.float32)}
    np.testing.assert_array_equal(
        from_bytes(second.published[0].data).act(observation, True), policy.act(observation, True)
    )


def test_checkpoints_come_every_period_and_at_the_end(tmp_path):
    store = CheckpointStore(tmp_path, keep=10)
    Harness(one_by_one(transitions(55)), demonstrations(), store, checkpoint_period=15).run()
    # critic steps at 15, 30, 45 and 55 transitions
    assert store.steps() == [0, 20, 50, 70]


def test_an_earlier_run_is_not_overwritten_unasked(tmp_path):
    Harness([transitions(30)], demonstrations(), CheckpointStore(tmp_path)).run()
    with pytest.raises(ConfigError, match="an earlier run is here"):
        Harness([], demonstrations(), CheckpointStore(tmp_path))


def test_resuming_with_another_task_or_network_is_refused(tmp_path, monkeypatch):
    Harness([transitions(30)], demonstrations(), CheckpointStore(tmp_path)).run()
    other = demonstrations()
    for transition in other:
        for observation in filter(None, (transition.observation, transition.final_observation)):
            observation["force"] = np.zeros(3, np.float32)
    with pytest.raises(ConfigError, match="does not fit this run") as error:
        Harness([], other, CheckpointStore(tmp_path), resume=True)
    assert "\n" not in str(error.value)
    monkeypatch.setattr(f"{__name__}.RLPD", RLPDConfig(hidden=(16,), ensemble=3))
    with pytest.raises(ConfigError, match=r"does not fit this run: .*size mismatch"):
        Harness([], demonstrations(), CheckpointStore(tmp_path), resume=True)


def test_resuming_without_a_checkpoint_starts_from_the_beginning(tmp_path):
    store = CheckpointStore(tmp_path)
    assert (
        Harness([transitions(25)], demonstrations(), store, resume=True).run().last.env_steps == 25
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"batch_size": 1}, "batch_size: expected at least 2, got 1"),
        ({"utd_ratio": 0.0}, "utd_ratio: expected above 0, got 0.0"),
        ({"threads": 0}, "threads: expected at least 1, got 0"),
    ],
)
def test_configuration_out_of_range_is_refused(config, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        LearnerConfig(**config)
