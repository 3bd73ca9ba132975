"""A TCP proxy before a server's socket, which loses what it is told to lose."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Proxy:
    """``with Proxy(cluster.socket) as proxy:`` listens on 127.0.0.1.

    Attributes:
        port: where it listens.
        lost: set once a reply was lost.
    """

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._after: bytes | None = None
        self._rewrite: tuple[bytes, bytes] = (b"", b"")
        self.lost = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut()

    def lose_replies_after(self, sent: bytes) -> None:
        """Let nothing more from the server through once a client has sent this; the client waits."""
        self._after = sent

    def rewrite(self, sent: bytes, received: bytes) -> None:
        """Change what clients send; both are of one length."""
        assert len(sent) == len(received)
        self._rewrite = sent, received

    def cut(self) -> None:
        """End all connections, on both sides."""
        while self._sockets:
            one = self._sockets.pop()
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._sockets += [client, server]
                silent = threading.Event()
                for source, target, from_client in ((client, server, True), (server, client, False)):
                    arguments = (source, target, silent, from_client)
                    threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, silent: threading.Event, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                if from_client and self._after is not None and self._after in content:
                    silent.set()
                if from_client and self._rewrite[0]:
                    content = content.replace(*self._rewrite)
                if not from_client and silent.is_set():
                    self.lost.set()
                    continue
                target.sendall(content)
        # What was lost stays lost: the end of the connection is not told either, before `cut`.
        if not silent.is_set():
            for one in (source, target):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
