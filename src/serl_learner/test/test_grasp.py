"""The gripper: penalties in the return, or a grasp critic of its own (double DQN), by hand."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from grasp_task import GraspActor, grasping
from point_task import success_rate
from test_learning import LockStep
from test_rlpd import constant_critic
from torch import nn

from serl_learner.config import ConfigError
from serl_learner.policy import Policy, from_bytes, to_bytes
from serl_learner.replay import Batch
from serl_learner.rlpd import RLPD, Encoded, NonFiniteLoss, RLPDConfig
from serl_learner.tensor_file import read_tensors
from serl_learner.trainer import LearnerConfig, Trainer
from serl_learner.transition import ObservationSpec

SPEC = ObservationSpec((("state", 3),))
ACTIONS = 3
REVERSE = torch.eye(3).flip(0)


def agent(gripper="discrete", **config) -> RLPD:
    defaults = {"hidden": (8,), "ensemble": 4, "subset": 4, "gripper": gripper}
    return RLPD(RLPDConfig(**(defaults | config)), SPEC, ACTIONS, seed=0)


def linear_values(grasp_critic, matrix) -> None:
    """Makes the values of an encoding (3,) the product of the matrix and the encoding."""
    grasp_critic.trunk = nn.Identity()
    grasp_critic.value.weight.data = torch.as_tensor(matrix, dtype=torch.float32)
    grasp_critic.value.bias.data.zero_()


def batch(following, reward, mask, penalty, encoding=None, gripper=None) -> Encoded:
    size = len(reward)
    generator = torch.Generator().manual_seed(0)
    action = torch.rand(size, ACTIONS, generator=generator) * 2 - 1
    if gripper is not None:
        action[:, -1] = torch.tensor(gripper)
    encoding = torch.randn(size, 3, generator=generator) if encoding is None else encoding
    given = map(torch.tensor, (reward, mask, following, penalty))
    return Encoded(torch.as_tensor(encoding), action, *given)


def any_batch(penalty=(-0.1, -0.2), size=2) -> Encoded:
    following = [[0.3, -0.2, 0.1], [0.5, 0.4, -0.6]]
    return batch(following, [0.0, 1.0], [1.0, 0.0], list(penalty))


def raw(seed=0, penalty=-0.1) -> Batch:
    """What the replay gives."""
    generator = torch.Generator().manual_seed(seed)
    state, following = torch.randn(2, 16, 3, generator=generator)
    action = torch.rand(16, ACTIONS, generator=generator) * 2 - 1
    reward = (torch.rand(16, generator=generator) < 0.3).float()
    penalties = torch.full((16,), penalty)
    return Batch(state, action, reward, 1 - reward, following, grasp_penalty=penalties)


def test_the_target_critic_values_what_the_online_one_chooses():
    rlpd = agent(discount=0.5)
    linear_values(rlpd.policy.grasp_critic, torch.eye(3))
    linear_values(rlpd.target_grasp_critic, REVERSE)
    following = [[1.0, 3.0, 2.0], [4.0, 0.0, 1.0], [0.0, 0.0, 9.0]]
    made = batch(following, [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [-0.1, 0.0, -0.2])
    # Online: the second is best, the first, the third. The target critic says 3, 1 and 0 of them,
    # where its own best are 3, 4 and 9. So 0 - 0.1 + 0.5 * 3, 1 + 0.5 * 1, and 1 - 0.2 at the end.
    torch.testing.assert_close(rlpd.grasp_target(made), torch.tensor([1.4, 1.5, 0.8]))


def test_the_target_discounts_the_value_by_the_steps_before_it():
    rlpd = agent(discount=0.5)
    for critic in (rlpd.policy.grasp_critic, rlpd.target_grasp_critic):
        linear_values(critic, torch.eye(3))
    made = batch([[0.0, 0.8, 0.0]] * 2, [0.0, 0.0], [1.0, 1.0], [-0.1, -0.1])
    made = replace(made, steps=torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(rlpd.grasp_target(made), torch.tensor([0.0, 0.3]))


def test_the_target_has_the_upper_bound_of_the_return_alone():
    rlpd = agent(discount=1.0, return_range=(0.0, 1.0))
    for critic in (rlpd.policy.grasp_critic, rlpd.target_grasp_critic):
        linear_values(critic, torch.eye(3))
    made = batch([[1.7, 0.0, 0.0], [-0.5, -0.6, -0.4]], [0.0, 0.0], [1.0, 1.0], [-0.1, -0.2])
    torch.testing.assert_close(rlpd.grasp_target(made), torch.tensor([1.0, -0.6]))


def test_the_loss_is_of_the_value_of_what_the_gripper_did():
    rlpd = agent()
    linear_values(rlpd.policy.grasp_critic, torch.eye(3))
    gripper = [-1.0, -0.5, -0.4, 0.0, 0.4, 0.5, 1.0]  # closes twice, stays, opens twice
    encoding = torch.tensor([1.0, 2.0, 4.0]).repeat(7, 1)
    zeros = [0.0] * 7
    made = batch([[0.0] * 3] * 7, zeros, zeros, zeros, encoding, gripper)
    target = torch.tensor([1.0, 0.0, 2.0, 1.0, 5.0, 4.0, 2.0])
    loss, figures = rlpd.grasp_loss(made, target)
    # errors: 1 - 1, 1 - 0, 2 - 2, 2 - 1, 2 - 5, 4 - 4, 4 - 2
    assert loss.item() == pytest.approx((0 + 1 + 0 + 1 + 9 + 0 + 4) / 7)
    assert figures["grasp_loss"].item() == loss.item()


def test_imitation_lifts_what_was_demonstrated_over_the_other_choices():
    rlpd = agent(imitation=2.0)
    linear_values(rlpd.policy.grasp_critic, torch.eye(3))
    encoding = torch.tensor([[0.3, 0.1, 0.0], [0.3, 0.1, 0.0], [0.0, 0.5, 0.48]])
    zeros = [0.0] * 3
    made = batch([[0.0] * 3] * 3, zeros, zeros, zeros, encoding, [0.0, 0.0, 0.0])
    made = replace(made, demonstrated=torch.tensor([1.0, 0.0, 1.0]))
    loss, _ = rlpd.grasp_loss(made, torch.tensor([0.1, 0.1, 0.5]))  # no error of the values
    # All three stayed. To close is valued 0.2 more than that in the first; the second was not
    # demonstrated; in the third, to open is valued 0.02 less, within the margin of 0.05.
    assert loss.item() == pytest.approx(2.0 * ((0.3 + 0.05 - 0.1) + (0.48 + 0.05 - 0.5)) / 3)


def test_a_penalty_is_part_of_the_return_where_the_gripper_is_continuous():
    rlpd = agent("continuous", discount=0.9)
    constant_critic(rlpd.target_critic, [0.5, 0.2, 0.7, 0.4])
    # 0 - 0.1 + 0.9 * 0.2 and 1 - 0.2, the end
    torch.testing.assert_close(rlpd.target(any_batch()), torch.tensor([0.08, 0.8]))
    assert rlpd.policy.grasp_critic is None and rlpd.target_entropy == -1.5


def test_a_penalty_is_the_grasp_critic_s_alone_where_there_is_one():
    rlpd = agent(discount=0.9)
    constant_critic(rlpd.target_critic, [0.5, 0.2, 0.7, 0.4])
    torch.testing.assert_close(rlpd.target(any_batch()), torch.tensor([0.18, 1.0]))
    targets = [rlpd.grasp_target(any_batch(penalty)) for penalty in ((-0.1, -0.2), (0.0, 0.0))]
    torch.testing.assert_close(targets[0] - targets[1], torch.tensor([-0.1, -0.2]))


def test_updates_of_two_penalties_differ_in_the_grasp_critic_alone():
    one, other = agent(), agent()
    one.update(raw(penalty=-0.1), with_actor=True)
    other.update(raw(penalty=-0.3), with_actor=True)
    assert changed(one, other) == {"policy.grasp_critic", "target_grasp_critic"}


def changed(before: RLPD, after: RLPD) -> set[str]:
    pairs = zip(before.named_parameters(), after.named_parameters(), strict=True)
    moved = [name for (name, old), (_, new) in pairs if not torch.equal(old, new)]
    return {".".join(name.split(".")[: 1 + name.startswith("policy")]) for name in moved}


def test_critic_actor_and_entropy_know_nothing_of_a_discrete_gripper():
    rlpd = agent()
    made = any_batch()
    made.action.requires_grad_()
    loss, _ = rlpd.critic_loss(made, torch.zeros(2))
    (gradient,) = torch.autograd.grad(loss, made.action)
    assert gradient[:, :2].abs().min() > 0 and gradient[:, 2].tolist() == [0.0, 0.0]
    action, _ = rlpd.policy.sample(made.encoding, rlpd.generator)
    assert action.shape == (2, 2)
    assert rlpd.target_entropy == -1.0


def test_each_step_moves_its_own_networks_only():
    rlpd = agent()
    before = copy.deepcopy(rlpd)
    rlpd.update_critic(any_batch())
    critics = {"critic", "target_critic", "policy.grasp_critic", "target_grasp_critic"}
    assert changed(before, rlpd) == critics
    before = copy.deepcopy(rlpd)
    rlpd.update_actor(any_batch())
    assert changed(before, rlpd) == {"policy.actor", "raw_temperature"}


def test_the_grasp_loss_trains_the_encoder_and_its_target_does_not():
    rlpd = agent()
    made = any_batch()
    for encoding in (made.encoding, made.next_encoding):
        encoding.requires_grad_()
    target = rlpd.grasp_target(made)
    assert not target.requires_grad
    loss, _ = rlpd.grasp_loss(made, target)
    (gradient,) = torch.autograd.grad(loss, made.encoding)
    assert gradient.abs().min() > 0


def test_the_target_grasp_critic_follows_slowly():
    rlpd = agent(target_update_rate=0.25)
    old = copy.deepcopy(rlpd.target_grasp_critic)
    rlpd.update_critic(any_batch())
    online = rlpd.policy.grasp_critic.parameters()
    parameters = (rlpd.target_grasp_critic.parameters(), old.parameters(), online)
    for target, before, now in zip(*parameters, strict=True):
        torch.testing.assert_close(target, 0.75 * before + 0.25 * now)


def test_a_grasp_loss_that_is_not_finite_stops_before_the_update():
    rlpd = agent()
    before = copy.deepcopy(rlpd)
    figures = rlpd.update_critic(any_batch(penalty=(math.nan, 0.0)))
    assert changed(before, rlpd) == set()
    with pytest.raises(NonFiniteLoss, match=r"^grasp loss is nan at critic step 0"):
        rlpd.count_update(figures, False)


@pytest.mark.parametrize("deterministic", [True, False])
def test_the_gripper_does_what_is_valued_most(deterministic):
    acting = Policy(SPEC, ACTIONS, (8,), discrete_gripper=True)
    linear_values(acting.grasp_critic, torch.eye(3))
    for best, gripper in enumerate((-1.0, 0.0, 1.0)):
        observation = {"state": np.eye(3, dtype=np.float32)[best]}
        for _ in range(20):
            action = acting.act(observation, deterministic)
            assert (action.shape, action.dtype, action[2]) == ((3,), np.float32, gripper)
            assert 0 < np.abs(action[:2]).max() <= 1


def test_bytes_round_trip():
    torch.manual_seed(0)
    original = Policy(SPEC, ACTIONS, (8,), discrete_gripper=True)
    copied = from_bytes(to_bytes(original))
    rng, grippers = np.random.default_rng(0), set()
    for _ in range(50):
        observation = {"state": rng.normal(size=3).astype(np.float32)}
        action = original.act(observation, True)
        np.testing.assert_array_equal(copied.act(observation, True), action)
        grippers.add(float(action[2]))
    assert len(grippers) > 1  # so the grasp critic came along
    assert copied.action_size == ACTIONS


def test_a_policy_from_before_the_grasp_critic_is_continuous():
    original = Policy(SPEC, ACTIONS, (8,))
    tensors, metadata = read_tensors(to_bytes(original))
    old = metadata["network"].replace(', "discrete_gripper": false', "")
    assert old != metadata["network"]
    loaded = from_bytes(safetensors.torch.save(tensors, metadata | {"network": old}))
    observation = {"state": np.ones(3, np.float32)}
    np.testing.assert_array_equal(loaded.act(observation, True), original.act(observation, True))


def test_state_resumes_exactly():
    first = agent()
    for seed in range(4):
        first.update(raw(seed), with_actor=True)
    second = RLPD(first.config, SPEC, ACTIONS, seed=99)
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()})
    for rlpd in (first, second):
        rlpd.update(raw(7), with_actor=True)
    for (name, one), (_, other) in zip(first.state().items(), second.state().items(), strict=True):
        assert torch.equal(one, other), name


def test_the_state_of_another_kind_of_gripper_is_refused():
    with pytest.raises(RuntimeError, match="grasp_critic"):
        agent("continuous").load_state(agent().state())


def test_a_gripper_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"^gripper: expected continuous or discrete, got soft$"):
        RLPDConfig(gripper="soft")
    message = "^gripper: expected actions of at least 2 elements with discrete, got 1$"
    with pytest.raises(ConfigError, match=message):
        RLPD(RLPDConfig(gripper="discrete"), SPEC, 1, seed=0)


@pytest.mark.parametrize(("gripper", "steps"), [("discrete", 600), ("continuous", 800)])
def test_learns_where_to_grasp_from_a_sparse_reward_and_five_demonstrations(gripper, steps):
    torch.manual_seed(0)  # exploration
    link = LockStep(GraspActor(seed=1))
    trainer = Trainer(
        LearnerConfig(batch_size=64, utd_ratio=2.0, training_starts=100),
        RLPDConfig(
            discount=0.9,
            target_update_rate=0.02,
            learning_rate=1e-3,
            hidden=(64, 64),
            ensemble=4,
            return_range=(-0.5, 1.0),
            gripper=gripper,
        ),
        prior=GraspActor(seed=0).episodes(5, grasping(np.random.default_rng(0))),
        receive=link.receive,
        publish=link.publish,
        report=lambda status: None,
        seed=0,
        checkpoints=None,
    )
    trainer.run(stop=lambda: link.actor.sequence > steps)

    def rate(choose) -> float:
        return success_rate(choose, episodes=50, seed=2, task=GraspActor)

    rng = np.random.default_rng(3)
    assert rate(lambda observation: rng.uniform(-1, 1, 3)) < 0.3
    assert rate(lambda observation: link.policies[0].act(observation, True)) < 0.3
    assert rate(lambda observation: link.policies[-1].act(observation, True)) > 0.9
