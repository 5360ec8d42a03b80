"""The one table: every rule is reachable, says why, and has its figure in a check or in `quality`."""

from __future__ import annotations

import pytest

from workers.registry import discover
from workers.thresholds import NEVER, TABLE, Rule, judged, rule_of, worst

OF_EVERY_ANSWER = {"completeness_gap", "same_output", "unconverged", "sampling_error", "unexplained"}


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: f"{rule.figure}-{rule.method}")
def test_a_rule_warns_before_it_fails_and_says_why(rule: Rule) -> None:
    assert rule.fail <= rule.warn if rule.falls else rule.warn <= rule.fail
    verdict, reason = judged(rule.figure, rule.warn, rule.method)
    assert verdict == "warn"
    assert reason
    assert "{" not in reason
    if abs(rule.fail) < NEVER:
        assert judged(rule.figure, rule.fail, rule.method)[0] == "fail"
    better = rule.warn + (1e-6 if rule.falls else -1e-6)
    assert judged(rule.figure, better, rule.method) == ("pass", None)


def test_figures_are_those_of_checks_and_methods_are_on_offer() -> None:
    found = discover()
    for rule in TABLE:
        check = rule.figure.partition(".")[0]
        assert rule.figure in OF_EVERY_ANSWER or check in found.checks
        assert rule.method == "*" or rule.method in found.methods
    assert len({(rule.figure, rule.method) for rule in TABLE}) == len(TABLE)


def test_a_size_without_a_direction_does_not_fail_for_the_direction() -> None:
    """Of a feature that speaks against the output, what matters most is the first to be deleted, and the output rises."""
    found = discover()
    specs = {name: method.SPEC for name, method in found.methods.items() if method.SPEC.about == "output"}
    sizes = [name for name, spec in specs.items() if not (spec.contributes or spec.slopes)]
    assert {"sobol", "hsic", "var_grad", "square_grad"} <= set(sizes)
    for name in sizes:
        for figure in ("deletion.score", "deletion.kept", "insertion.score", "infidelity.score", "infidelity.correlation"):
            assert judged(figure, -9.0, name)[0] == "warn"
            assert judged(figure, 3.0, name)[0] == "pass"


def test_what_is_not_known_decides_nothing() -> None:
    assert judged("deletion.score", None, "any") == ("pass", None)
    assert judged("deletion.area", 1e9, "any") == ("pass", None)
    assert rule_of("deletion.area", "any") is None


def test_the_worst_counts() -> None:
    assert worst([]) == "pass"
    assert worst(["pass", "fail", "warn"]) == "fail"
