"""Schemas of lists of webhooks and of what was sent to them."""

from __future__ import annotations

from service.openapi.words import Schema, array, ref, structure

WEBHOOKS: dict[str, Schema] = {
    "WebhookList": structure({"webhooks": array(ref("Webhook"))}),
    "DeliveryList": structure({"deliveries": array(ref("Delivery"))}),
}
