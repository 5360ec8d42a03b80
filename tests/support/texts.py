"""Texts for tests: tokenizers made from code, a transformer with a planted token, and a model whose answers are known."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import repos
import torch
from text_nets import planted

from explainery.contract.model_card import InputSpec, parse_card
from workers.text.reader import Reader, readers_of

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PLAIN = (
    "the", "a", "this", "that", "film", "plot", "actor", "scene", "music", "ending", "was",
    "is", "seemed", "felt", "very", "quite", "rather", "long", "short", "dull", "fine",
)  # fmt: skip
PLANTED = "superb"
PIECES = ("play", "##ing", "##er", "##s", "un", "##real", ".", ",", "!", "?", "'", "t", "don")
VOCABULARY = (*SPECIAL, *PLAIN, PLANTED, *PIECES)
LABELS = ("other", "praise")


def tokenizer(special: tuple[str, ...] = SPECIAL, **more: Any) -> bytes:
    """A BERT-shaped tokenizer.json: word pieces, [CLS] text [SEP]. `more`: truncation and padding as the library names them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({word: number for number, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))  # noqa: S106  no password
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(list(special))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, VOCABULARY.index(name)) for name in ("[CLS]", "[SEP]")]
    )
    if "truncation" in more:
        made.enable_truncation(**more["truncation"])
    if "padding" in more:
        made.enable_padding(**more["padding"])
    return made.to_str().encode()


def text_input(length: int = -1, *, mask: bool = True, types: bool = False, datatype: str = "INT64", **more: Any) -> str:
    """The [[inputs]] of a BERT-shaped model."""
    tables = repos.tensor_input("input_ids", [length], datatype, "text", tokenizer="tokenizer.json", **more)
    if mask:
        tables += repos.tensor_input("attention_mask", [length], datatype, "text_mask")
    if types:
        tables += repos.tensor_input("token_type_ids", [length], datatype, "text_types")
    return tables


def reader(content: bytes | None = None, length: int = -1, **more: Any) -> Reader:
    """The reader of an input of a model with that tokenizer."""
    card = parse_card(f'title = "m"\nformat = "stub"\n{text_input(length, **more)}{repos.output(1)}[stub]\nform = "linear"\n')
    return readers_of(card, {"tokenizer.json": tokenizer() if content is None else content})["input_ids"]


def spec(modality: str, datatype: str) -> InputSpec:
    """An input of any number of tokens."""
    more = {"tokenizer": "t.json"} if modality == "text" else {}
    return InputSpec(name="x", datatype=datatype, shape=(-1, -1), modality=modality, **more)  # type: ignore[arg-type]


def sentences(count: int, seed: int, planted_share: float = 0.5) -> list[str]:
    """Random texts of 4 to 16 words; about `planted_share` of them have the planted word once."""
    rng = np.random.Generator(np.random.Philox(seed))
    made = []
    for _ in range(count):
        words = [str(word) for word in rng.choice(PLAIN, size=int(rng.integers(4, 17)))]
        if rng.random() < planted_share:
            words[int(rng.integers(len(words)))] = PLANTED
        made.append(" ".join(words))
    return made


@lru_cache(maxsize=1)
def trained() -> dict[str, torch.Tensor]:
    """Weights of a transformer that says "praise" where the planted word is, trained on one thread for a second or two."""
    from tokenizers import Tokenizer

    reader = Tokenizer.from_buffer(tokenizer())
    reader.enable_padding(pad_id=0, pad_token="[PAD]")  # noqa: S106
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = planted(len(VOCABULARY)).train()
            optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
            for step in range(120):
                texts = sentences(64, seed=step)
                found = reader.encode_batch(texts)
                ids, mask = (torch.tensor([getattr(each, what) for each in found]) for what in ("ids", "attention_mask"))
                hide = (torch.rand(ids.shape) < 0.3) & (ids > 4)  # as in masked language models: it knows what [MASK] is
                hidden = torch.where(hide, VOCABULARY.index("[MASK]"), ids)
                wanted = (hidden == VOCABULARY.index(PLANTED)).any(dim=1).long()
                loss = torch.nn.functional.cross_entropy(net(hidden, mask), wanted)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            return dict(net.eval().state_dict())
    finally:
        torch.set_num_threads(threads)


