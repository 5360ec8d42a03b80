"""Celery workers: know `explainery`; never flask or `service`."""
