"""One SQL client: login, commands, compression.

Messages are one JSON object each.  The login is two messages: the command, answered with the public
key, then the credentials, which come without a "command".  When the client asked for compression,
everything after the login's answer is binary frames of zlib data, both ways.
"""

import json
import time
import zlib

from . import LABEL, sql, websocket
from .password import NotChanged

PROTOCOL_VERSION = 3
LOGIN_FAILED = "08004"
# Nothing this server answers needs more, and a node of the lab has one gigabyte in all.
MESSAGE_LIMIT = 4 * 1024 * 1024
_LOGIN_MESSAGE_LIMIT = 64 * 1024
LOGIN_S = 60.0
_LOGIN_TRIES = 5
_STATEMENTS_OPEN = 1000


class Account:
    """Who may log in: SQL user SYS with the password whose scrypt value is kept."""

    def __init__(self, password, key, faults, unkind):
        self._password = password
        self._key = key
        self._faults = faults
        self._opens_at = time.monotonic() + unkind.get("login_refused_s", 0)
        self.release = unkind.release

    def public_key(self):
        return self._key.public()

    def admits(self, user, cipher):
        password = self._key.decrypt(cipher)
        # The value is computed for a wrong user too: the time must not tell which one was wrong.
        right = self._password.check(password if password is not None else "")
        if self._faults.get("wrong_password") or time.monotonic() < self._opens_at:
            return False
        return right and password is not None and isinstance(user, str) and user.upper() == "SYS"

    def change_password(self, password):
        try:
            self._password.replace(password)
        except NotChanged as failure:
            text = f"{LABEL}: the password of SYS was not changed: {failure}"
            raise sql.SqlError("00000", text) from None


