"""What gunicorn serves: `gunicorn --config python:service.gunicorn_config service.wsgi:app`."""

from __future__ import annotations

from service.app import create_app

app = create_app()
