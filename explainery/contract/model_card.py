"""The model card: what a model is. Its inputs, outputs, labels, baseline and sample, as `card.toml` says them."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from explainery.contract.actionability import Actionability
from explainery.contract.errors import CardInvalid
from explainery.contract.reasons import ReasonCode
from explainery.contract.remote_card import RemoteSpec

Datatype = Literal["BOOL", "UINT8", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"]
"""Names of the Open Inference Protocol."""
FLOATS = ("FP16", "FP32", "FP64")

Format = Literal["onnx", "safetensors", "state_dict", "pt2", "torchscript", "remote", "stub"]
Modality = Literal["tabular", "image", "series", "text", "text_mask", "text_types", "tensor"]
FILLED = ("text_mask", "text_types")
"""Inputs that the tokenizer of a text fills: its attention mask, its token types. No client sends them, and they never play."""
MOST_ELEMENTS = 1 << 28
"""Of one row of an input or an output: a card may not make anybody who reads it allocate more."""
_SERIES_LAYOUTS = {(2, None), (2, "NT"), (3, None), (3, "NTC"), (3, "NCT")}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def is_model_name(name: str) -> bool:
    """Say whether `name` may name a model: letters, digits, `.`, `_`, `-`; at most 128."""
    return bool(_NAME.fullmatch(name))


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputSpec(_Strict):
    """One named input tensor. The first of `shape` is the row count; -1 means any."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    modality: Modality = "tensor"
    features: tuple[str, ...] | None = None
    units: tuple[str, ...] | None = None
    categories: dict[str, tuple[str, ...]] = {}
    """Feature name -> labels; the column holds the label's index."""
    groups: dict[str, tuple[str, ...]] = {}
    """Player name -> the features that move together (a one-hot block, say)."""
    actionability: Actionability | None = None
    """Tables: what may be changed of a row, by feature name, for counterfactuals."""
    layout: Literal["NCHW", "NHWC", "NHW", "NT", "NTC", "NCT"] | None = None
    """Image: NCHW, NHWC or NHW (needed). Series: NT, NTC (when not given) or NCT."""
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    range: tuple[float, float] | None = None
    tokenizer: str | None = None
    """Text (needed): a `tokenizer.json` in the card's folder, as Hugging Face's library `tokenizers` writes it."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Text: longer ones are cut, and their explanation says so."""
    embedding: str | None = None
    """Text: the layer that turns ids into vectors, where gradients are taken."""
    mask_token: str | None = None
    pad_token: str | None = None
    """Text: tokens of the vocabulary, where the tokenizer's own are not called [MASK], <mask>, [PAD] or <pad>."""
    of: str | None = None
    """text_mask and text_types: the text input that they go with, where there are several."""

    @property
    def filled(self) -> bool:
        """Whether the tokenizer of a text fills this input."""
        return self.modality in FILLED

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row, -1 for axes of any length."""
        return self.shape[1:]

    @property
    def row_elements(self) -> int | None:
        """How many numbers one row has; None when an axis is open."""
        return None if -1 in self.row_shape else math.prod(self.row_shape)

    @model_validator(mode="after")
    def _consistent(self) -> InputSpec:
        if not self.shape or self.shape[0] != -1 or any(size < -1 or size == 0 for size in self.shape):
            raise ValueError("shape must begin with -1 (the row count) and hold sizes >= 1 or -1 (any)")
        if math.prod(size for size in self.row_shape if size > 0) > MOST_ELEMENTS:
            raise ValueError(f"one row may have {MOST_ELEMENTS} elements at most")
        if self.modality == "tabular":
            self._check_table()
        elif self.actionability is not None:
            raise ValueError('actionability is for inputs of modality "tabular"')
        if self.modality == "image":
            self._check_image()
        if self.modality == "series" and (len(self.shape), self.layout) not in _SERIES_LAYOUTS:
            raise ValueError('a series has shape [-1, time], or [-1, time, channels] ("NTC") or [-1, channels, time] ("NCT")')
        self._check_text()
        return self

    def _check_text(self) -> None:
        of_text = (self.tokenizer, self.max_tokens, self.embedding, self.mask_token, self.pad_token)
        if self.modality != "text" and any(value is not None for value in of_text):
            raise ValueError('tokenizer, max_tokens, embedding, mask_token and pad_token are for inputs of modality "text"')
        if not self.filled and self.of is not None:
            raise ValueError('of is for inputs of modality "text_mask" and "text_types"')
        if (self.modality == "text" or self.filled) and len(self.shape) != 2:
            raise ValueError(f"an input of modality {self.modality} has shape [-1, tokens]; [-1, -1] for any number of them")
        if self.modality != "text":
            return
        if self.tokenizer is None:
            raise ValueError('a text input needs tokenizer = "tokenizer.json"; ids without a tokenizer are modality "tensor"')
        if self.datatype not in ("INT32", "INT64"):
            raise ValueError("a text input holds token ids: datatype INT64 or INT32")
        if self.max_tokens is not None and self.row_elements is not None and self.max_tokens > self.row_elements:
            raise ValueError(f"max_tokens is more than the {self.row_elements} tokens of the shape")

    def _check_table(self) -> None:
        if len(self.shape) != 2:
            raise ValueError("a tabular input has shape [-1, number of features]")
        columns = self.row_elements
        if self.features is not None and columns is None:
            raise ValueError("feature names need a shape that says how many columns there are")
        if self.features is not None and len(self.features) != columns:
            raise ValueError(f"{len(self.features)} feature names for {columns} columns")
        if self.features is not None and len(set(self.features)) != len(self.features):
            raise ValueError("feature names must differ")
        if self.units is not None and len(self.units) != len(self.features or ()):
            raise ValueError("units must have one entry per feature (an empty string where there is none)")
        known = set(self.features or ())
        unknown = sorted((set(self.categories) | {m for group in self.groups.values() for m in group}) - known)
        if unknown:
            raise ValueError(f"categories or groups name unknown features: {', '.join(unknown)}")
        grouped = [member for group in self.groups.values() for member in group]
        if len(set(grouped)) != len(grouped):
            raise ValueError("a feature may be in one group only")
        self._check_actionability()

    def _check_actionability(self) -> None:
        if self.actionability is None:
            return
        if self.features is None:
            raise ValueError("actionability needs feature names")
        for fault in self.actionability.faults(self.features, self.groups):
            raise ValueError(f"actionability: {fault}")

    def _check_image(self) -> None:
        if self.layout not in ("NCHW", "NHWC", "NHW"):
            raise ValueError('an image input needs layout = "NCHW", "NHWC" or "NHW"')
        if len(self.shape) != len(self.layout):
            raise ValueError(f"layout {self.layout} needs a shape of {len(self.layout)} axes")
        for name, values in (("mean", self.mean), ("std", self.std)):
            channels = {"NCHW": self.shape[1], "NHWC": self.shape[-1], "NHW": 1}[self.layout]
            if values is not None and len(values) not in (1, channels):
                raise ValueError(f"{name} must have one value, or one per channel ({channels})")
        if self.std is not None and any(value <= 0 for value in self.std):
            raise ValueError("std must be positive")


class OutputSpec(_Strict):
    """One named output tensor."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    kind: Literal["logits", "probabilities", "regression", "scores"] = "scores"
    labels: tuple[str, ...] | None = None
    unit: str | None = None

    @property
    def columns(self) -> int | None:
        """How many numbers a row's output has; None when an axis is open."""
        return None if -1 in self.shape[1:] else math.prod(self.shape[1:])

    @model_validator(mode="after")
    def _consistent(self) -> OutputSpec:
        if not self.shape or self.shape[0] != -1:
            raise ValueError("shape must begin with -1 (the row count)")
        if math.prod(size for size in self.shape if size > 0) > MOST_ELEMENTS:
            raise ValueError(f"one row may have {MOST_ELEMENTS} elements at most")
        if self.labels is not None and self.columns is not None and len(self.labels) != self.columns:
            raise ValueError(f"{len(self.labels)} labels for {self.columns} columns")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ")
        return self


