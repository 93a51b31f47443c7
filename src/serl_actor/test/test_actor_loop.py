import time

import gymnasium as gym
import numpy as np
import pytest

from serl_actor.actor import Actor, ActorConfig, Agent, EpisodeStats
from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.pacer import Pacer
from serl_learner.config import ConfigError
from serl_learner.transition import ObservationSpec

TOOL = "tool_env:test/Tool-v0"
DOWN = np.array([0, 0, 0.5, 0, 0, 0])  # along the tool: 10 mm per step


class Constant:
    version = 7

    def __init__(self, action=np.zeros(6)):  # noqa: B008
        self.action = np.asarray(action, np.float32)

    began = 0

    def begin_episode(self):
        self.began += 1

    def act(self, observation):
        return self.action


def run_actor(
    stop=lambda: False, policy=None, config=None, device=None, limit=10, seed=0, **options
):
    """The transitions, the episodes, and the environment of a run with the relative frame."""
    task = EnvironmentConfig(TOOL, relative_frame=True, max_episode_steps=limit)
    environment = make_environment(task, device=device)
    transitions, episodes = [], []
    agent = Agent(
        policy or Constant(),
        sinks=[transitions.append],
        episode_sinks=[episodes.append],
        **options,
    )
    actor = Actor(environment, [agent], config or ActorConfig(max_steps=25), seed=seed)
    actor.run(stop)
    return transitions, episodes, environment.unwrapped


def test_numbers_observations_and_ends_of_episodes():
    policy = Constant(DOWN)
    transitions, episodes, _ = run_actor(config=ActorConfig(max_steps=25), policy=policy)
    assert policy.began == 3
    assert [t.sequence for t in transitions] == list(range(25))
    assert [t.episode for t in transitions] == [0] * 10 + [1] * 10 + [2] * 5
    assert [t.step for t in transitions] == [*range(10), *range(10), *range(5)]
    assert [t.sequence for t in transitions if t.truncated] == [9, 19, 24]
    assert [t.sequence for t in transitions if t.final_observation is not None] == [9, 19, 24]
    assert not any(t.terminated for t in transitions)
    # Each observation is where the action was taken from: 10 mm further down at every step.
    depths = [t.observation["pose"][2] for t in transitions[:10]]
    np.testing.assert_allclose(depths, 0.01 * np.arange(10), atol=1e-6)
    assert transitions[9].final_observation["pose"][2] == pytest.approx(0.1, abs=1e-6)
    assert [e.length for e in episodes] == [10, 10, 5]
    assert [e.last_sequence for e in episodes] == [9, 19, 24]
    spec = ObservationSpec.from_observation(transitions[0].observation)
    for transition in transitions:
        transition.check(spec, 6)


@pytest.mark.parametrize("limit", [10, 2])
def test_success_terminates_and_counts(limit):
    # The socket is 30 mm back and 40 mm ahead in the tool frame: two steps.
    policy = Constant([-0.75, 0, 1, 0, 0, 0])
    transitions, episodes, _ = run_actor(
        policy=policy, config=ActorConfig(max_steps=2), limit=limit
    )
    assert [t.reward for t in transitions] == [0.0, 1.0]
    assert [t.success for t in transitions] == [False, True]
    assert [t.terminated for t in transitions] == [False, True]
    # The last step of the run, perhaps of the time limit: the value of what follows is 0 still.
    assert not transitions[1].truncated
    np.testing.assert_allclose(
        transitions[1].final_observation["pose"], [-0.03, 0, 0.04, 0, 0, 0], atol=1e-6
    )
    assert episodes[0].success and episodes[0].terminated and episodes[0].episode_return == 1.0


@pytest.mark.parametrize("asked_after", [1, 4])
def test_a_stop_within_an_episode_truncates_it_at_the_next_step(asked_after):
    count = 0

    def gate(sequence):
        nonlocal count
        count = sequence
        return True

    transitions, episodes, _ = run_actor(lambda: count >= asked_after, gate=gate)
    assert len(transitions) == asked_after + 1
    assert transitions[-1].truncated and transitions[-1].final_observation is not None
    assert [e.length for e in episodes] == [asked_after + 1]


def test_a_closed_gate_ends_the_run_with_the_episode_closed():
    transitions, episodes, _ = run_actor(gate=lambda sequence: sequence < 13, policy=Constant(DOWN))
    assert len(transitions) == 14
    assert transitions[-1].truncated and transitions[-1].step == 3
    # The step that closes it is made at rest.
    np.testing.assert_array_equal(transitions[-2].action, DOWN.astype(np.float32))
    np.testing.assert_array_equal(transitions[-1].action, np.zeros(6))
    assert transitions[-1].policy_version == 0
    assert [e.length for e in episodes] == [10, 4]


