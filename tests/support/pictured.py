"""Results to draw: documents as the wire has them, with known numbers, and the cards they belong to."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import numpy as np

from explainery.contract.model_card import ModelCard
from explainery.figures.subject import Subject, read_subject

NAMES = ("age", "sex", "body mass index", "blood pressure", "total cholesterol", "LDL cholesterol", "HDL cholesterol",
         "cholesterol/HDL", "log triglycerides", "glucose", "<script>alert(1)</script> & co")  # fmt: skip
UNITS = ("years", "", "kg/m²", "mmHg", "mg/dl", "mg/dl", "mg/dl", "", "", "mg/dl", "")
PATIENT = (54.0, 1.0, 36.1, 115.0, 163.0, 98.4, 43.0, 4.0, 4.6821, 101.0, 7.5)
SHARES = (-3.25, -11.5, 61.875, 22.0625, -4.75, 7.125, 9.5, 0.40625, 14.375, 2.5, -0.3125)
CLASSES = tuple(str(digit) for digit in range(10))


def card(spec: dict[str, Any], output: dict[str, Any] | None = None) -> ModelCard:
    logits = {"name": "logits", "datatype": "FP32", "shape": (-1, 10), "kind": "logits", "labels": CLASSES}
    outputs = [output or logits]
    return ModelCard.model_validate(
        {"title": "t", "format": "stub", "inputs": [{"datatype": "FP32", **spec}], "outputs": outputs}
    )


POINTS = {"name": "progression", "datatype": "FP32", "shape": (-1, 1), "kind": "regression", "unit": "points"}
TABLE = card(
    {
        "name": "input", "shape": (-1, len(NAMES)), "modality": "tabular", "features": NAMES, "units": UNITS,
        "categories": {"sex": ("female", "male")},
    },
    POINTS,
)  # fmt: skip
IMAGE = card({"name": "input", "shape": (-1, 3, 12, 16), "modality": "image", "layout": "NCHW", "mean": (0.5,), "std": (0.25,)})
SERIES = card({"name": "wave", "shape": (-1, 3, 60), "modality": "series", "layout": "NCT"})
WORDS = card({"name": "text", "shape": (-1, -1), "modality": "text", "tokenizer": "tokenizer.json", "datatype": "INT64"})


def tree_of(svg: bytes) -> ElementTree.Element:
    """The SVG as a tree, which it must be."""
    return ElementTree.fromstring(svg)  # noqa: S314  # we drew it


def attribution(values: Any, name: str = "input", **more: Any) -> dict[str, Any]:
    array = np.asarray(values, dtype=np.float64)
    return {"input": name, "shape": list(array.shape), "datatype": "FP32", "data": array.reshape(-1).tolist(), **more}


def document(
    *attributions: dict[str, Any], gap: float | None = 0.0, change: float | None = None, **more: Any
) -> dict[str, Any]:
    """A result of one row. `change`: the output's change, the attributions' sum when not given."""
    total = math.fsum(sum(entry["data"]) for entry in attributions) if change is None else change
    row = {
        "target": {"output": "logits", "index": 3, "label": "3"}, "baseline_output": 88.5, "instance_output": 88.5 + total,
        "attributions": list(attributions), "quality": {"completeness_gap": gap, "notes": []},
    } | more.pop("row", {})  # fmt: skip
    return {"model": {"name": "digits"}, "method": "integrated_gradients", "explanations": [row], **more}


def patient(**more: Any) -> Subject:
    told = document(attribution(SHARES), row={"target": {"output": "progression", "index": None, "label": None}}, **more)
    return read_subject(told, 0, TABLE, {"input": np.array(PATIENT)})


def digit() -> Subject:
    """An image of three channels and its attribution, a gradient with a spot."""
    picture, values = _picture()
    return read_subject(document(attribution(values)), 0, IMAGE, {"input": (picture - 0.5) / 0.25})


def _picture() -> tuple[Any, Any]:
    rows, columns = np.mgrid[0:12, 0:16]
    picture = np.stack([rows / 11, columns / 15, ((rows - 6) ** 2 + (columns - 8) ** 2 < 16) * 0.9])
    values = np.sin(rows / 3) * np.cos(columns / 4) * np.array([0.5, 0.25, -0.125]).reshape(3, 1, 1)
    values[0, 5, 8] = 2.0
    return picture, values


def waves() -> Subject:
    time = np.arange(60) / 60
    given = np.stack([np.sin(9 * time), np.cos(14 * time), time])
    return read_subject(document(attribution(given * np.array([[1.0], [0.3], [-0.2]]), "wave")), 0, SERIES, {"wave": given})


TEXT = 'The film is <b>not</b> bad & "quite"   good,\nreally — though a bit long for what it has to say in the end.'


def sentence() -> Subject:
    import re

    spans = [(found.start(), found.end()) for found in re.finditer(r"\w+|[^\w\s]", TEXT)]
    values = [math.sin(place * 1.7) for place in range(len(spans))]
    tokens = [TEXT[start:end] for start, end in spans]
    entry = attribution(values, "text", features=tokens, offsets=[list(span) for span in spans])
    return read_subject(document(entry), 0, WORDS, {"text": TEXT.encode()})


def report() -> dict[str, Any]:
    paths = ["features.0", "features.1", "features.3", "classifier.0", "classifier.2"]
    layers = [
        {"path": path, "type": "Conv2d" if place < 3 else "Linear", "gradient_norm": 10.0 ** (-place), "activation_mean": 0.1,
         "activation_std": 1.0 / (place + 1), "dead_share": 0.2 * place}
        for place, path in enumerate(paths)
    ]  # fmt: skip
    del layers[1]["dead_share"]
    layers[4]["gradient_norm"] = 0.0
    return {"layers": layers, "findings": [{"layer": "features.3", "text": "Gradients vanish from features.3 on."}]}


def reported() -> Subject:
    return read_subject(document(attribution([0.0]), report=report()), 0)


def activated() -> Subject:
    rows, columns = np.mgrid[0:7, 0:7]
    maps = np.stack([np.sin(rows * (place + 1) / 4) * np.cos(columns / (place + 1)) * (place % 7) for place in range(20)])
    return read_subject(document(attribution(maps, layer="features.3")), 0, IMAGE)


def single_map() -> Subject:
    values = np.arange(49.0).reshape(7, 7) - 10
    entry = {"name": "cam", "layer": "conv2", "shape": [7, 7], "axes": ["height", "width"], "data": values.reshape(-1).tolist()}
    return read_subject(document(attribution([1.0, 2.0]), row={"maps": [entry]}), 0)


def ascended() -> Subject:
    picture, _ = _picture()
    made = (picture - 0.5) / 0.25
    entry = {
        "name": "picture",
        "shape": list(made.shape),
        "axes": ["channel", "height", "width"],
        "data": made.reshape(-1).tolist(),
    }
    return read_subject(document(row={"maps": [entry], "attributions": []}), 0, IMAGE)


HEADS = np.random.default_rng(3).dirichlet(np.full(9, 0.4), size=(4, 9))
"""[head, query, key]"""


def attended() -> Subject:
    tokens = ["[CLS]", "the", "film", "is", "<b>not</b>", "bad", "&", "good", "[SEP]"]
    entry = {"name": "weights", "layer": "encoder.0", "shape": [4, 9, 9], "axes": ["head", "query", "key"]}
    maps = [entry | {"data": HEADS.reshape(-1).tolist()}]
    return read_subject(document(attribution(np.arange(9) / 9, "text", features=tokens), row={"maps": maps}), 0, WORDS)


def one_head() -> Subject:
    import dataclasses

    return dataclasses.replace(attended(), head=2)


def job_report(method: str, report: dict[str, Any], maps: tuple[dict[str, Any], ...] = (), row: int = 0) -> Subject:
    """What a method found that answers for a job as a whole."""
    told = {"model": {"name": "patients"}, "method": method, "explanations": [], "report": report, "maps": list(maps)}
    return read_subject(told, row, TABLE)


SLOPES = np.array([0.0, 1.0, -4.0])


def followed(method: str = "ice") -> Subject:
    """Three rows, or outputs, along a feature, a category and a pair: slope times the values' sum."""
    grids = [[[20.0, 50.0, 80.0]], [[0.0, 1.0]], [[20.0, 50.0], [0.0, 1.0]]]
    features, labels = [["age"], ["sex"], ["age", "sex"]], [None, ["female", "male"]]
    curves, maps = [], []
    for number, (names, grid) in enumerate(zip(features, grids, strict=True)):
        sums = np.add.outer(*map(np.array, grid)) if len(grid) == 2 else np.array(grid[0])
        values = np.multiply.outer(SLOPES, sums)
        axes = ["row" if method == "ice" else "output", "value", "value_2"][: values.ndim]
        maps.append({"name": f"m_{number}", "shape": list(values.shape), "axes": axes, "data": values.reshape(-1).tolist()})
        shown = {"labels": [labels[name == "sex"] for name in names]} if "sex" in names else {}
        curves.append({"features": names, "grids": grid, "map": f"m_{number}", **shown})
    return job_report(method, {"rows": 3, "output": "y", "labels": ["a", "b", "c"], "curves": curves}, tuple(maps))


