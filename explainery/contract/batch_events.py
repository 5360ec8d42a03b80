"""What webhooks are told of a batch: that it has ended. Attributes are of CloudEvents 1.0, types as in OpenAI's API."""

from __future__ import annotations

from typing import Any

from explainery.contract.batches import ENDED
from explainery.contract.events import rfc3339
from explainery.contract.frozen import Frozen

BATCHES = "/v1/batches"
FAMILY = "batch"
BATCH_ENDS = tuple(f"{FAMILY}.{status}" for status in sorted(ENDED))


class BatchEvent(Frozen):
    """The end of one batch. `what`: the status it ended in."""

    batch: str
    what: str
    at_ms: int

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes that CloudEvents 1.0 wants beside the data."""
        return {
            "specversion": "1.0",
            "id": f"{self.batch}_{self.what}",
            "source": BATCHES,
            "type": f"{FAMILY}.{self.what}",
            "subject": self.batch,
            "time": rfc3339(self.at_ms),
        }

    @property
    def data(self) -> dict[str, Any]:
        """What has ended; the links lead to the rest."""
        here = f"{BATCHES}/{self.batch}"
        return {"id": self.batch, "status": self.what, "links": {"self": here, "summary": f"{here}/summary"}}
