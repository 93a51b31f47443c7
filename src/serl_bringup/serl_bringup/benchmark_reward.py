"""How fast the reward node answers, and what VICE adds to a critic step."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from serl_bringup.benchmark_learner import ACTION_SIZE, VISION_SPEC, random_transition
from serl_bringup.nodes import RunNode
from serl_bringup.processes import NodeProcess, node_environment
from serl_bringup.questions_node import ask
from serl_bringup.task import Task, load_task
from serl_learner.backbone import make_backbone
from serl_learner.classifier import SuccessClassifier, to_bytes
from serl_learner.compute import tuned_process
from serl_learner.domain import acquire_domain
from serl_learner.encoder import EncoderConfig
from serl_learner.frames import Frames
from serl_learner.replay import Batch, ReplayBuffer
from serl_learner.reward import Step
from serl_learner.rlpd import RLPD
from serl_learner.transition import Observation
from serl_learner.vice import POOL, Vice, ViceConfig
from serl_reward.classifier_training import trained_encoder
from serl_reward.config import ClassifierRewardConfig, RewardConfig

AGENT = "agent"
CAPACITY = 1000  # observations


def measure(questions: int = 200, rounds: int = 40) -> dict[str, Any]:
    """Of a classifier of two wrist cameras, with the settings of cable_routing. Times in ms."""
    task = load_task("cable_routing", observations="vision")
    rng = np.random.default_rng(0)
    observations = [random_transition(VISION_SPEC, i, rng).observation for i in range(8)]
    return {
        "task": task.task,
        "questions": questions,
        **_latency(task, observations, questions),
        **_vice(task, observations, rounds),
    }


def _latency(task: Task, observations: list[Observation], questions: int) -> dict[str, float]:
    """From the actor's question to its answer, between two processes."""
    steps = [
        Step(observations[i % 8], np.zeros(ACTION_SIZE), observations[(i + 1) % 8])
        for i in range(questions)
    ]
    with tempfile.TemporaryDirectory() as name, acquire_domain() as domain:
        os.environ.update(node_environment(domain.number))
        folder = Path(name)
        config = folder / "config.yaml"
        file = folder / "classifier.safetensors"
        file.write_bytes(to_bytes(_untrained(trained_encoder(task.encoder))))
        judged = RewardConfig("classifier", classifier=ClassifierRewardConfig(file=str(file)))
        replace(task, reward=judged).save(config)
        asked = RunNode("serl_reward", "reward_node", config, AGENT)
        node = NodeProcess.of(asked, folder / "reward_node.log")
        try:
            times_s = ask(AGENT, steps)
        finally:
            node.stop()
    median, p99 = 1e3 * np.percentile(times_s, [50, 99])
    return {"median_ms": round(float(median), 2), "p99_ms": round(float(p99), 2)}


def _untrained(encoder: EncoderConfig) -> SuccessClassifier:
    backbone = make_backbone(encoder.backbone, encoder.weights).accelerate()
    classifier = SuccessClassifier(VISION_SPEC, encoder, backbone)
    classifier.version = 1
    return classifier


def _vice(task: Task, observations: list[Observation], rounds: int) -> dict[str, float]:
    """A critic step, and beside it the rewards of its batch and a step of the classifier."""
    encoder, half = task.encoder, task.learner.batch_size // 2
    backbone = make_backbone(encoder.backbone, encoder.weights).accelerate()
    agent = RLPD(task.rlpd, VISION_SPEC, ACTION_SIZE, 0, encoder, backbone)
    frames = Frames(VISION_SPEC, encoder, backbone, agent.policy.encoder.compression)
    rng = np.random.default_rng(0)
    replay = ReplayBuffer(CAPACITY, VISION_SPEC, ACTION_SIZE, rng, frames)
    transition, encoded = random_transition(VISION_SPEC, 0, rng), frames.encode(observations)
    for sequence in range(CAPACITY):
        replay.add(replace(transition, sequence=sequence, step=sequence), encoded[sequence % 8])
    config = ViceConfig()
    vice = Vice(config, agent.policy, observations, frames, seed=0)

    def sample(count: int) -> Batch:
        return replay.sample(count)

    with tuned_process(task.learner.threads):
        update = _median_ms(lambda: agent.update(sample(2 * half), False), rounds)
        relabel = _median_ms(lambda: vice.relabel(sample(2 * half)), rounds)
        sampling = _median_ms(lambda: sample(2 * half), rounds)
        step = _median_ms(lambda: vice.step(replay.sample_next_frames(POOL * half)), rounds)
    cost = relabel - sampling + step / config.period
    return {
        "critic_step_ms": round(update, 2),
        "vice_rewards_of_a_batch_ms": round(relabel - sampling, 2),
        "vice_step_ms": round(step, 2),
        "vice_period": config.period,
        "vice_share_of_critic_step": round(cost / update, 3),
    }


def _median_ms(function: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds + 3):
        began = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - began))
    return float(np.median(times[3:]))
