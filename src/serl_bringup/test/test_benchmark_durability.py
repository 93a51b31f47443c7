"""The benchmarks of what is never lost, with few transitions, over real nodes."""

import pytest

from serl_bringup import benchmark_durability, benchmark_soak
from serl_learner.config import ConfigError

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_a_learner_that_starts_again_gets_everything(monkeypatch):
    monkeypatch.setattr(benchmark_durability, "TIMED", 20)
    figures = benchmark_durability.measure("state", count=300)
    for start in ("new_learner_s", "resumed_learner_s"):
        assert 0 < figures["start"][start]["answers"] <= figures["start"][start]["has_everything"]
    assert figures["step"]["until_written_ms"]["median"] > 0
    assert figures["checkpoint"]["size_mb"] > 0.1


def test_a_soak_counts_what_was_made_and_draws_it(monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark_soak, "PERIOD_S", 1.0)
    figures = benchmark_soak.measure(minutes=0.2, plot=tmp_path / "soak.png")
    assert figures["transitions"] == 2 * 0.2 * 60 * benchmark_soak.RATE_HZ
    assert figures["numbered_without_gaps"] and figures["lost"] == 0
    assert figures["memory_mb"].keys() == {"learner", "left", "right"}
    assert (tmp_path / "soak.png").stat().st_size > 10_000


@pytest.mark.parametrize("minutes", [0.01, -1.0, float("nan"), float("inf")])
def test_a_soak_that_shows_nothing_is_refused(minutes):
    with pytest.raises(ConfigError, match=r"--minutes: expected at least 1, got"):
        benchmark_soak.measure(minutes)
