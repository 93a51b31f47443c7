"""Reinforcement learning from prior data (RLPD): algorithm, replay, checkpoints, message codecs and the learner node."""
