"""The onnx package's node tests: at least nine in ten pass, none is accepted and wrong, and the page in docs says which."""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import onnx_nodes
import pytest

ROOT = Path(__file__).parents[4]


def test_nine_in_ten_pass_none_is_wrong_and_the_page_says_so() -> None:
    """`python docs/onnx_operators.py` writes the page. Another onnx package has other tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's and NumPy's, about the numbers that these tests are made of
        outcomes = [onnx_nodes.run(case) for case in onnx_nodes.cases()]
    kinds = Counter(outcome.kind for outcome in outcomes)
    assert [outcome.case.name for outcome in outcomes if outcome.kind == "wrong"] == []
    assert kinds["passed"] >= 0.9 * (len(outcomes) - kinds["out of scope"])
    writer = page_writer()
    written = writer.PAGE.read_text(encoding="utf-8")
    if f"({onnx.__version__})" not in written:
        pytest.skip("the page was written with another version of the onnx package")
    assert written == writer.page(outcomes)


def page_writer() -> Any:
    """docs/onnx_operators.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("onnx_operators", ROOT / "docs" / "onnx_operators.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