class Session:
    def __init__(self, socket, account, server, session_id):
        self._socket = socket
        self._account = account
        self._server = server  # database_name, node_addresses()
        self._id = session_id
        self._compress = False
        self._attributes = {"autocommit": True, "currentSchema": "", "queryTimeout": 0}
        self._statements = {}
        self._last_handle = 0

    def run(self):
        """Until the client disconnects; raises websocket.Gone or websocket.Violation."""
        self._socket.limit = _LOGIN_MESSAGE_LIMIT
        if not self._login():
            return
        self._socket.limit = MESSAGE_LIMIT
        while True:
            request = self._receive(None)
            if request is None:
                continue
            command = request.get("command")
            if command == "disconnect":
                self._send({"status": "ok"})
                self._socket.close(websocket.NORMAL)
                return
            if command == "abortQuery":
                continue  # has no answer, and there is never a query to abort
            try:
                self._accept_attributes(request.get("attributes"))
                self._send(self._perform(command, request))
            except sql.SqlError as error:
                self._send_error(error)

    # -- login -----------------------------------------------------------------------------------

    def _login(self):
        for _ in range(_LOGIN_TRIES):
            request = self._receive(LOGIN_S)
            if request is None:
                continue
            command = request.get("command")
            if command == "disconnect":
                self._send({"status": "ok"})
                break
            if command != "login":
                self._send_error(sql.refuse(f"command {_name(command)} before the login"))
                continue
            asked = request.get("protocolVersion", 1)
            if not isinstance(asked, int) or asked < 1:
                self._send_error(sql.SqlError("08004", f"{LABEL}: protocolVersion is no number"))
                continue
            self._send({"status": "ok", "responseData": self._account.public_key()})
            credentials = self._receive(LOGIN_S)
            if credentials is not None and self._admit(credentials, asked):
                return True
        self._socket.close(websocket.NORMAL)
        return False

    def _admit(self, credentials, asked):
        if not self._account.admits(credentials.get("username"), credentials.get("password")):
            text = f"{LABEL}: connection exception - authentication failed"
            self._send_error(sql.SqlError(LOGIN_FAILED, text))
            return False
        try:
            self._accept_attributes(credentials.get("attributes"))
        except sql.SqlError as error:
            self._send_error(error)
            return False
        self._send(
            {
                "status": "ok",
                "responseData": {
                    "sessionId": self._id,
                    "protocolVersion": min(asked, PROTOCOL_VERSION),
                    "releaseVersion": self._account.release,
                    "databaseName": f"{self._server.database_name} ({LABEL})",
                    "productName": LABEL,
                    "maxDataMessageSize": MESSAGE_LIMIT,
                    "maxIdentifierLength": 128,
                    "maxVarcharLength": 2000000,
                    "identifierQuoteString": '"',
                    "timeZone": "UTC",
                    "timeZoneBehavior": "INVALID SHIFT AMBIGUOUS ST",
                },
            }
        )
        # Most clients ask with useCompression, the Go driver with an attribute alone.
        attributes = credentials.get("attributes")
        asked_for = isinstance(attributes, dict) and attributes.get("compressionEnabled") is True
        self._compress = asked_for or credentials.get("useCompression") is True
        return True

    # -- commands --------------------------------------------------------------------------------

    def _perform(self, command, request):
        if command == "execute":
            return self._run([request.get("sqlText")])
        if command == "executeBatch":
            texts = request.get("sqlTexts")
            if not isinstance(texts, list):
                raise sql.SqlError("42000", f"{LABEL}: sqlTexts is missing or no list")
            return self._run(texts)
        if command == "getAttributes":
            return {"status": "ok", "attributes": self._attributes}
        if command == "setAttributes":
            return {"status": "ok", "attributes": self._attributes}
        if command == "createPreparedStatement":
            return self._prepare(request)
        if command == "executePreparedStatement":
            return self._execute_prepared(request)
        if command == "closePreparedStatement":
            self._statements.pop(request.get("statementHandle"), None)
            return {"status": "ok"}
        if command == "closeResultSet":
            return {"status": "ok"}  # all results were inline: nothing is open
        if command == "getHosts":
            nodes = self._server.node_addresses()
            return _ok({"numNodes": len(nodes), "nodes": nodes})
        raise sql.refuse(f"command {_name(command)}")

    def _run(self, texts):
        # All are looked at before the first is carried out.
        understood = [sql.understand(text, self._account.release) for text in texts]
        return _ok(sql.answer([self._result(item) for item in understood]))

    def _result(self, understood):
        if isinstance(understood, sql.NewPassword):
            self._account.change_password(understood.password)
            return sql.done()
        return understood

    def _prepare(self, request):
        result = sql.understand(request.get("sqlText"), self._account.release)
        if len(self._statements) >= _STATEMENTS_OPEN:
            raise sql.SqlError("R0001", f"{LABEL}: too many open prepared statements")
        handle = self._last_handle
        while True:
            handle = handle % 65535 + 1  # clients read it as 16 bits
            if handle not in self._statements:
                break
        self._last_handle = handle
        self._statements[handle] = result
        return _ok(
            {
                "statementHandle": handle,
                "parameterData": {"numColumns": 0, "columns": []},
                **sql.answer([sql.described(result)]),
            }
        )

    def _execute_prepared(self, request):
        result = self._statements.get(request.get("statementHandle"))
        if result is None:
            raise sql.SqlError("42000", f"{LABEL}: no prepared statement with this handle")
        if request.get("numColumns"):
            raise sql.refuse("parameters of a prepared statement")
        return _ok(sql.answer([self._result(result)]))

    def _accept_attributes(self, wanted):
        """Keeps the ones it knows; a client may send others, which mean nothing here."""
        if not isinstance(wanted, dict):
            return
        if wanted.get("currentSchema"):
            text = f'{LABEL}: schema "{_name(wanted["currentSchema"])}" not found'
            raise sql.SqlError("42000", text)
        if isinstance(wanted.get("autocommit"), bool):
            self._attributes["autocommit"] = wanted["autocommit"]
        if isinstance(wanted.get("queryTimeout"), int):
            self._attributes["queryTimeout"] = wanted["queryTimeout"]

    # -- messages --------------------------------------------------------------------------------

    def _receive(self, idle_s):
        """The next request, or None if it was no JSON object (the client has been told)."""
        _, payload = self._socket.receive(idle_s)
        try:
            if self._compress:
                payload = _inflate(payload, self._socket.limit)
            request = json.loads(payload)
            if isinstance(request, dict):
                return request
        except (ValueError, RecursionError):
            pass
        self._send_error(sql.SqlError("00000", f"{LABEL}: the request is no JSON object"))
        return None

    def _send(self, answer):
        payload = json.dumps(answer).encode("ascii")
        if self._compress:
            self._socket.send(websocket.BINARY, zlib.compress(payload))
        else:
            self._socket.send(websocket.TEXT, payload)

    def _send_error(self, error):
        exception = {"text": error.text, "sqlCode": error.code}
        self._send({"status": "error", "exception": exception})


def _inflate(data, limit):
    decoder = zlib.decompressobj()
    try:
        plain = decoder.decompress(data, limit)
    except zlib.error as error:
        raise websocket.Violation(websocket.BAD_DATA, "not zlib data") from error
    if decoder.unconsumed_tail:
        raise websocket.Violation(websocket.TOO_BIG, "message too long after decompression")
    return plain


def _ok(data):
    return {"status": "ok", "responseData": data}


def _name(value):
    return str(value)[:100]
