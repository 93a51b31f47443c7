import json
import math

import numpy as np
import pytest

from serl_reward.classifier_report import Confusion, hardest

LABELS = np.array([True] * 10 + [False] * 40)
PROBABILITIES = np.array([0.9] * 8 + [0.5, 0.2] + [0.6] * 4 + [0.1] * 36)


def test_rates_by_hand():
    confusion = Confusion.of(LABELS, PROBABILITIES)
    assert confusion == Confusion(9, 1, 4, 36)  # a half is a success
    assert confusion.matrix().tolist() == [[36, 4], [1, 9]]
    values = {name: rate.value for name, rate in confusion.rates().items()}
    assert values == pytest.approx(
        {
            "accuracy": 45 / 50,
            "balanced_accuracy": (9 / 10 + 36 / 40) / 2,
            "precision": 9 / 13,
            "recall": 9 / 10,
            "specificity": 36 / 40,
        }
    )
    # Wilson's of 9 of 10 and of 36 of 40; half the root of the sum of squares of their arms.
    assert (confusion.recall.low, confusion.recall.high) == pytest.approx(
        (0.5958, 0.9821), abs=1e-4
    )
    assert confusion.specificity.low == pytest.approx(0.7695, abs=1e-4)
    low = 0.9 - math.hypot(0.9 - 0.5958, 0.9 - 0.7695) / 2
    assert confusion.balanced_accuracy.low == pytest.approx(low, abs=1e-4)
    assert confusion.balanced_accuracy.high < 1.0


def test_what_judges_nothing_a_success_has_no_precision():
    figures = Confusion.of(LABELS, np.zeros(50)).figures()
    assert figures["precision"] is None
    assert figures["balanced_accuracy"][0] == 0.5
    assert json.loads(json.dumps(figures)) == json.loads(json.dumps(figures, allow_nan=False))


def test_the_worst_mistakes_come_first():
    title, chosen = hardest(LABELS, PROBABILITIES, 9)
    assert title == "worst mistakes"
    assert chosen.tolist() == [9, 10, 11, 12, 13]
    title, chosen = hardest(LABELS[:8], np.array([0.9, 0.8, 0.7, 0.6, 0.9, 0.9, 0.9, 0.9]), 2)
    assert title == "no mistakes; least sure of"
    assert chosen.tolist() == [3, 2]
