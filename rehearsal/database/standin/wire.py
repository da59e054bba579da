"""Small HTTP/1.1 with connections that stay open: server and client, TLS or a Unix socket.

Serves the cluster port (the nodes' word to each other, `c4 ps`, the https question whether confd is
ready), the Unix socket of confd_client, and the Admin UI's page.  http.server would do, but costs a
second of imports on an emulated guest.
"""

import json
import os
import socket
import ssl
import threading
import time

HANDSHAKE_S = 60.0
_IDLE_S = 120.0
_HEAD_LIMIT = 16 * 1024
_BODY_LIMIT = 64 * 1024
_CONNECTIONS = 200
_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    503: "Unavailable",
}


class Failed(Exception):
    """No answer: not reachable, not the right certificate, broken off."""


class Request:
    def __init__(self, method, target, headers, body, trusted):
        self.method = method
        self.path, _, query = target.partition("?")
        pairs = (item.partition("=") for item in query.split("&") if item)
        self.query = {name: value for name, _, value in pairs}
        self.headers = headers
        self.body = body
        self.trusted = trusted  # came over the Unix socket, which only root may open

    def json(self):
        return json.loads(self.body)


# -- server --------------------------------------------------------------------------------------


class Server:
    """Calls handle(request) -> (status, content type, text) in one thread for each connection."""

    def __init__(self, listener, handle, tls=None):
        self._listener = listener
        self._handle = handle
        self._tls = tls
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)

    def run(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                if self._listener.fileno() < 0:
                    return
                time.sleep(0.1)
                continue
            if not self._slots.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    def _serve(self, client):
        try:
            client.settimeout(HANDSHAKE_S)
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            client.settimeout(_IDLE_S)
            with client.makefile("rb") as reader:
                while self._answer_one(client, reader):
                    pass
        except (OSError, ValueError):
            pass  # broke off, too slow, or not HTTP
        finally:
            client.close()
            self._slots.release()

    def _answer_one(self, client, reader):
        head = _read_head(reader)
        if head is None:
            return False
        first, headers = head
        method, target, _ = first.split(" ", 2)
        size = int(headers.get("content-length", "0"))
        if not 0 <= size <= _BODY_LIMIT or "transfer-encoding" in headers:
            raise ValueError("body")
        body = reader.read(size) if size else b""
        request = Request(method, target, headers, body, trusted=self._tls is None)
        status, kind, text = self._handle(request)
        data = text.encode("utf-8")
        keep = headers.get("connection", "").lower() != "close"
        client.sendall(
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(data)}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode("ascii")
            + (b"" if method == "HEAD" else data)
        )
        return keep


def listen(address, port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(64)
    return listener


def listen_unix(path):
    """A socket that only its owner (root) may open."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen(16)
    return listener


def server_tls(certificate, private_key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, private_key)
    return context


# -- client --------------------------------------------------------------------------------------


class Client:
    """One connection that stays open for several requests; not for several threads."""

    def __init__(self, connection):
        self._connection = connection
        self._reader = connection.makefile("rb")

    @classmethod
    def unix(cls, path):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except OSError as error:
            connection.close()
            raise Failed(str(error)) from None
        return cls(connection)

    @classmethod
    def tls(cls, address, port, pinned, timeout=5.0):
        """Over TLS, and only to whoever has the certificate `pinned` (DER), whatever its name."""
        try:
            plain = socket.create_connection((address, port), timeout)
        except OSError as error:
            raise Failed(error.strerror or str(error)) from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # one known certificate: compared below
        try:
            plain.settimeout(HANDSHAKE_S / 2)
            connection = context.wrap_socket(plain)
        except (OSError, ValueError) as error:
            plain.close()
            raise Failed(f"TLS: {error}") from None
        if connection.getpeercert(binary_form=True) != pinned:
            connection.close()
            raise Failed("another certificate than this cluster's")
        return cls(connection)

    def request(self, method, target, body=None, headers=(), timeout=30.0):
        """(status, text); raises Failed."""
        data = b"" if body is None else json.dumps(body).encode("utf-8")
        lines = [f"{method} {target} HTTP/1.1", "Host: node", f"Content-Length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        try:
            self._connection.settimeout(timeout)
            self._connection.sendall("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + data)
            head = _read_head(self._reader)
            if head is None:
                raise Failed("connection ended")
            first, answered = head
            size = int(answered["content-length"])
            text = self._reader.read(size)
            if len(text) != size:
                raise Failed("connection ended")
            return int(first.split(" ")[1]), text.decode("utf-8")
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise Failed(str(error)) from None

    def close(self):
        self._reader.close()
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def pinned_certificate(path):
    with open(path, encoding="ascii") as file:
        return ssl.PEM_cert_to_DER_cert(file.read().strip())


def _read_head(reader):
    """(first line, headers in lower case), or None at the end of the connection."""
    first = reader.readline(_HEAD_LIMIT)
    if not first:
        return None
    headers, size = {}, len(first)
    while True:
        line = reader.readline(_HEAD_LIMIT)
        size += len(line)
        if not line.endswith(b"\n") or size > _HEAD_LIMIT:
            raise ValueError("head")
        if line in (b"\r\n", b"\n"):
            return first.decode("latin-1").strip(), headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
