from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from by_hand import Solved, solve, table_game
from references import shap

from explainery.contract.errors import InvalidParameter
from workers.game import Game, InputView, Partition
from workers.hierarchy import Tree, coalitions_of, leaves
from workers.methods import exact_shapley, owen
from workers.neighbourhood import tree_of

RANDOM = np.random.default_rng(5).normal(size=64)
CHAIN = [[0, [1, [2, [3, [4, 5]]]]]]
TREES = (
    [[0, 1], [2, [3, 4]], 5],
    [[0, 1, 2], [3, 4, 5]],
    [[0, 1], [2, 3], [4, 5]],
    [0, 1, 2, 3, 4, 5],
    [[0, [1, [2, [3, [4, 5]]]]]],
)


def game(points: np.ndarray) -> np.ndarray:
    return RANDOM[(points > 0.5) @ (1 << np.arange(6))]


def run(tree: Any, **params: Any) -> Solved:
    return solve(owen, game, np.ones(6), params={"hierarchy": tree, **params})


def orders(tree: Any) -> Iterator[list[int]]:
    """Every order in which no group is interrupted."""
    if isinstance(tree, int):
        yield [tree]
        return
    for shuffled in itertools.permutations(tree):
        for parts in itertools.product(*[list(orders(child)) for child in shuffled]):
            yield [player for part in parts for player in part]


def by_orders(tree: Any) -> tuple[np.ndarray, int]:
    """The mean change over every consistent order, and how many coalitions they pass."""
    phi, passed, every = np.zeros(6), set(), list(orders(tree))
    for order in every:
        there = 0
        for player in order:
            phi[player] += (RANDOM[there | 1 << player] - RANDOM[there]) / len(every)
            there |= 1 << player
            passed.add(there)
    return phi, len(passed - {63})


@pytest.mark.parametrize("tree", TREES)
def test_the_mean_over_all_consistent_orders(tree: Any) -> None:
    expected, passed = by_orders(tree)
    solved = run(tree)
    np.testing.assert_allclose(solved.phi, expected, atol=1e-12)
    assert solved.evaluations == passed
    assert solved.solution.converged
    assert solved.solution.standard_error is not None
    assert not np.any(solved.solution.standard_error)


def test_groups_of_one_are_the_shapley_value() -> None:
    np.testing.assert_allclose(run([0, 1, 2, 3, 4, 5]).phi, solve(exact_shapley, game, np.ones(6)).phi, atol=1e-12)


def test_a_groups_values_sum_to_its_own_as_one_player() -> None:
    grouped = solve(exact_shapley, game, np.ones(6), labels=[0, 0, 1, 1, 1, 2]).phi
    phi = run([[0, 1], [2, 3, 4], 5]).phi
    np.testing.assert_allclose([phi[:2].sum(), phi[2:5].sum(), phi[5]], grouped, atol=1e-12)


def test_gloves_by_hand() -> None:
    """One left glove (0) and two right ones (1, 2), the right ones in a union: the union's half is shared evenly."""
    gloves = table_game(lambda there: float(0 in there and len(there) > 1), 3)
    np.testing.assert_allclose(
        solve(owen, gloves, np.ones(3), params={"hierarchy": [0, [1, 2]]}).phi, [1 / 2, 1 / 4, 1 / 4], atol=1e-12
    )
    np.testing.assert_allclose(
        solve(owen, gloves, np.ones(3), params={"hierarchy": [0, 1, 2]}).phi, [2 / 3, 1 / 6, 1 / 6], atol=1e-12
    )


def test_sampled_orders_come_near_and_say_how_near() -> None:
    """With 54 evaluations, where 64 would be exact: complete in each, right in the mean, intervals hold."""
    tree = [[0, 1, 2, 3, 4], 5]
    expected, _ = by_orders(tree)
    runs = [
        solve(owen, game, np.ones(6), params={"hierarchy": tree, "samples": 54, "tolerance": 0}, seed=s) for s in range(200)
    ]
    found = np.array([each.phi for each in runs])
    errors = np.array([each.solution.standard_error for each in runs])
    np.testing.assert_allclose(found.sum(axis=1), RANDOM[63] - RANDOM[0], atol=1e-10)
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=4 * found.std(axis=0).max() / np.sqrt(200))
    assert 0.85 <= float((np.abs(found - expected) <= 1.96 * errors).mean()) <= 1
    assert all(each.evaluations + 2 <= 54 for each in runs)
    assert all(each.solution.converged is None for each in runs)


def test_too_few_samples_are_said() -> None:
    solved = run(TREES[1], samples=8)
    assert solved.solution.converged is False
    assert "Raise samples" in solved.solution.notes[0]


@pytest.mark.parametrize(
    ("tree", "message"),
    [([[0, 1], 1], "twice"), ([7], "does not play"), (["age"], "does not play"), ([[True]], "nested lists")],
)
def test_a_tree_that_does_not_fit(tree: Any, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        run(tree)


def test_names_and_what_is_left_out() -> None:
    partition = Partition({"table": np.arange(4)}, names={"table": ("age", "income", "debt", "city")})
    tree = tree_of(Game(partition), [["income", "debt"]])
    assert tree == ((1, 2), 0, 3)


def test_a_picture_is_halved_by_place_and_a_table_is_not() -> None:
    labels = np.arange(16).reshape(1, 4, 4)
    picture = Game(Partition({"x": labels}), inputs=(InputView("x", (1, 4, 4), "image", "NCHW"),))
    tree = tree_of(picture, None)
    assert [sorted(leaves(half)) for half in _children(tree)] == [list(range(8)), list(range(8, 16))]
    assert coalitions_of(tree) == 170  # 2/3 (n^2 - 1)
    table = Game(Partition({"x": np.arange(4)}), inputs=(InputView("x", (4,), "tabular"),))
    assert tree_of(table, None) == (0, 1, 2, 3)


def _children(tree: Tree) -> tuple[Tree, ...]:
    assert isinstance(tree, tuple)
    return tree


def test_as_shap_partition_has_it() -> None:
    """shap's PartitionExplainer computes Owen values of a binary tree."""
    weights = np.random.default_rng(0).normal(size=(8, 8))
    f = lambda points: np.einsum("ni,ij,nj->n", points, weights, points)  # noqa: E731
    linkage = np.array(
        [[0, 1, 1, 2], [2, 3, 1, 2], [4, 5, 1, 2], [6, 7, 1, 2], [8, 9, 2, 4], [10, 11, 2, 4], [12, 13, 3, 8]], float
    )
    masker = shap.maskers.Partition(np.zeros((1, 8)), max_samples=1, clustering=linkage)
    x = np.random.default_rng(1).normal(size=8)
    theirs = shap.explainers.Partition(f, masker)(x[None], max_evals=10_000, silent=True).values[0]
    ours = solve(owen, f, x, params={"hierarchy": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]}).phi
    np.testing.assert_allclose(ours, theirs, atol=1e-8)
