"""Compressed features against the principal components of known data."""

import pytest
import torch

from serl_learner.compression import Compression
from serl_learner.config import ConfigError


def features(deviations=(3.0, 1.0, 0.1, 0.0)) -> torch.Tensor:
    """(M, 4, 2, 2): uncorrelated sources of these deviations, turned and moved."""
    generator = torch.Generator().manual_seed(0)
    sources = (
        torch.randn(500, 4, 2, 2, generator=generator) * torch.tensor(deviations)[:, None, None]
    )
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=generator))
    return torch.einsum("mchw,dc->mdhw", sources, turn) + 5.0


def test_it_keeps_the_directions_of_most_variance_in_order_about_zero():
    given, made = features(), Compression(4, 2)
    made.fit(given)
    kept = made(given)
    assert kept.shape == (500, 2, 2, 2)
    torch.testing.assert_close(kept.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    deviation = kept.std(dim=(0, 2, 3))
    assert (deviation[0] / deviation[1]).item() == pytest.approx(3.0, rel=0.1)
    assert deviation.square().mean().item() == pytest.approx(1.0, rel=1e-2)


def test_with_all_channels_nothing_is_lost_but_the_scale():
    given, made = features((1.0, 1.0, 1.0, 1.0)), Compression(4, 4)
    made.fit(given)
    kept = made(given)
    ratio = (kept[1:] - kept[:-1]).norm(dim=1) / (given[1:] - given[:-1]).norm(dim=1)
    torch.testing.assert_close(ratio, ratio[0, 0, 0].expand_as(ratio), rtol=1e-4, atol=0)


@pytest.mark.parametrize("count", [1, 3])
def test_features_that_do_not_vary_stay_finite(count):
    made, given = Compression(4, 2), torch.ones(count, 4, 1, 1)
    made.fit(given)
    assert made(given).abs().max().item() < 1e-3


def test_without_demonstrations_all_channels_are_kept_or_it_is_said():
    Compression(4, 4).expect_fit()
    message = r"^encoder.channels: expected demonstrations to choose 2 of 4 by \(4 keeps all\)"
    with pytest.raises(ConfigError, match=message):
        Compression(4, 2).expect_fit()