def test_a_gate_closed_from_the_start_makes_no_episode():
    transitions, episodes, _ = run_actor(gate=lambda sequence: False)
    assert transitions == [] and episodes == []


def test_the_gate_is_asked_once_before_each_step_and_sinks_run_before_the_next():
    events = []

    def gate(sequence):
        events.append(("gate", sequence))
        return True

    environment = make_environment(EnvironmentConfig(TOOL))
    sinks = [lambda t: events.append(("sink", t.sequence))]
    agent = Agent(Constant(), gate=gate, sinks=sinks)
    Actor(environment, [agent], ActorConfig(max_steps=3)).run(lambda: False)
    assert events == [(kind, n) for n in range(3) for kind in ("gate", "sink")]


def test_random_steps_are_uniform_seeded_and_of_no_policy():
    config = ActorConfig(max_steps=30, random_steps=20)
    first, *_ = run_actor(config=config, seed=1)
    again, *_ = run_actor(config=config, seed=1)
    other, *_ = run_actor(config=config, seed=2)
    actions = np.array([t.action for t in first])
    assert np.abs(actions[:20]).max() > 0.9 and np.abs(actions[:20]).max() <= 1.0
    assert abs(actions[:20].mean()) < 0.2
    np.testing.assert_array_equal(actions, [t.action for t in again])
    assert (actions[:20] != np.array([t.action for t in other])[:20]).all()
    assert [t.policy_version for t in first] == [0] * 20 + [7] * 10


def test_a_restarted_run_goes_on_with_the_numbers_and_with_new_seeds():
    *_, fresh = run_actor(seed=5)
    transitions, episodes, restarted = run_actor(seed=5, sequence=18, episode=2)
    assert [t.sequence for t in transitions] == list(range(18, 25))
    assert episodes[0].episode == 2
    assert fresh.seeds[0] is not None and fresh.seeds[1:] == [None, None]  # seeded once
    assert restarted.seeds[0] is not None and restarted.seeds[0] != fresh.seeds[0]