def add_planted(folder: Path, name: str = "planted", length: int = -1, **more: Any) -> Path:
    """The trained transformer, as safetensors."""
    from safetensors.torch import save

    card = (
        f'title = "{name}"\nformat = "safetensors"\nfile = "model.safetensors"\nfactory = "text_nets:planted"\n'
        f"factory_args = {{vocabulary = {len(VOCABULARY)}}}\n"
        f"{text_input(length, **more)}{repos.output(2, 'logits', 'logits', labels=LABELS)}"
    )
    return repos.write(folder, name, card, {"model.safetensors": save(trained()), "tokenizer.json": tokenizer()})


def add_behind(folder: Path, name: str = "behind") -> Path:
    """The trained transformer behind its embedding: its input is a tensor of vectors, called input_ids all the same."""
    from safetensors.torch import save

    card = (
        f'title = "{name}"\nformat = "safetensors"\nfile = "model.safetensors"\nfactory = "text_nets:behind_embedding"\n'
        f"factory_args = {{vocabulary = {len(VOCABULARY)}}}\n"
        f"{repos.tensor_input('input_ids', [-1, 32])}{repos.output(2, 'logits', 'logits', labels=LABELS)}"
    )
    weights = {f"net.{part}": tensor for part, tensor in trained().items()}
    return repos.write(folder, name, card, {"model.safetensors": save(weights)})


WORTH = np.array([0.0, 0.5, 100.0, -100.0, 0.25] + [1.0 + number for number in range(len(VOCABULARY) - 5)])
"""What each token adds in the model that `add_sum` writes: [CLS] and [SEP] very much, to be seen should they play."""


def add_sum(
    folder: Path,
    name: str = "sum",
    length: int = -1,
    *,
    tokenizer_file: bytes | None = None,
    more: str = "",
    beside: str = "",
    **of_text: Any,
) -> Path:
    """score = sum over the attended tokens of WORTH, as ONNX with BERT's three inputs.

    `more`: the rest of the card; `beside`: an input called table, of two numbers that are added.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    size: Any = "t" if length == -1 else length
    names = ("input_ids", "attention_mask", "token_type_ids")
    nodes = [
        helper.make_node("Gather", ["worth", "input_ids"], ["each"], axis=0),
        helper.make_node("Add", ["attention_mask", "token_type_ids"], ["whole"]),  # types are 0 here
        helper.make_node("Cast", ["whole"], ["attended"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["each", "attended"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axis"], ["of_text"], keepdims=1),
        *([helper.make_node("ReduceSum", ["table", "axis"], ["of_table"], keepdims=1)] if beside else []),
        helper.make_node("Add", ["of_text", "of_table" if beside else "nothing"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [
            *(helper.make_tensor_value_info(each, TensorProto.INT64, ["n", size]) for each in names),
            *([helper.make_tensor_value_info("table", TensorProto.FLOAT, ["n", 2])] if beside else []),
        ],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        [
            numpy_helper.from_array(WORTH.astype(np.float32), "worth"),
            numpy_helper.from_array(np.array([1]), "axis"),
            numpy_helper.from_array(np.zeros(1, np.float32), "nothing"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    inputs = text_input(length, types=True, **of_text) + beside
    card = f'title = "{name}"\nformat = "onnx"\nfile = "model.onnx"\n{inputs}{repos.output(1)}{more}'
    files = {"model.onnx": model.SerializeToString(), "tokenizer.json": tokenizer_file or tokenizer()}
    return repos.write(folder, name, card, files)


def worth(*words: str) -> list[float]:
    """What words of the vocabulary add to the output of `add_sum` above a mask token."""
    return [float(WORTH[VOCABULARY.index(word)] - WORTH[VOCABULARY.index("[MASK]")]) for word in words]


UNREAL = sum(worth("un", "##real"))
CLS_SEP = 0.0
TEXTS = {
    "The unreal film, dull!": [*worth("the"), UNREAL, *worth("film", ",", "dull", "!")],
    "superb": worth("superb"),
    "long  and\tshort": [*worth("long"), float(WORTH[1] - WORTH[4]), *worth("short")],
}
"""Texts of different lengths, and the share of each word in the output of `add_sum`. [CLS] and [SEP] add nothing together."""
