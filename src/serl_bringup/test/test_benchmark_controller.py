import sys

import pytest
from PIL import Image

from serl_bringup import cli
from serl_bringup.benchmark_controller import measure


def test_times_both_laws_and_draws_them(tmp_path):
    path = tmp_path / "ticks.png"
    figures = measure(path, ticks=20_000)
    assert figures["ticks"] == 20_000
    assert figures["allocations"] == figures["frees"] == figures["mutex_locks"] == 0
    assert figures["usual_allocations"] > 20_000  # at least one in every tick
    times = [figures[f"{name}_us"] for name in ("median", "p99", "p999", "max")]
    assert 0.1 < times[0] <= times[1] <= times[2] <= times[3]
    assert figures["ratio_to_usual"] == pytest.approx(
        figures["usual_median_us"] / figures["median_us"], rel=0.01
    )
    with Image.open(path) as image:
        image.verify()
        assert image.width > 600


def test_a_histogram_is_the_controllers(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["serl", "benchmark", "replay", "--histogram", "ticks.png"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "serl: --histogram: expected the part controller, got replay\n"
    )
