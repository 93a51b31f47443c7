"""The captured update against the plain one. Needs a GPU."""

import copy

import pytest
import torch

from serl_learner.backbone import make_backbone
from serl_learner.cuda_graph import WARM_UP, GraphedUpdate
from serl_learner.encoder import EncoderConfig
from serl_learner.replay import Batch
from serl_learner.rlpd import RLPD, RLPDConfig
from serl_learner.transition import ObservationSpec

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
SPEC = ObservationSpec((("pose", 6),), (("wrist_1", (64, 64, 3)),))


@pytest.mark.parametrize("gripper", ["continuous", "discrete"])
def test_the_captured_update_is_the_plain_one(gripper):
    backbone = make_backbone("resnet10", "random").to("cuda")
    config = EncoderConfig(channels=64, dropout=0.0)
    rlpd_config = RLPDConfig(hidden=(32, 32), subset=10, gripper=gripper, imitation=0.5)
    plain = RLPD(rlpd_config, SPEC, 2, 0, config, backbone, "cuda")
    captured = copy.deepcopy(plain)
    # What is drawn (actions, members) is not the same in a graph: nothing is left to chance.
    for agent in (plain, captured):
        agent.policy.sample = lambda encoding, generator, agent=agent: (
            torch.tanh(agent.policy.actor(encoding)[0]),
            agent.policy.actor(encoding)[1].log().sum(-1).neg(),
        )
    update = GraphedUpdate(captured)
    for i in range(2 * WARM_UP + 4):
        generator = torch.Generator("cuda").manual_seed(i)

        def draw(*shape, generator=generator):
            return torch.randn(*shape, generator=generator, device="cuda")

        features = draw(16, 1, 1, 64, 2, 2).half(), draw(16, 1, 1, 64, 2, 2).half()
        reward = (draw(16) > 1).float()
        batch = Batch(
            draw(16, 6),
            draw(16, 2).tanh(),
            reward,
            1 - reward,
            draw(16, 6),
            *features,
            grasp_penalty=-0.1 * (draw(16) > 1).float(),
            demonstrated=(draw(16) > 0).float(),
        )
        with_actor = i % 2 == 1
        assert update(batch, with_actor) == pytest.approx(plain.update(batch, with_actor), rel=1e-3)
    for one, other in zip(plain.parameters(), captured.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
