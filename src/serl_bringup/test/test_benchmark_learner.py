"""The fused update against the loop over separate critics: the same numbers."""

import torch

from serl_bringup import benchmark_learner, benchmark_replay
from serl_bringup.benchmark_learner import ACTION_SIZE, SPEC, LoopedRLPD, random_batch
from serl_learner.rlpd import RLPD, RLPDConfig


def test_fused_critic_update_equals_the_loop():
    config = RLPDConfig(hidden=(32, 32), ensemble=4, return_range=(0.0, 1.0))
    fused, loop = RLPD(config, SPEC, ACTION_SIZE, seed=0), LoopedRLPD(config)
    batch = random_batch(16)
    for _ in range(3):  # both draw the same actions and members from generators of the same seed
        fused.update(batch, with_actor=False)
        loop.update_critic(batch)
    for ensemble, separate in ((fused.critic, loop.critics), (fused.target_critic, loop.targets)):
        for member, critic in enumerate(separate):
            expected = benchmark_learner.separate_critic(ensemble, member)
            for got, wanted in zip(critic.parameters(), expected.parameters(), strict=True):
                torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-5)


def test_benchmarks_give_their_figures():
    learner = benchmark_learner.measure_state(batch_size=8, seconds=0.05)
    assert learner["critic_steps_per_s"] > 0 and learner["ratio_to_loop"] > 0
    vision = benchmark_learner.measure_vision(torch.device("cpu"), batch_size=2, seconds=0.05)
    assert vision["critic_steps_per_s"] > 0 and vision["ratio_to_pixels"] > 0
    views = vision["stored_views"]
    image = views * vision["channels"] * 4 * 4 * 2  # float16 features; of one camera
    assert vision["bytes_per_100k"] == 100_000 * (2 * image + 4 * (12 + 6 + 3) + 7 * 8 + 1)
    assert vision["pixel_bytes_per_100k"] == 100_000 * (2 * 128 * 128 * 3 + 4 * 21 + 7 * 8 + 1)
    replay = benchmark_replay.measure(capacity=500, seconds=0.05)
    # float32 state, action, reward, grasp penalty and mask, and five indices, per observation
    assert replay["bytes_per_100k"] == 100_000 * (4 * (25 + 6 + 3) + 7 * 8 + 1)
    assert replay["samples_per_s"] > 0