def otherwise(row: int = 1) -> Subject:
    """A row without a counterfactual, and one with two: a number and a category change."""
    refused, granted = (
        {"output": "y", "index": at, "label": name, "values": [0.25, 0.75][:: 1 - 2 * at]}
        for at, name in enumerate(("no", "yes"))
    )
    first = {"changes": [{"feature": "age", "from": 54.0, "to": 50.5}], "outcome": granted}
    second = {
        "changes": [{"feature": "sex", "from": "female", "to": "male"}, {"feature": "age", "from": 54.0, "to": 55.0}],
        "outcome": granted,
    }
    found = {"row": 1, "outcome": refused, "counterfactuals": [first, second], "quality": {"notes": ["2 of 3 were found."]}}
    return job_report("counterfactual", {"rows": [{"row": 0, "outcome": granted, "counterfactuals": []}, found]}, row=row)


def shuffled(*importances: float) -> Subject:
    features = [
        {"feature": name, "importance": amount, "standard_error": 0.125}
        for name, amount in zip(NAMES, importances or (0.5, -0.25, 2.0), strict=False)
    ]
    told = {"rows": 40, "loss": "squared", "against": "truth", "loss_of_rows": 1.5, "features": features}
    return job_report("permutation_importance", told)


def ruled(*conditions: dict[str, Any], label: str | None = "yes") -> Subject:
    """A row whose outcome a rule holds in place."""
    rule = [{"low": None, "high": None, "equals": None, **condition} for condition in conditions]
    told = {
        "row": 0, "outcome": {"output": "y", "index": 1, "label": label, "values": [0.25, 0.75]}, "rule": rule,
        "precision": 0.975, "coverage": 0.125, "quality": {"notes": ["Searched for long."]},
    }  # fmt: skip
    return job_report("anchors", {"confidence": 0.99, "rows": [told]})


def removed() -> Subject:
    """A row whose quality was checked by taking features away and by putting them back."""
    chance = {"share": [0.0, 0.5, 1.0], "random_mean": 4.5, "random_spread": 0.25, "verdict": "pass"}
    checks = {
        "deletion": {**chance, "curve": [8.0, 2.0, 1.0], "area": 3.25},
        "insertion": {**chance, "curve": [1.0, 7.0, 8.0], "area": 5.75},
        "infidelity": {"infidelity": 0.5},
    }
    row = {"quality": {"completeness_gap": 0.0, "notes": [], "checks": checks}}
    return read_subject(document(attribution([4.0, 3.0]), row=row), 0)


PAIRS = np.array([[3.0, -0.5, 1e-9], [-0.5, 1.0, 0.25], [1e-9, 0.25, 0.125]])


def paired() -> Subject:
    """Three features and what their pairs change."""
    entry = {"name": "interactions", "axes": ["player", "player"], "shape": [3, 3], "data": PAIRS.reshape(-1).tolist()}
    told = document(attribution([1.0, 2.0, 3.0], features=["age", "sex", "weight"]), row={"maps": [entry]})
    return read_subject(told, 0)
