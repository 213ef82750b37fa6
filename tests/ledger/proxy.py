"""A loopback TCP proxy that can lose the server's answer after the server has done what it was told."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class CuttingProxy:
    """Forwards to a port. After `cut_after(marker)`, it waits until a request containing `marker` was
    forwarded and answered, throws the answer away and closes the connection; `cuts` counts that."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._marker: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut_after(self, marker: bytes) -> None:
        self._marker = marker

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._upstream))
        self._open |= {client, server}
        lose = threading.Event()

        def answers() -> None:
            try:
                while data := server.recv(65536):
                    if lose.is_set():
                        self.cuts += 1
                        break
                    client.sendall(data)
            except OSError:
                pass
            for side in (client, server):
                try:
                    side.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        threading.Thread(target=answers, daemon=True).start()
        try:
            while data := client.recv(65536):
                if self._marker is not None and self._marker in data:
                    self._marker = None
                    lose.set()
                server.sendall(data)
        except OSError:
            pass

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for side in self._open:
            side.close()
