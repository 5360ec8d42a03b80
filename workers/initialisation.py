"""Which initialisation a weight looks like, and whether its scale could carry a signal: by its fans.

Xavier: Glorot & Bengio, AISTATS 2010. He: He et al., ICCV 2015. LeCun: LeCun et al., Efficient BackProp, 1998. "torch": what
`nn.Linear` and `nn.Conv2d` draw when nobody says otherwise, uniform of standard deviation 1 / sqrt(3 fan_in).
"""

from __future__ import annotations

import math

from workers.whole import WeightFigures

CLOSE = 0.1
"""How far from an expected standard deviation a weight may be to look like it."""
NORMAL, UNIFORM = 3.0, 1.8
"""Kurtosis of the two distributions that weights are drawn from."""
TOO_WIDE = 3.0
"""Times the widest expected deviation: each such layer makes a signal as much larger, ten of them 59,000 times."""
TOO_NARROW = 0.1
"""Times the narrowest: weight decay makes healthy trained weights three or four times smaller than they began."""
CONSTANT = 1e-6
"""A deviation under this share of the mean is none: all units of the layer learn the same."""
FEWEST = 8
"""Numbers that a deviation can be judged by."""


def expected(figures: WeightFigures) -> dict[str, float]:
    """Standard deviations by name; none for what has no fans."""
    if figures.fan_in is None or figures.fan_out is None:
        return {}
    fan_in, fan_out = max(figures.fan_in, 1), max(figures.fan_out, 1)
    return {
        "he": math.sqrt(2 / fan_in),
        "xavier": math.sqrt(2 / (fan_in + fan_out)),
        "lecun": math.sqrt(1 / fan_in),
        "torch": math.sqrt(1 / (3 * fan_in)),
    }


def looks_like(figures: WeightFigures) -> str | None:
    """The initialisation of the nearest deviation, as "he_normal"; None when none is near, as after much training."""
    near = {name: abs(figures.std / std - 1) for name, std in expected(figures).items()}
    if not near or min(near.values()) > CLOSE:
        return None
    name = min(near, key=lambda each: near[each])
    normal = abs(figures.kurtosis - NORMAL) < abs(figures.kurtosis - UNIFORM)
    return f"{name}_{'normal' if normal else 'uniform'}"


def fault(figures: WeightFigures) -> str | None:
    """What is wrong with a weight, in words; None when nothing is."""
    if not figures.finite:
        return "holds NaN or infinity"
    sizes = expected(figures)
    if not sizes or math.prod(figures.shape) < FEWEST:
        return None
    if figures.low == figures.high == 0:
        return "is zero everywhere: nothing gets through, and no gradient does"
    if figures.std <= CONSTANT * abs(figures.mean):
        return "is the same number everywhere: its units all compute, and learn, the same"
    if figures.std > TOO_WIDE * max(sizes.values()):
        times = figures.std / sizes["he"]
        return f"is {times:.3g} times as wide as He's initialisation: signals and gradients grow with each such layer"
    if figures.std < TOO_NARROW * min(sizes.values()):
        return f"is {figures.std / sizes['xavier']:.3g} times as wide as Xavier's initialisation: signals and gradients fade"
    return None
