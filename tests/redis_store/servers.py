"""Servers of odder kinds, all real: TLS in front of a Redis, a Sentinel, a one-node cluster, impostors."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

from costconsole.demo.server import EmbeddedRedis


@dataclass(frozen=True)
class Certificates:
    """PEM files: an own CA, a server certificate for localhost, a client certificate, and a stranger's CA."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """Made with the openssl command; call only where `shutil.which("openssl")` finds it."""
    openssl = shutil.which("openssl")
    assert openssl

    def run(*args: str) -> None:
        subprocess.run([openssl, *args], cwd=folder, check=True, capture_output=True)

    def authority(name: str) -> None:
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip

    def signed(name: str) -> None:
        (folder / f"{name}.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")  # fmt: skip

    for name in ("ca", "stranger"):
        authority(name)
    for name in ("server", "client"):
        signed(name)
    return Certificates(
        ca=folder / "ca.pem",
        server=folder / "server.pem",
        server_key=folder / "server.key",
        client=folder / "client.pem",
        client_key=folder / "client.key",
        stranger=folder / "stranger.pem",
    )


@contextlib.contextmanager
def tls_front(redis_port: int, certificates: Certificates, *, client_required: bool = False) -> Iterator[int]:
    """A TLS port in front of a plain Redis (the embedded one is built without TLS); gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    if client_required:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.ca)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                client = context.wrap_socket(self.request, server_side=True)
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", redis_port)) as server:
                back = threading.Thread(target=self.copy, args=(server, client), daemon=True)
                back.start()
                self.copy(client, server)
                back.join(5)

        def copy(self, source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

    with serving(Handler) as port:
        yield port


@contextlib.contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    """A loopback TCP server with this handler; gives its port."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is no news."""

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(5)


@contextlib.contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """Something that answers each command, or whatever else it gets, with `reply` (nothing: it hangs up)."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if not reply:
                return
            while received := self.request.recv(65536):
                self.request.sendall(reply * max(1, len(re.findall(rb"\*\d+\r\n", received))))

    with serving(Handler) as port:
        yield port


class Sentinel(EmbeddedRedis):
    """A Sentinel that watches `primary` under the name `mymaster`."""

    def __init__(self, primary: EmbeddedRedis, folder: Path) -> None:
        super().__init__(port=0)
        self._config = folder / "sentinel.conf"
        self._config.write_text(
            f"sentinel monitor mymaster 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds mymaster 300\n"
        )

    def _command(self) -> list[str]:
        binary = super()._command()[0]
        return [binary, str(self._config), "--port", str(self.port), "--bind", "127.0.0.1", "--sentinel"]


def make_cluster(node: EmbeddedRedis) -> None:
    """Let a server that was started with `--cluster-enabled yes` serve all slots by itself."""
    with redis.Redis.from_url(node.url, protocol=2) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until = time.monotonic() + 10
        while client.cluster("INFO")["cluster_state"] != "ok":
            assert time.monotonic() < until
            time.sleep(0.01)
