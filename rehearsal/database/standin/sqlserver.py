"""The SQL port: TLS from the first byte, WebSocket upgrade, one thread for each client.

The TLS handshake happens in the client's own thread with a time limit: a client that connects and
then says nothing must not keep the next one waiting.
"""

import json
import os
import socket
import ssl
import threading
import time

from . import LABEL, websocket
from .session import Session

HANDSHAKE_S = 60.0  # an emulated guest needs seconds for what takes milliseconds elsewhere
_CLIENTS = 200


class SqlServer:
    """Open from the constructor until stop(), on `address` (host, port): exactly as long as the database is running."""

    def __init__(self, address, certificate, private_key, account, database_name, node_addresses):
        self.database_name = database_name
        self.node_addresses = node_addresses
        self._account = account
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(certificate, private_key)
        self._lock = threading.Lock()
        self._clients = set()
        self._stopped = False
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(address)
            self._listener.listen(64)
        except OSError:
            self._listener.close()
            raise
        threading.Thread(target=self._accept, daemon=True).start()

    def use_certificate(self, certificate, private_key):
        """For connections that come from now on."""
        self._tls.load_cert_chain(certificate, private_key)

    def stop(self):
        """Closes the port and every session."""
        with self._lock:
            self._stopped = True
            clients = list(self._clients)
        hang_up(self._listener)
        self._listener.close()
        for client in clients:
            hang_up(client)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                if self._stopped:
                    return
                time.sleep(0.1)  # out of descriptors, or a client that left in the queue
                continue
            with self._lock:
                if self._stopped or len(self._clients) >= _CLIENTS:
                    client.close()
                    continue
                self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        connection = client
        try:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            client.settimeout(HANDSHAKE_S)
            connection = self._tls.wrap_socket(client, server_side=True)
            with self._lock:
                # wrap_socket() took the descriptor over: from now on stop() must end this one.
                self._clients.discard(client)
                if self._stopped:
                    return
                self._clients.add(connection)
            self._talk(connection)
        except OSError:
            pass  # broke off, or never spoke TLS
        finally:
            with self._lock:
                self._clients.discard(client)
                self._clients.discard(connection)
            connection.close()

    def _talk(self, connection):
        web = websocket.WebSocket(connection, limit=64 * 1024)
        try:
            web.upgrade(time.monotonic() + HANDSHAKE_S)
            Session(web, self._account, self, int.from_bytes(os.urandom(7), "big")).run()
        except websocket.NotWebSocket:
            connection.sendall(_plain_answer())
        except websocket.Violation as violation:
            try:
                web.close(violation.code, str(violation))
            except websocket.Gone:
                pass
        except websocket.Gone:
            pass


def hang_up(connection):
    """Ends a connection that another thread is reading, without touching its TLS state."""
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        pass


def _plain_answer():
    # To probes that merely ask over https: the same form as an error of the protocol.
    text = f"{LABEL}: a WebSocket upgrade was expected"
    body = json.dumps({"status": "error", "exception": {"text": text, "sqlCode": "00000"}}).encode()
    return (
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
