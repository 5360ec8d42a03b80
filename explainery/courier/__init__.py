"""Carries webhooks out: a process of its own, so that a dead target delays neither jobs nor other targets."""
