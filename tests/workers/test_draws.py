from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import torch

from workers.draws import gaussian, generator


def test_seed_and_purpose_decide() -> None:
    draws = [
        generator(seed, purpose).random(4).tolist() for seed, purpose in ((1, "a"), (1, "a"), (2, "a"), (1, "b"), (11, "a"))
    ]
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws}) == 4


def test_the_same_in_another_process() -> None:
    code = "from workers.draws import gaussian; print(gaussian(7, 'noise/x', 3, (4,)).tolist())"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert there.stdout.strip() == str(gaussian(7, "noise/x", 3, (4,)).tolist())


def test_a_draw_does_not_depend_on_the_others() -> None:
    together = [gaussian(5, "noise", index, (50, 50)) for index in range(4)]
    np.testing.assert_array_equal(gaussian(5, "noise", 2, (50, 50)), together[2])
    flat = np.stack(together).reshape(4, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(4)).max() < 0.1


def test_draws_are_standard_normal() -> None:
    drawn = np.concatenate([gaussian(0, "noise", index, (1000,)) for index in range(20)])
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.03


def test_large_seeds_and_indices() -> None:
    assert np.isfinite(gaussian(2**80, "noise", 2**40, (3,))).all()


def test_process_wide_random_state_is_untouched() -> None:
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())
    gaussian(1, "noise", 0, (3,))
    generator(1, "plan").random(5)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
