import pytest

from serl_bringup.benchmark_transport import measure


@pytest.mark.ros
def test_counts_and_times_every_transition():
    figures = measure(count=20)
    assert (figures["sent"], figures["received"], figures["lost"]) == (40, 40, 0)
    for size in ("state", "image"):
        latency = figures["latency_ms"][size]
        assert 0.0 < latency["median"] <= latency["p99"] < 1000.0
