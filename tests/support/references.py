"""shap, imported quietly: its import draws on what matplotlib is about to remove, and warnings are errors here."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shap

__all__ = ["shap"]
