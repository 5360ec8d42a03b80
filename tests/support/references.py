"""shap, imported quietly: its import draws on what matplotlib is about to remove, and warnings are errors here.

Its loops stay Python: compiling them takes longer than our small cases.
"""

from __future__ import annotations

import warnings

import numba

numba.config.DISABLE_JIT = True  # type: ignore[attr-defined]  # numba sets its settings from outside
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shap

__all__ = ["shap"]
