"""RFC 6455, the server's side, on a connected (TLS) socket: upgrade, frames, close.

Text and binary messages, fragmentation, Ping answered with Pong, size and time limits.  No
extensions.  One thread reads and writes a connection, so nothing here is locked.
"""

import base64
import hashlib
import struct
import time

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, GOING_AWAY, PROTOCOL_ERROR, BAD_DATA, TOO_BIG = 1000, 1001, 1002, 1007, 1009

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEAD_LIMIT = 16 * 1024
# A message that has begun must be complete, and an answer taken, within this time.
TRANSFER_S = 60.0


class Gone(Exception):
    """The client went away, or was too slow to wait for."""


class Violation(Exception):
    """The client broke the protocol; `code` is the close code it is told."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class NotWebSocket(Exception):
    """An ordinary HTTP request: no upgrade was asked for."""


class WebSocket:
    """A connection after accept(); upgrade() first, then receive() and send()."""

    def __init__(self, sock, limit):
        self._sock = sock
        self._buffer = bytearray()
        self.limit = limit  # bytes in one message

    # -- upgrade ---------------------------------------------------------------------------------

    def upgrade(self, deadline):
        """Reads the HTTP request and answers 101; raises NotWebSocket for anything else."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _HEAD_LIMIT:
                raise Gone("request head too long")
            self._more(deadline)
        end = self._buffer.index(b"\r\n\r\n")
        head = bytes(self._buffer[:end]).decode("latin-1")
        del self._buffer[: end + 4]
        request, *lines = head.split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        key = headers.get("sec-websocket-key", "")
        connection = [item.strip() for item in headers.get("connection", "").lower().split(",")]
        if (
            not request.startswith("GET ")
            or headers.get("upgrade", "").lower() != "websocket"
            or "upgrade" not in connection
            or headers.get("sec-websocket-version") != "13"
            or not key
        ):
            raise NotWebSocket(request)
        digest = hashlib.sha1(key.encode("latin-1") + _GUID).digest()
        self._write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )

    # -- messages --------------------------------------------------------------------------------

    def receive(self, idle_s=None):
        """The next whole message: (TEXT or BINARY, bytes).  Waits `idle_s` for it to begin."""
        kind, parts, size = None, [], 0
        deadline = None if idle_s is None else time.monotonic() + idle_s
        while True:
            final, opcode, payload = self._frame(deadline, size)
            if opcode == CLOSE:
                self._write_frame(CLOSE, payload[:2])
                raise Gone("closed by the client")
            if opcode == PING:
                self._write_frame(PONG, payload)
            elif opcode in (TEXT, BINARY):
                if kind is not None:
                    raise Violation(PROTOCOL_ERROR, "new message inside a fragmented one")
                kind = opcode
            elif opcode == CONTINUATION:
                if kind is None:
                    raise Violation(PROTOCOL_ERROR, "continuation of nothing")
            if opcode in (TEXT, BINARY, CONTINUATION):
                parts.append(payload)
                size += len(payload)
                if final:
                    return kind, b"".join(parts)
                deadline = time.monotonic() + TRANSFER_S

    def send(self, kind, payload):
        self._write_frame(kind, payload)

    def close(self, code, text=""):
        """A Close frame; the socket itself is closed by its owner."""
        self._write_frame(CLOSE, struct.pack("!H", code) + text.encode("utf-8")[:120])

    # -- frames ----------------------------------------------------------------------------------

    def _frame(self, deadline, already):
        (first,) = self._exactly(1, deadline)
        # From here on the client is in the middle of a frame and may not dawdle.
        deadline = time.monotonic() + TRANSFER_S
        (second,) = self._exactly(1, deadline)
        final, opcode = bool(first & 0x80), first & 0x0F
        if first & 0x70:
            raise Violation(PROTOCOL_ERROR, "reserved bits set")
        if not second & 0x80:
            raise Violation(PROTOCOL_ERROR, "client frame not masked")
        size = second & 0x7F
        if opcode >= 0x8:
            if opcode not in (CLOSE, PING, PONG) or size > 125 or not final:
                raise Violation(PROTOCOL_ERROR, "malformed control frame")
        elif opcode not in (CONTINUATION, TEXT, BINARY):
            raise Violation(PROTOCOL_ERROR, "unknown opcode")
        if size == 126:
            (size,) = struct.unpack("!H", self._exactly(2, deadline))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._exactly(8, deadline))
        if already + size > self.limit:
            raise Violation(TOO_BIG, f"message longer than {self.limit} bytes")
        mask = self._exactly(4, deadline)
        return final, opcode, _unmask(self._exactly(size, deadline), mask)

    def _exactly(self, size, deadline):
        while len(self._buffer) < size:
            self._more(deadline)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _more(self, deadline):
        remaining = None
        if deadline is not None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise Gone("too slow")
        try:
            self._sock.settimeout(remaining)
            data = self._sock.recv(65536)
        except (OSError, ValueError) as error:
            raise Gone(str(error)) from None
        if not data:
            raise Gone("connection ended")
        self._buffer += data

    def _write_frame(self, opcode, payload):
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
        self._write(head + payload)

    def _write(self, data):
        try:
            self._sock.settimeout(TRANSFER_S)
            self._sock.sendall(data)
        except (OSError, ValueError) as error:
            raise Gone(str(error)) from None


def _unmask(data, mask):
    # One XOR of two long integers instead of a loop over bytes.
    size = len(data)
    pattern = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")
