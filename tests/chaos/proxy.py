"""A TCP proxy on loopback whose connections can be cut or frozen."""

from __future__ import annotations

import contextlib
import socket
import threading

SIP_BYTES = 65536


class Proxy:
    """Forwards to a port of this machine; the port may be dead for a while. Use as a context manager."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._flows = threading.Event()
        self._flows.set()
        self._accepts = True
        self._closed = False
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._doorman = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Proxy:
        self._doorman.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the doorman
        self._listener.close()
        self._doorman.join()
        self.cut()
        self.thaw()

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._sockets) // 2

    def cut(self) -> int:
        """Break every connection at once; return how many. New ones are accepted unless `refuse` was said."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for end in sockets:
            _end(end)
        return len(sockets) // 2

    def refuse(self) -> None:
        """Break every connection, and each new one at once, until `accept`."""
        self._accepts = False
        self.cut()

    def accept(self) -> None:
        """Take connections again."""
        self._accepts = True

    def freeze(self) -> None:
        """Hold every byte back, as a network without a route does: nobody is told."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let the bytes go."""
        self._flows.set()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if not self._accepts:
                    raise ConnectionRefusedError
                far = socket.create_connection(self._target, timeout=2)
            except OSError:  # nobody lives there just now
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._sockets |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while sip := source.recv(SIP_BYTES):
                self._flows.wait()
                sink.sendall(sip)
        with self._lock:
            self._sockets -= {source, sink}
        _end(source)
        _end(sink)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
