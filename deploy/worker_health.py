"""Exits 0 while a worker on this host is alive by the ledger: what the worker image's HEALTHCHECK asks.

A busy worker answers no ping, but its heartbeat renews its entry in Redis.
"""

import socket
import sys

from explainery.settings import load
from explainery.store.catalogue import CatalogueStore
from explainery.store.connection import connect

settings = load()
alive = CatalogueStore(connect(settings), settings).workers()
sys.exit(not any(worker.host == socket.gethostname() for worker in alive))
