"""What is on offer: models, layers, methods, checks; and adding a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explainery.client.operations.paths import given, path
from explainery.client.steps import Steps, read, write


def models() -> Steps[list[dict[str, Any]]]:
    """The models on offer, each with its card, versions and which methods it can be explained by."""
    return list((yield read("/v1/models")).json()["models"])


def model(name: str) -> Steps[dict[str, Any]]:
    """One model."""
    return dict((yield read(path("v1", "models", name))).json())


def layers(name: str) -> Steps[list[dict[str, Any]]]:
    """The layers of a model, in the order in which they put out their results, and the methods that work on each."""
    return list((yield read(path("v1", "models", name, "layers"))).json()["layers"])


def add_model(
    name: str, files: Mapping[str, bytes], *, version: int | None = None, factory: str | None = None
) -> Steps[dict[str, Any]]:
    """Add a model to the service's repository as a new version, for operators: off unless the service allows it.

    `files`: file name -> content: the model and, where one likes, `card.toml` and samples. The answer says the version, and
    what is `left` to fill into the card.
    """
    form = given(name=name, version=None if version is None else str(version), factory=factory)
    sent = [("file", (file, content)) for file, content in files.items()]
    return dict((yield write("POST", "/v1/models", data=form, files=sent)).json())


def methods() -> Steps[list[dict[str, Any]]]:
    """The methods on offer, each with its parameters."""
    return list((yield read("/v1/methods")).json()["methods"])


def method(name: str) -> Steps[dict[str, Any]]:
    """One method."""
    return dict((yield read(path("v1", "methods", name))).json())


def quality_checks() -> Steps[list[dict[str, Any]]]:
    """The checks that `quality` may name, each with its parameters."""
    return list((yield read("/v1/quality-checks")).json()["checks"])