def test_an_intervention_is_stored_as_the_action_that_was_executed():
    def device(observation):  # base frame; half of it is along the tool's -y
        return np.array([0, 0.5, 0, 0, 0, 0]) if observation["pose"][1] < 0.105 else None

    transitions, episodes, tool = run_actor(
        device=lambda env: device,
        config=ActorConfig(max_steps=3),
        policy=Constant([0.1, 0, 0, 0, 0, 0]),
    )
    assert [t.intervened for t in transitions] == [True, False, False]
    np.testing.assert_allclose(transitions[0].action, [0, -0.5, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(transitions[1].action, [0.1, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(tool.actions[0], [0, 0.5, 0, 0, 0, 0], atol=1e-6)
    assert episodes[0].intervened_steps == 1


def test_a_gripper_penalty_is_its_own_number():
    config = EnvironmentConfig(TOOL, arguments={"action_size": 7})
    transitions = []
    Actor(
        make_environment(config),
        [Agent(Constant(np.zeros(7)), sinks=[transitions.append])],
        ActorConfig(max_steps=1),
    ).run(lambda: False)
    assert transitions[0].grasp_penalty == pytest.approx(-0.1)
    assert transitions[0].reward == 0.0 and not transitions[0].success


class InTurn(gym.Wrapper):
    """Says at each reset whose episode begins."""

    def __init__(self, env, turns):
        super().__init__(env)
        self._turns = iter(turns)

    def reset(self, **options):
        observation, info = self.env.reset(**options)
        return observation, info | next(self._turns)


class Team:
    """Two agents, what each handed on, and the order in which it was."""

    def __init__(self, turns, random_steps=0, **numbers):
        self.transitions, self.episodes = {"left": [], "right": []}, {"left": [], "right": []}
        self.order = []
        self.policies = {"left": Constant(DOWN), "right": Constant(-DOWN)}
        agents = [self.agent(name, **numbers.get(name, {})) for name in self.policies]
        environment = InTurn(make_environment(EnvironmentConfig(TOOL, max_episode_steps=4)), turns)
        self.actor = Actor(environment, agents, ActorConfig(25, random_steps))

    def agent(self, name, **numbers):
        def add(transition):
            self.transitions[name].append(transition)
            self.order.append(name)

        return Agent(
            self.policies[name], name, sinks=[add], episode_sinks=[self.episodes[name].append],
            **numbers,
        )  # fmt: skip


def test_agents_change_at_the_border_of_an_episode_and_each_has_its_own_numbers():
    left, right = {"agent": "left"}, {"agent": "right", "rescued": True}
    team = Team([left, right, right, left, right, left, left])
    team.actor.run(lambda: False)
    assert team.order == ["left"] * 4 + ["right"] * 8 + ["left"] * 4 + ["right"] * 4 + ["left"] * 5
    assert len(team.order) == 25  # of both together
    for name, direction in (("left", DOWN), ("right", -DOWN)):
        transitions, episodes = team.transitions[name], team.episodes[name]
        assert [t.sequence for t in transitions] == list(range(len(transitions)))
        assert {t.agent for t in transitions} == {name}
        assert [t.episode for t in transitions] == [n // 4 for n in range(len(transitions))]
        assert all(np.array_equal(t.action, direction.astype(np.float32)) for t in transitions)
        assert [e.episode for e in episodes] == list(range(len(episodes)))
        assert {e.agent for e in episodes} == {name}
        assert {e.rescued for e in episodes} == {name == "right"}
        assert team.policies[name].began == len(episodes)
    assert team.transitions["left"][-1].truncated  # the last step of the run


def test_several_agents_go_on_with_the_numbers_of_each():
    numbers = {"left": {"sequence": 10, "episode": 3}, "right": {"sequence": 7, "episode": 2}}
    team = Team([{"agent": "left"}, {"agent": "right"}], **numbers)
    team.actor.run(lambda: False)
    assert [t.sequence for t in team.transitions["left"]] == [10, 11, 12, 13]
    assert [t.sequence for t in team.transitions["right"]] == [7, 8, 9, 10]  # 25 with those before
    assert (team.episodes["left"][0].episode, team.episodes["right"][0].episode) == (3, 2)


def test_random_steps_are_of_each_agent():
    team = Team([{"agent": "left"}] * 2 + [{"agent": "right"}] * 5, random_steps=5)
    team.actor.run(lambda: False)
    for transitions in team.transitions.values():
        assert [t.policy_version for t in transitions[:8]] == [0] * 5 + [7] * 3


@pytest.mark.parametrize("info", [{}, {"agent": "up"}])
def test_an_episode_of_nobody_is_refused(info):
    got = info.get("agent", "none")
    with pytest.raises(ConfigError, match=rf"^reset: agent: .* left, right, got {got}$"):
        Team([info]).actor.run(lambda: False)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_pacing_holds_absolute_deadlines():
    clock = Clock()

    def work(transition):
        clock.now += [0.03, 0.09, 0.0][transition.step % 3]

    environment = make_environment(EnvironmentConfig(TOOL))
    episodes: list[EpisodeStats] = []
    Actor(
        environment,
        [Agent(Constant(), sinks=[work], episode_sinks=[episodes.append])],
        ActorConfig(max_steps=10, control_rate_hz=10),
        clock=clock,
        sleep=clock.sleep,
    ).run(lambda: False)
    np.testing.assert_allclose(episodes[0].starts_s, 100.0 + 0.1 * np.arange(10))
    assert episodes[0].on_time_share(10.0) == 1.0
    assert episodes[0].on_time_share(20.0) == 0.0


def test_a_late_step_is_made_up_for_a_lost_period_is_not():
    clock = Clock()
    pacer = Pacer(10.0, clock, clock.sleep)
    starts = []
    for work in (0.0, 0.15, 0.0, 0.35, 0.0, 0.0):
        starts.append(pacer.wait() - 100.0)
        clock.now += work
    # 0.15 s of work: the step begins late, the one after is on time. 0.35 s: deadlines count anew.
    np.testing.assert_allclose(starts, [0.0, 0.1, 0.25, 0.3, 0.65, 0.75])


class Stamped(gym.Wrapper):
    """What is observed was exposed 80 ms before."""

    def reset(self, **options):
        observation, info = self.env.reset(**options)
        return observation, info | self._stamp()

    def step(self, action):
        *results, info = self.env.step(action)
        return *results, info | self._stamp()

    def _stamp(self):
        self.stamp_ns = time.time_ns() - 80_000_000
        return {"stamp_ns": self.stamp_ns}


def test_an_observation_is_as_old_as_the_environment_says():
    environment = Stamped(make_environment(EnvironmentConfig(TOOL)))
    stamps, made, episodes = [], [], []

    def note(transition):
        made.append(transition.stamp_ns)
        stamps.append(environment.stamp_ns)  # of what the next step is taken from

    agent = Agent(Constant(), sinks=[note], episode_sinks=[episodes.append])
    Actor(environment, [agent], ActorConfig(max_steps=5)).run(lambda: False)
    assert made[1:] == stamps[:-1]
    assert 0.08 <= episodes[0].observation_age_s < 0.2


def test_without_a_rate_nothing_waits():
    clock = Clock()
    pacer = Pacer(0.0, clock, clock.sleep)
    assert [pacer.wait() for _ in range(3)] == [100.0] * 3


@pytest.mark.parametrize("name", ["max_steps", "random_steps", "max_lead", "control_rate_hz"])
def test_negative_numbers_are_refused(name):
    with pytest.raises(ConfigError, match=f"{name}: expected at least 0, got -1"):
        ActorConfig(**{name: -1})
