"""The outermost fields of a protocol buffer message, without a library and without copying (protobuf.dev, "Encoding")."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, I64, LENGTH, I32 = 0, 1, 2, 5


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number, and its value: an integer for a varint, the bytes for anything else. Raises ValueError.

    Nested messages are not looked into, so nothing can be nested too deeply.
    """
    at = 0
    while at < len(message):
        head, at = varint(message, at)
        number, kind = head >> 3, head & 7
        if kind == VARINT:
            value, at = varint(message, at)
            yield number, value
            continue
        if kind == LENGTH:
            size, at = varint(message, at)
        elif kind in (I64, I32):
            size = 8 if kind == I64 else 4
        else:
            raise ValueError("a field of an unknown kind")
        if size > len(message) - at:
            raise ValueError("a field goes on past the end")
        yield number, message[at : at + size]
        at += size


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """The integer at a place, and the place after it. Raises ValueError."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("the message ends within a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")
