"""What is sent: a thin body by Standard Webhooks, and beside it the attributes of CloudEvents 1.0 (HTTP, binary mode)."""

from __future__ import annotations

import json
from typing import Any

import explainery
from explainery.contract.batch_events import BatchEvent
from explainery.contract.events import attributes, data, rfc3339
from explainery.contract.signatures import signature
from explainery.store.webhooks import Errand


def body_of(errand: Errand) -> bytes:
    """The body: type, timestamp, data. The same at every attempt."""
    document = {"type": errand.type, "timestamp": rfc3339(errand.at_ms), "data": _told(errand)}
    return json.dumps(document, separators=(",", ":")).encode()


def _told(errand: Errand) -> dict[str, Any]:
    if errand.event is None:
        return {"id": errand.hook}
    return errand.event.data if isinstance(errand.event, BatchEvent) else data(errand.event)


def headers_of(errand: Errand, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers, signed for this attempt: by each secret, while an old one goes out of use."""
    if errand.event is None:
        about = {"specversion": "1.0", "source": "/v1/webhooks", "type": errand.type, "subject": errand.hook}
        about["time"] = rfc3339(errand.at_ms)
    else:
        about = errand.event.attributes if isinstance(errand.event, BatchEvent) else attributes(errand.event)
    about["id"] = errand.id  # the same event has the same id here and there
    return {
        "content-type": "application/json",
        "user-agent": f"explainery/{explainery.__version__}",
        "webhook-id": errand.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, errand.id, timestamp, body) for secret in errand.secrets),
        **{f"ce-{name}": value for name, value in sorted(about.items())},
    }
