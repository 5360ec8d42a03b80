"""Webhooks: a tenant's addresses that are told of its jobs, and what became of telling them."""

from __future__ import annotations

from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from explainery.allowed_hosts import AllowList
from explainery.contract.errors import InvalidWebhook, WebhookNotFound
from explainery.contract.signatures import shown
from explainery.contract.webhooks import KNOWN_TYPES, RotateRequest, Webhook, WebhookRequest
from explainery.courier.addresses import read_target
from service.answers import accepted, json_answer
from service.body import read_json
from service.faults import fault
from service.openapi.answers import answers
from service.parts import parts
from service.tenant import tenant_now
from service.validation import validated

blueprint = APIBlueprint("webhooks", __name__, url_prefix="/v1/webhooks", tag="webhooks")

ID_LENGTH = 29


class DeliveryQuery(BaseModel):
    """How many deliveries to list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@blueprint.post("")
@blueprint.doc(operation_id="add_webhook", responses=answers("NewWebhook", {201: "Added; the secret is shown this once."}))
def add() -> Response:
    """Add a webhook.

    The answer holds what its messages are checked with, which is not shown again: a `secret`, or with `"signing": "ed25519"`
    a `public_key`.
    """
    accepted("application/json")
    asked = validated(WebhookRequest, read_json(request))
    unknown = [number for number, name in enumerate(asked.types) if name not in KNOWN_TYPES]
    if unknown:
        raise fault(InvalidWebhook, f"types.{unknown[0]}", f"is no event type; there are: {', '.join(KNOWN_TYPES)}")
    read_target(asked.url, AllowList.parse(parts().settings.webhook_allowed))
    webhook, key = parts().webhooks.add(_tenant(), asked)
    document = {**_document(webhook), **shown(key)}
    headers = {"Location": document["links"]["self"], "Cache-Control": "no-store"}
    return json_answer(document, 201, headers)


@blueprint.get("")
@blueprint.doc(operation_id="list_webhooks", responses=answers("WebhookList", {200: "The webhooks."}))
def list_all() -> Response:
    """List a tenant's webhooks, the oldest first."""
    accepted("application/json")
    return json_answer({"webhooks": [_document(webhook) for webhook in parts().webhooks.all(_tenant())]})


@blueprint.get("/<webhook_id>")
@blueprint.doc(operation_id="get_webhook", responses=answers("Webhook", {200: "The webhook."}))
def get(webhook_id: str) -> Response:
    """Get a webhook: whether it is disabled and why, and how many attempts have failed in a row."""
    accepted("application/json")
    return json_answer(_document(parts().webhooks.get(_tenant(), _known(webhook_id))))


@blueprint.delete("/<webhook_id>")
@blueprint.doc(operation_id="remove_webhook", responses=answers(None, {204: "Removed."}))
def remove(webhook_id: str) -> Response:
    """Remove a webhook, and what waits to be delivered to it."""
    parts().webhooks.remove(_tenant(), _known(webhook_id))
    return Response(status=204)


@blueprint.post("/<webhook_id>/rotate-secret")
@blueprint.doc(operation_id="rotate_webhook_secret", responses=answers("NewWebhook", {200: "The new secret, shown this once."}))
def rotate(webhook_id: str) -> Response:
    """Give a webhook another secret, or another pair of keys.

    The answer holds it as that of `POST /v1/webhooks` does. For `grace_s`, a day by default, the old one signs messages, too.
    """
    accepted("application/json")
    known = _known(webhook_id)
    asked = validated(RotateRequest, read_json(request))
    webhook, key = parts().webhooks.rotate(_tenant(), known, asked.grace_s)
    return json_answer({**_document(webhook), **shown(key)}, headers={"Cache-Control": "no-store"})


@blueprint.get("/<webhook_id>/deliveries")
@blueprint.doc(operation_id="list_deliveries", responses=answers("DeliveryList", {200: "The deliveries, newest first."}))
def deliveries(webhook_id: str) -> Response:
    """List what was delivered to a webhook, what waits, and what failed, newest first."""
    accepted("application/json")
    query = validated(DeliveryQuery, request.args.to_dict())
    found = parts().webhooks.deliveries(_tenant(), _known(webhook_id), query.limit)
    return json_answer({"deliveries": [delivery.model_dump() for delivery in found]})


@blueprint.post("/<webhook_id>/ping")
@blueprint.doc(operation_id="ping_webhook", responses=answers("Delivery", {202: "On its way."}))
def ping(webhook_id: str) -> Response:
    """Send a test, `webhook.ping`; the list of deliveries says what became of it."""
    accepted("application/json")
    return json_answer(parts().webhooks.ping(_tenant(), _known(webhook_id)).model_dump(), 202)


def _tenant() -> str:
    return tenant_now()


def _known(webhook_id: str) -> str:
    if len(webhook_id) != ID_LENGTH or not webhook_id.isascii() or not webhook_id.replace("_", "").isalnum():
        raise WebhookNotFound("There is no webhook of that id.")
    return webhook_id


def _document(webhook: Webhook) -> dict[str, Any]:
    here = f"{request.script_root}/v1/webhooks/{webhook.id}"
    links = {"self": here, "deliveries": f"{here}/deliveries", "ping": f"{here}/ping", "rotate_secret": f"{here}/rotate-secret"}
    return {**webhook.model_dump(), "links": links}
