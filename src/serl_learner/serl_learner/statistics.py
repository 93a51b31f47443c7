"""Intervals of what was measured on few trials."""

import math

Z_95 = 1.959964  # standard normal quantile of a two-sided 95 % interval


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % confidence interval of a rate; unlike the normal one, it is right near 0 and 1 too."""
    rate = successes / trials
    weight = Z_95**2 / trials
    centre = (rate + weight / 2) / (1 + weight)
    half = math.sqrt(rate * (1 - rate) * weight + weight**2 / 4) / (1 + weight)
    # It holds the rate, whatever rounding makes of 0 and 1.
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))
