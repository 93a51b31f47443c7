"""Rewards from outside: who judges, what is credited, what happens when nobody answers."""

import numpy as np
import pytest
from tool_env import Resting, ToolEnv

from serl_actor import probing
from serl_actor.actor import Actor, ActorConfig, Agent
from serl_actor.environment import EnvironmentConfig, demonstrator_of, make_environment
from serl_actor.evaluation import evaluate
from serl_actor.judged import PERSON_PATIENCE_S, JudgedEnvironment, RewardFault
from serl_learner.reward import Judgement

CONFIG = EnvironmentConfig("tool_env:test/Tool-v0", demonstrator="tool_env:TowardsSocket")
NOT_YET = Judgement(0.0, False, 0.2, version=7)
SOLVED = Judgement(1.0, True, 0.9, version=7)


class Script:
    """Judges by a list, the last of which stands for all that follow; remembers the steps."""

    def __init__(self, *judgements):
        self.judgements, self.steps = list(judgements), []

    def __call__(self, step):
        self.steps.append(step)
        answer = self.judgements.pop(0) if len(self.judgements) > 1 else self.judgements[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def make(*judgements, **options):
    judge = Script(*judgements)
    judged = make_environment(
        CONFIG,
        judged=lambda env: JudgedEnvironment(env, judge, **options),
        device=demonstrator_of(CONFIG, 0),
    )
    return judged, judge


def test_the_environment_does_not_end_at_its_own_success():
    # The demonstrator is at the socket after two steps; the judge sees it one step later.
    environment, _ = make(NOT_YET, NOT_YET, SOLVED)
    environment.reset(seed=0)
    results = [environment.step(np.zeros(6, np.float32)) for _ in range(3)]
    assert [r[1] for r in results] == [0.0, 0.0, 1.0]
    assert [r[2] for r in results] == [False, False, True]
    infos = [r[4] for r in results]
    assert [i["success"] for i in infos] == [False, False, True]
    assert [i["true_success"] for i in infos] == [False, True, True]
    assert [i["reward_version"] for i in infos] == [7, 7, 7]


def test_the_judge_sees_what_the_environment_has():
    environment, judge = make(NOT_YET)
    first, _ = environment.reset(seed=0)
    second = environment.step(np.zeros(6, np.float32))[0]
    (step,) = judge.steps
    np.testing.assert_array_equal(step.previous["pose"], first["pose"])
    np.testing.assert_array_equal(step.observation["pose"], second["pose"])
    np.testing.assert_array_equal(step.action, environment.unwrapped.actions[0])
    assert not step.last and step.began_ns > 0


def test_the_last_step_of_the_time_limit_is_told():
    environment, judge = make(NOT_YET)
    environment.reset(seed=0)
    for _ in range(10):
        *_, terminated, truncated, _ = environment.step(np.zeros(6, np.float32))
    assert truncated and not terminated
    assert [step.last for step in judge.steps] == [False] * 9 + [True]


def test_a_person_is_waited_for_and_not_for_ever():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    pending = Judgement(0.0, False, 0.0, pending=True)
    environment, judge = make(pending, pending, SOLVED, clock=clock, sleep=clock.sleep)
    environment.reset(seed=0)
    assert environment.step(np.zeros(6, np.float32))[1] == 1.0
    assert len(judge.steps) == 3
    judge.judgements = [pending]
    with pytest.raises(RewardFault, match=r"^reward: expected a person's label within 120 s"):
        environment.step(np.zeros(6, np.float32))
    assert clock.now >= PERSON_PATIENCE_S


def test_a_step_that_cannot_be_judged_discards_the_episode_and_no_reward_is_invented():
    environment, _ = make(NOT_YET, ValueError("pose: expected 7"), NOT_YET)
    transitions, said = [], []
    actor = Actor(
        environment,
        [Agent(probing.Resting(6), sinks=[transitions.append])],
        ActorConfig(max_steps=12),
        say=said.append,
    )
    actor.run(lambda: False)
    assert [t.discarded for t in transitions] == [False, True] + [False] * 10
    assert transitions[1].reward == 0.0 and not transitions[1].success
    assert said == ["reward: pose: expected 7; episode 0 is discarded at step 1"]
    assert [t.reward_version for t in transitions[2:]] == [7] * 10


def test_what_can_never_be_judged_ends_the_run():
    environment, _ = make(ValueError("pose: expected 7"))
    transitions, seconds = [], iter(range(10_000))
    actor = Actor(
        environment,
        [Agent(probing.Resting(6), sinks=[transitions.append])],
        ActorConfig(max_steps=1000),
        clock=lambda: float(next(seconds)),
    )
    with pytest.raises(RewardFault, match="pose: expected 7"):
        actor.run(lambda: False)
    assert 1 < len(transitions) < 30 and all(t.discarded for t in transitions)


def test_at_a_reset_somebody_has_to_be_there():
    def ready():
        raise RewardFault("reward: expected a node, found none")

    environment, _ = make(NOT_YET, ready=ready)
    with pytest.raises(RewardFault, match="found none"):
        environment.reset(seed=0)


class Withdrawing(ToolEnv):
    """Its arm can be driven away: to x = 9."""

    withdrawn = 0
    lies = False  # what it let go

    def withdraw(self):
        self.withdrawn += 1
        self.lies = True
        pose = np.array([9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], np.float32)
        return {"pose": pose}

    def is_done(self):
        return self.lies


def confirming(*judgements):
    judge, world = Script(*judgements), Withdrawing()
    environment = JudgedEnvironment(world, judge, confirms=True)
    environment.reset(seed=0)
    return environment, world, judge


def test_a_success_that_holds_when_the_arm_has_gone_counts():
    environment, world, judge = confirming(NOT_YET, SOLVED, SOLVED)
    environment.step(np.zeros(6))
    assert world.withdrawn == 0
    observation, reward, terminated, truncated, info = environment.step(np.zeros(6))
    assert (reward, terminated, truncated, world.withdrawn) == (1.0, True, False, 1)
    assert info["success"] and not info["refuted"]
    assert info["true_success"]  # by then, what was let go lies
    assert judge.steps[-1].observation["pose"][0] == 9.0
    assert observation["pose"][0] != 9.0  # that of the step


def test_a_success_that_does_not_hold_when_the_arm_has_gone_is_none():
    environment, world, _ = confirming(SOLVED, NOT_YET)
    _, reward, terminated, truncated, info = environment.step(np.zeros(6))
    assert (reward, terminated, truncated, world.withdrawn) == (0.0, False, True, 1)
    assert info["refuted"] and not info["success"] and info["confidence"] == 0.2


def test_an_environment_may_end_for_another_reason():
    class Falls(ToolEnv):
        def step(self, action):
            observation, reward, _, truncated, _ = super().step(action)
            return observation, reward, True, truncated, {"success": False}

    judge = Script(NOT_YET)
    environment = JudgedEnvironment(Falls(), judge)
    environment.reset(seed=0)
    *_, terminated, truncated, info = environment.step(np.zeros(6))
    assert terminated and not truncated and not info["success"]
    assert judge.steps[0].last  # whatever is answered, the episode is over


def test_the_meter_counts_errors_both_ways():
    # Truth: solved from the second step on. First episode: said one step too early, second: never.
    environment, _ = make(SOLVED, NOT_YET)
    result = evaluate(environment, Resting(), 2, seed=0)
    assert result.successes == (False, True) and result.lengths == (1, 10)
    errors = result.errors
    assert (errors.steps, errors.solved_steps) == (11, 9)
    assert (errors.false_positive_steps, errors.false_negative_steps) == (1, 9)
    assert (errors.false_successes, errors.missed_successes) == (1, 1)


def test_without_a_reward_from_outside_nothing_is_metered():
    result = evaluate(
        make_environment(CONFIG, device=demonstrator_of(CONFIG, 0)), Resting(), 1, seed=0
    )
    assert result.errors is None and result.success_rate == 1.0


def test_each_agent_is_judged_by_its_own():
    class InTurn(ToolEnv):
        agents = iter(["left", "right", "left"])

        def reset(self, **options):
            observation, _ = super().reset(**options)
            return observation, {"agent": next(self.agents)}

    judge = Script(SOLVED)
    environment = JudgedEnvironment(InTurn(), {"left": judge})
    results = []
    for _ in range(3):
        environment.reset(seed=0)
        results.append(environment.step(np.zeros(6)))
    assert [r[1] for r in results] == [1.0, 0.0, 1.0]
    assert [r[4].get("reward_version") for r in results] == [7, None, 7]  # right: its own word
    assert len(judge.steps) == 2
