"""Reinforcement learning from prior data (RLPD): algorithm, replay, codecs, the learner node."""
