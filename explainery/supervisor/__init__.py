"""What `explainery up` is made of: child processes that are kept alive, the embedded Redis, an orderly end.

One process, one thread, one loop. The children are the real thing (`celery worker`, `gunicorn`, a Redis server), each started
with the command line that `explainery worker`, `serve` and `redis` use in the foreground.
"""
