"""Code blocks of a Markdown page, in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"(?:<!--\s*(?P<mark>[^>]*?)\s*-->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = "not run by the tests: "


@dataclass(frozen=True)
class Block:
    """One block. `mark`: the HTML comment right above it."""

    language: str
    code: str
    mark: str

    @property
    def runs(self) -> bool:
        """Whether it is to be executed: a shell or Python block without a reason not to."""
        return self.language in ("sh", "bash", "python") and not self.mark


def blocks(page: str) -> list[Block]:
    """Every fenced block."""
    return [Block(found["language"], found["code"], found["mark"] or "") for found in _FENCE.finditer(page)]
