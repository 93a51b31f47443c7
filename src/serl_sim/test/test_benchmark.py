from serl_sim.benchmark import measure


def test_shares_add_up():
    figures = measure("serl_sim/PcbInsertion-v0", steps=20)
    assert figures["steps_per_s"] > 10
    assert 0 < figures["law_share"] < figures["law_share"] + figures["mujoco_share"] < 1
    assert figures["render_share"] == figures["render_ms_per_image"] == 0


def test_images_are_counted():
    figures = measure("serl_sim/PcbInsertion-v0", steps=5, observations="vision")
    assert figures["render_ms_per_image"] > 0
    assert 0 < figures["render_share"] < 1