class Sample(_Strict):
    """A file with one array per input, used to check and warm up the model."""

    file: str


class ModelCard(_Strict):
    """What a model is, as its `card.toml` says."""

    title: str
    format: Format
    file: str | None = None
    factory: str | None = None
    factory_args: dict[str, Any] = {}
    score: str | None = None
    inputs: tuple[InputSpec, ...] = Field(min_length=1)
    outputs: tuple[OutputSpec, ...] = Field(min_length=1)
    baseline: dict[str, float | str] = {}
    reasons: dict[str, ReasonCode] = {}
    """Feature or group -> what it is called in a notice."""
    sample: Sample | None = None
    stub: dict[str, Any] = {}
    """Format "stub" only: which closed form, and its constants (see `workers/runtimes/stub.py`)."""
    remote: RemoteSpec | None = None
    """Format "remote" only: who answers."""

    @property
    def score_output(self) -> OutputSpec:
        """The output that is explained."""
        return next(output for output in self.outputs if self.score in (None, output.name))

    @property
    def sent(self) -> tuple[InputSpec, ...]:
        """The inputs that clients send and that are explained: all but those that a tokenizer fills."""
        return tuple(spec for spec in self.inputs if not spec.filled)

    def text_of(self, spec: InputSpec) -> InputSpec:
        """The text input that a filled input goes with; a text's is itself."""
        if not spec.filled:
            return spec
        return next(text for text in self.inputs if text.modality == "text" and spec.of in (None, text.name))

    def input(self, name: str) -> InputSpec:
        """Return the input called `name`; KeyError when there is none."""
        for spec in self.inputs:
            if spec.name == name:
                return spec
        raise KeyError(name)

    def files(self) -> tuple[str, ...]:
        """Names of every file the card refers to, relative to its folder."""
        arrays = tuple(value for value in self.baseline.values() if isinstance(value, str))
        tokenizers = tuple(spec.tokenizer for spec in self.inputs if spec.tokenizer)
        return tuple(name for name in (self.file, self.sample.file if self.sample else None) if name) + arrays + tokenizers

    @field_validator("inputs", "outputs")
    @classmethod
    def _distinct(cls, specs: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [spec.name for spec in specs]
        if len(set(names)) != len(names):
            raise ValueError("names must differ")
        return specs

    @model_validator(mode="after")
    def _consistent(self) -> ModelCard:
        if self.format not in ("stub", "remote") and self.file is None:
            raise ValueError(f'format "{self.format}" needs file = "..."')
        if self.format in ("safetensors", "state_dict") and self.factory is None:
            raise ValueError(f'format "{self.format}" holds only weights and needs factory = "module:function"')
        if self.factory is not None and not re.fullmatch(r"[\w.]+:\w+", self.factory):
            raise ValueError('factory must be "module:function"')
        self._check_remote()
        outputs = [output.name for output in self.outputs]
        if self.score is None and len(outputs) > 1:
            raise ValueError('several outputs: name the explained one with score = "..."')
        if self.score is not None and self.score not in outputs:
            raise ValueError(f"score names no output; there are: {', '.join(outputs)}")
        unknown = sorted(set(self.baseline) - {spec.name for spec in self.sent})
        if unknown:
            raise ValueError(f"baseline names unknown inputs: {', '.join(unknown)}")
        self._check_filled()
        self._check_reasons()
        for name in self.files():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
                raise ValueError(f"file {name!r} must lie in the card's folder")
        return self

    def _check_reasons(self) -> None:
        tables = [spec for spec in self.inputs if spec.modality == "tabular"]
        known = {name for spec in tables for name in (*(spec.features or ()), *spec.groups)} | {spec.name for spec in self.sent}
        unknown = sorted(set(self.reasons) - known)
        if unknown:
            raise ValueError(f"reasons name unknown features or groups: {', '.join(unknown)}")
        texts: dict[str, str] = {}
        for reason in self.reasons.values():
            if texts.setdefault(reason.code, reason.text) != reason.text:
                raise ValueError(f"reasons give the code {reason.code} two texts")

    def _check_filled(self) -> None:
        texts = [spec for spec in self.inputs if spec.modality == "text"]
        for spec in self.inputs:
            if not spec.filled:
                continue
            of = [text for text in texts if spec.of in (None, text.name)]
            if len(of) != 1:
                names = ", ".join(text.name for text in texts) or "there is none"
                raise ValueError(f'input {spec.name} must say which text it goes with, of = "...": {names}')
            if of[0].shape != spec.shape:
                raise ValueError(f"input {spec.name} must have the shape of {of[0].name}, {list(of[0].shape)}")

    def _check_remote(self) -> None:
        if (self.format == "remote") != (self.remote is not None):
            raise ValueError('format "remote" needs a table [remote], and no other format has one')
        if self.remote is not None and self.file is not None:
            raise ValueError('format "remote" has no file')
        json = self.remote is not None and self.remote.protocol == "v2" and not self.remote.binary
        if json and "FP16" in ({spec.datatype for spec in self.inputs} | {spec.datatype for spec in self.outputs}):
            raise ValueError("FP16 has no form in JSON; set binary = true in [remote]")


def parse_card(text: str) -> ModelCard:
    """Read a `card.toml`.

    Raises CardInvalid with one error per fault, each with the place in the card (`inputs.0.shape`).
    """
    try:
        return ModelCard.model_validate(tomllib.loads(text))
    except RecursionError:
        detail = "card.toml nests its values too deeply."
        raise CardInvalid(detail, [{"loc": "card.toml", "msg": detail}]) from None
    except tomllib.TOMLDecodeError as error:
        raise CardInvalid(f"card.toml is not TOML: {error}", [{"loc": "card.toml", "msg": str(error)}]) from None
    except ValidationError as error:
        errors = [
            {"loc": ".".join(str(part) for part in fault["loc"]) or "card.toml", "msg": fault["msg"]}
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        listed = "; ".join(f"{fault['loc']}: {fault['msg']}" for fault in errors)
        raise CardInvalid(f"The card cannot be used: {listed}", errors) from None
