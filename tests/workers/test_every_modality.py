"""One suite over every modality there is: groups, what may be asked of them, decoding, and baselines."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from explainery.contract.errors import InputUndecodable, InvalidBaseline, InvalidParameter
from explainery.contract.model_card import InputSpec
from workers.modalities import image, series, tabular, tensor
from workers.plugins import Groups
from workers.registry import discover

MODALITIES = discover().modalities


def spec(modality: str, *row: int, **more: Any) -> InputSpec:
    return InputSpec.model_validate({"name": "input", "datatype": "FP32", "shape": (-1, *row), "modality": modality, **more})


TABLE = spec("tabular", 5, features=["age", "sex_f", "sex_m", "income", "sex"], groups={"gender": ["sex_f", "sex_m"]})
PLAIN = spec("tabular", 5, features=["a", "b", "c", "d", "e"])
PICTURE = spec("image", 3, 10, 12, layout="NCHW")
LAST = spec("image", 10, 12, 3, layout="NHWC")
GREY = spec("image", 10, 12, layout="NHW")
TIMES = spec("series", 40, 2)
CHANNELS_FIRST = spec("series", 2, 40, layout="NCT")
SHORT = spec("series", 5)
CUBE = spec("tensor", 2, 3, 4)
TEXT = spec("text", 6, datatype="INT64", tokenizer="tokenizer.json")


@dataclass(frozen=True)
class Cut:
    """A cut of an input: how many groups it must make, and whether attributions are reported per group."""

    modality: str
    spec: InputSpec
    features: dict[str, Any] | None
    groups: int
    grouped: bool


CUTS = {
    "tensor": Cut("tensor", CUBE, None, 24, False),
    "tabular": Cut("tabular", PLAIN, None, 5, False),
    "tabular, no names": Cut("tabular", spec("tabular", 7), None, 7, False),
    "tabular, groups of the card": Cut("tabular", TABLE, None, 4, True),
    "tabular, groups": Cut("tabular", PLAIN, {"groups": {"ends": ["a", "e"], "c": ["c"]}}, 4, True),
    "tabular, groups over the card's": Cut("tabular", TABLE, {"groups": {"money": ["income"]}}, 5, True),
    "image": Cut("image", PICTURE, None, 64, False),
    "image, channels last": Cut("image", LAST, None, 64, False),
    "image, grey": Cut("image", GREY, None, 64, False),
    "image, small": Cut("image", spec("image", 1, 3, 2, layout="NCHW"), None, 6, False),
    "image, grid": Cut("image", PICTURE, {"grid": 2}, 4, True),
    "image, grid of two": Cut("image", PICTURE, {"grid": [3, 5]}, 15, True),
    "image, grid of all": Cut("image", LAST, {"grid": [10, 12]}, 120, True),
    "series": Cut("series", TIMES, None, 14, False),
    "series, channels first": Cut("series", CHANNELS_FIRST, None, 14, False),
    "series, short": Cut("series", SHORT, None, 5, False),
    "series, window": Cut("series", TIMES, {"window": 7}, 6, True),
    "text, once it is cut": Cut("text", TEXT, None, 6, True),
    "series, window too long": Cut("series", TIMES, {"window": 1000}, 1, True),
}


def groups(cut: Cut) -> Groups:
    return MODALITIES[cut.modality].groups(cut.spec, cut.spec.row_shape, cut.features)


def test_every_modality_has_a_cut() -> None:
    assert {cut.modality for cut in CUTS.values()} == set(MODALITIES)


@pytest.mark.parametrize("name", CUTS)
def test_groups_cover_every_element_and_are_numbered_through(name: str) -> None:
    cut = CUTS[name]
    made = groups(cut)
    assert made.labels.dtype == np.int64
    assert made.labels.shape == cut.spec.row_shape
    assert np.array_equal(np.unique(made.labels), np.arange(cut.groups))
    assert made.grouped is cut.grouped
    assert made.names is None or len(made.names) == cut.groups


@pytest.mark.parametrize("name", [name for name, cut in CUTS.items() if cut.spec in (PICTURE, LAST, TIMES, CHANNELS_FIRST)])
def test_channels_of_a_place_move_together(name: str) -> None:
    cut = CUTS[name]
    axis = {"NCHW": 0, "NHWC": 2, "NCT": 0, None: 1}[cut.spec.layout]
    labels = groups(cut).labels
    assert (np.ptp(labels, axis=axis) == 0).all()


def test_a_one_hot_block_is_one_player() -> None:
    made = groups(CUTS["tabular, groups of the card"])
    assert made.labels.tolist() == [0, 1, 1, 2, 3]
    assert made.names == ("age", "gender", "income", "sex")


def test_a_group_named_like_a_feature_outside_it_does_not_swallow_it() -> None:
    made = tabular.groups(PLAIN, (5,), {"groups": {"a": ["b", "c"]}})
    assert made.labels.tolist() == [0, 1, 1, 2, 3]


def test_names_tell_the_place() -> None:
    assert groups(CUTS["image, grid"]).names == ("patch 0,0", "patch 0,1", "patch 1,0", "patch 1,1")
    labels = groups(CUTS["image, grid"]).labels
    assert (labels[0, 0, 0], labels[0, 0, -1], labels[0, -1, 0], labels[0, -1, -1]) == (0, 1, 2, 3)
    names = groups(CUTS["series, window"]).names
    assert names is not None
    assert (names[0], names[-1]) == ("steps 0-6", "steps 35-39")


def test_patches_are_of_about_one_size() -> None:
    sizes = np.bincount(groups(CUTS["image, grid of two"]).labels.reshape(-1))
    assert sizes.max() <= 2 * sizes.min()


WRONG = {
    "tensor": (CUBE, [{"grid": 2}, {"window": 2}, {"groups": {"a": ["b"]}}]),
    "tabular": (
        PLAIN,
        [{"grid": 2}, {"window": 2}, {"groups": {"x": ["unknown"]}}, {"groups": {"x": ["a"], "y": ["a"]}},
         {"groups": {"x": ["a", "a"]}}],
    ),
    "text": (TEXT, [{"grid": 2}, {"window": 2}, {"groups": {"a": ["b"]}}]),
    "image": (PICTURE, [{"window": 2}, {"groups": {"a": ["b"]}}, {"grid": 11}, {"grid": [2, 13]}, {"grid": [1, 2, 3]}]),
    "series": (TIMES, [{"grid": 2}, {"groups": {"a": ["b"]}}, {"window": [2, 3]}]),
}  # fmt: skip


@pytest.mark.parametrize("modality", MODALITIES)
def test_what_does_not_fit_is_refused_with_a_sentence(modality: str) -> None:
    asked, wrong = WRONG[modality]
    for features in wrong:
        with pytest.raises(InvalidParameter, match=r"features.*\.$"):
            MODALITIES[modality].groups(asked, asked.row_shape, features)


def test_groups_need_names() -> None:
    with pytest.raises(InvalidParameter, match="use labels"):
        tabular.groups(spec("tabular", 5), (5,), {"groups": {"a": ["b"]}})


# --- baselines


@pytest.mark.parametrize("modality", MODALITIES)
def test_unknown_baselines_are_refused(modality: str) -> None:
    asked = WRONG[modality][0]
    rows = np.ones((2, *asked.row_shape), np.float32)
    with pytest.raises(InvalidBaseline):
        MODALITIES[modality].baseline(asked, "median", rows, rows)
    if modality != "image":
        with pytest.raises(InvalidBaseline):
            MODALITIES[modality].baseline(asked, "blur", rows, rows)


@pytest.mark.parametrize(("plugin", "asked"), [(tabular, PLAIN), (tensor, CUBE)])
def test_the_mean_is_over_the_sample(plugin: Any, asked: InputSpec) -> None:
    sample = np.random.Generator(np.random.Philox(1)).normal(size=(6, *asked.row_shape)).astype(np.float32)
    rows = np.ones((2, *asked.row_shape), np.float32)
    made = plugin.baseline(asked, "mean", rows, sample)
    np.testing.assert_allclose(made, sample.astype(float).mean(axis=0)[None], atol=1e-12)
    with pytest.raises(InvalidBaseline, match="no sample rows"):
        plugin.baseline(asked, "mean", rows, None)


@pytest.mark.parametrize(("asked", "axes"), [(PICTURE, (2, 3)), (LAST, (1, 2)), (GREY, (1, 2))])
def test_the_mean_of_an_image_is_its_own_per_channel(asked: InputSpec, axes: tuple[int, ...]) -> None:
    rows = np.random.Generator(np.random.Philox(1)).normal(size=(4, *asked.row_shape))
    made = image.baseline(asked, "mean", rows, None)
    np.testing.assert_allclose(made, np.broadcast_to(rows.mean(axis=axes, keepdims=True), rows.shape))


@pytest.mark.parametrize(("asked", "axis"), [(TIMES, 1), (CHANNELS_FIRST, 2), (SHORT, 1)])
def test_the_mean_of_a_series_is_its_own_per_channel(asked: InputSpec, axis: int) -> None:
    rows = np.random.Generator(np.random.Philox(1)).normal(size=(4, *asked.row_shape))
    made = series.baseline(asked, "mean", rows, None)
    np.testing.assert_allclose(made, np.broadcast_to(rows.mean(axis=axis, keepdims=True), rows.shape))


@pytest.mark.parametrize(
    "asked", [PICTURE, LAST, GREY, spec("image", 1, 1, 1, layout="NCHW"), spec("image", 2, 2, layout="NHW")]
)
def test_blur_keeps_the_light_and_loses_the_detail(asked: InputSpec) -> None:
    """Rows and channels do not run into each other, and a constant picture stays as it is."""
    rows = np.random.Generator(np.random.Philox(1)).normal(size=(3, *asked.row_shape))
    made = image.baseline(asked, "blur", rows, None)
    assert made.shape == rows.shape
    assert np.isfinite(made).all()
    assert np.std(made) <= np.std(rows)
    np.testing.assert_allclose(image.baseline(asked, "blur", rows[1:2], None), made[1:2])
    np.testing.assert_allclose(image.baseline(asked, "blur", np.full_like(rows, 7.0), None), 7.0)
    if asked is PICTURE:
        alone = np.zeros_like(rows)
        alone[:, 1] = rows[:, 1]
        blurred = image.baseline(asked, "blur", alone, None)
        assert not blurred[:, [0, 2]].any()
        np.testing.assert_allclose(blurred[:, 1], made[:, 1])


# --- encoded inputs


def encoded(pixels: NDArray[Any], file_format: str = "PNG", mode: str | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(out, file_format, **options)
    return out.getvalue()


COLOURS = np.random.Generator(np.random.Philox(3)).integers(0, 256, size=(10, 12, 3)).astype(np.uint8)
CARDS: dict[str, tuple[dict[str, Any], Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "plain": ({}, lambda pixels: pixels / 255),
    "range": ({"range": (-1.0, 1.0)}, lambda pixels: pixels / 127.5 - 1),
    "bytes as floats": ({"range": (0.0, 255.0)}, lambda pixels: pixels),
    "mean and std": (
        {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)},
        lambda pixels: (pixels / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.6, 0.7]),
    ),
    "one mean for all": ({"mean": (0.5,), "std": (2.0,)}, lambda pixels: (pixels / 255 - 0.5) / 2),
    "whole numbers": ({"datatype": "UINT8"}, lambda pixels: pixels),
    "half precision": ({"datatype": "FP16"}, lambda pixels: pixels / 255),
}


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_an_image_is_decoded_as_the_card_says(card: str, layout: str) -> None:
    more, expected = CARDS[card]
    row = (3, 10, 12) if layout == "NCHW" else (10, 12, 3)
    asked = spec("image", *row, layout=layout, **more)
    rows = image.decode(asked, [encoded(COLOURS), encoded(COLOURS[::-1])], "image/png")
    assert rows.shape == (2, *row)
    assert rows.dtype == {"UINT8": np.uint8, "FP16": np.float16, "FP32": np.float32}[asked.datatype]
    wanted = expected(COLOURS.astype(float))
    found = rows[0].transpose(1, 2, 0) if layout == "NCHW" else rows[0]
    np.testing.assert_allclose(found, wanted, atol=1e-3 if asked.datatype == "FP16" else 1e-5)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA"])
@pytest.mark.parametrize(
    ("layout", "row"), [("NHW", (10, 12)), ("NCHW", (1, 10, 12)), ("NCHW", (3, 10, 12)), ("NCHW", (4, 10, 12))]
)
def test_any_kind_of_png_becomes_the_cards_channels(mode: str, layout: str, row: tuple[int, ...]) -> None:
    rows = image.decode(spec("image", *row, layout=layout), [encoded(COLOURS, mode=mode)], "image/png")
    assert rows.shape == (1, *row)
    assert 0 <= rows.min() < rows.max() <= 1


def test_grey_of_16_bits_keeps_its_shades() -> None:
    shades = np.linspace(0, 65535, 120).astype(np.uint16).reshape(10, 12)
    rows = image.decode(GREY, [encoded(shades)], "image/png")
    np.testing.assert_allclose(rows[0], shades / 65535, atol=1 / 255)


def test_a_photograph_is_about_itself() -> None:
    smooth = np.stack([np.add.outer(np.arange(10), np.arange(12)) * 10] * 3, axis=2).astype(np.uint8)
    rows = image.decode(LAST, [encoded(smooth, "JPEG", quality=95)], "image/jpeg")
    np.testing.assert_allclose(rows[0] * 255, smooth, atol=4)


def test_an_image_of_another_size_is_resized() -> None:
    halves = np.zeros((100, 60, 3), np.uint8)
    halves[:, 30:] = 255
    rows = image.decode(PICTURE, [encoded(halves)], "image/png")
    assert rows.shape == (1, 3, 10, 12)
    assert rows[0, :, :, :5].max() < 0.2
    assert rows[0, :, :, 7:].min() > 0.8


def test_an_open_size_is_the_files_own() -> None:
    asked = spec("image", 3, -1, -1, layout="NCHW")
    assert image.decode(asked, [encoded(COLOURS)], "image/png").shape == (1, 3, 10, 12)
    with pytest.raises(InputUndecodable, match="differ in size"):
        image.decode(asked, [encoded(COLOURS), encoded(COLOURS[:5])], "image/png")


def bomb(side: int) -> bytes:
    """A PNG of a few dozen bytes that says it is `side` pixels wide and high."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


