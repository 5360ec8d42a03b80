"""Texts: read by the tokenizer that a card names, and cut into what plays."""
