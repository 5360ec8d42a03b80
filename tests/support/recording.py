"""An HTTP proxy on loopback that notes each request, and can lose answers on their way back."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP = {"connection", "transfer-encoding", "keep-alive"}
SIP_BYTES = 65536


class Recording:
    """What came by: `(verb, path without query)`, in order. `lose`: how many answers to POST requests are lost from now on."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[tuple[str, str]] = []
        self.lose = 0

    def lost(self, verb: str) -> bool:
        """Whether the next answer is lost."""
        if verb != "POST" or self.lose < 1:
            return False
        self.lose -= 1
        return True


@contextmanager
def recording(target: str) -> Iterator[Recording]:
    """A proxy in front of the service at `target`."""
    to = urlsplit(target)
    noted: list[Recording] = []

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            noted[0].requests.append((self.command, urlsplit(self.path).path))
            assert to.hostname is not None
            upstream = http.client.HTTPConnection(to.hostname, to.port, timeout=60)
            with contextlib.closing(upstream), contextlib.suppress(OSError):
                upstream.request(self.command, self.path, body, dict(self.headers.items()))
                answer = upstream.getresponse()
                self.close_connection = True
                if noted[0].lost(self.command):
                    answer.read()
                    return  # the service has answered, and nobody learns of it
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                while sip := answer.read1(SIP_BYTES):
                    self.wfile.write(sip)

        do_GET = do_POST = do_PUT = do_DELETE = forward  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    noted.append(Recording(server.server_port))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield noted[0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
