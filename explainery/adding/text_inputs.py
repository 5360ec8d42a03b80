"""Inputs of a model that comes with a tokenizer, by the names that language models are exported with."""

from __future__ import annotations

from explainery.adding.draft import Draft

IDS = "input_ids"
FILLED = {"attention_mask": "text_mask", "token_type_ids": "text_types"}


def as_texts(draft: Draft, tokenizer: str) -> None:
    """Write the tokenizer into the draft's inputs; where none is called input_ids, say what is left to do."""
    by_name = {table["name"]: table for table in draft.inputs}
    ids = by_name.get(IDS)
    if ids is None or ids["datatype"] not in ("INT32", "INT64") or len(ids["shape"]) != 2:
        draft.left.append(f'inputs modality: the input that takes token ids is modality = "text", tokenizer = "{tokenizer}"')
        return
    ids |= {"modality": "text", "tokenizer": tokenizer}
    draft.left = [each for each in draft.left if not each.startswith("inputs modality:")]
    draft.left.append(f"inputs.{IDS}.max_tokens: how long a text the model takes")
    for name, modality in FILLED.items():
        if name in by_name and by_name[name]["shape"] == ids["shape"]:
            by_name[name]["modality"] = modality