PNG = encoded(COLOURS)
BROKEN = {
    "empty": b"",
    "garbage": b"this is no picture at all",
    "head only": PNG[:20],
    "truncated": PNG[: len(PNG) // 2],
    "another format": encoded(COLOURS, "JPEG"),
    "a flipped byte": PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:],
    "a bomb": bomb(8_000),
    "a bomb that Pillow warns of": bomb(12_000),
    "a bomb that Pillow refuses": bomb(60_000),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_no_image_is_undecodable(fault: str) -> None:
    with pytest.raises(InputUndecodable, match=r"input input .*send a valid PNG or JPEG"):
        image.decode(PICTURE, [PNG, BROKEN[fault]], "image/png")


def test_what_the_card_cannot_take_is_said() -> None:
    with pytest.raises(InputUndecodable, match="image/gif"):
        image.decode(PICTURE, [PNG], "image/gif")
    with pytest.raises(InputUndecodable, match="1, 3, 4 channels"):
        image.decode(spec("image", 7, 10, 12, layout="NCHW"), [PNG], "image/png")


@pytest.mark.parametrize("modality", [name for name in MODALITIES if name != "image"])
def test_other_modalities_take_numbers_only(modality: str) -> None:
    with pytest.raises(InputUndecodable, match="send numbers"):
        MODALITIES[modality].decode(WRONG[modality][0], [PNG], "image/png")
