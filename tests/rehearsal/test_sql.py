"""The SQL port: login, statements, frames, compression, rude clients."""

import json
import socket
import time
import unittest
from unittest import mock

import support
from support import Lab, Refused

from standin import keys, session, sqlserver, websocket


class ServerCase(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(self)
        self.lab.start()
        self.lab.wait_for_stage("d")

    def client(self, **login):
        client = self.lab.connect()
        self.addCleanup(client.close)
        client.login(**login)
        return client

    def assert_closed(self, client, code):
        opcode, payload = client.read_frame()
        self.assertEqual((opcode, int.from_bytes(payload[:2], "big")), (0x8, code))
        self.assertEqual(client.read_frame(), (None, b""))


class Login(ServerCase):
    def test_right_password(self):
        with self.lab.connect() as client:
            data = client.login(user="SyS", protocolVersion=5)
        self.assertEqual(data["protocolVersion"], 3)
        self.assertEqual(data["releaseVersion"], "2025.1.8+rehearsal")
        self.assertEqual(data["productName"], "rehearsal: no database")
        self.assertIn("rehearsal: no database", data["databaseName"])
        self.assertEqual(len(data), 11)

    def test_wrong_password_or_user_is_08004_and_the_next_try_may_succeed(self):
        with self.lab.connect() as client:
            for wrong in ({"password": "x"}, {"password": ""}, {"user": "nobody"}, {"user": 1}):
                with self.assertRaises(Refused) as caught:
                    client.login(**wrong)
                self.assertEqual(caught.exception.code, "08004")
            client.login()

    def test_garbage_instead_of_a_password(self):
        with self.lab.connect() as client:
            for garbage in ("", "no base64!", "AAAA", None):
                client.ask(command="login", protocolVersion=3)
                with self.assertRaises(Refused) as caught:
                    client.ask(username="sys", password=garbage)
                self.assertEqual(caught.exception.code, "08004")

    def test_commands_before_the_login(self):
        with self.lab.connect() as client:
            with self.assertRaises(Refused):
                client.execute("SELECT 1")
            client.ask(command="disconnect")

    def test_endless_tries_are_ended(self):
        with self.lab.connect() as client:
            for _ in range(5):
                with self.assertRaises(Refused):
                    client.login(password="wrong")
            self.assert_closed(client, 1000)

    def test_password_of_117_bytes(self):
        longest = "p" * 117
        check = mock.patch.object(keys, "check_password", lambda given, kept: given == longest)
        with check, self.lab.connect() as client:
            client.login(password=longest)

    def test_fault_wrong_password(self):
        self.lab.faults("n11", wrong_password=True)
        with self.lab.connect() as client:
            with self.assertRaises(Refused) as caught:
                client.login()
            self.assertEqual(caught.exception.code, "08004")
            self.lab.faults("n11", wrong_password=False)
            client.login()

    def test_schema_that_does_not_exist(self):
        with self.lab.connect() as client:
            with self.assertRaises(Refused) as caught:
                client.login(attributes={"currentSchema": "SALES"})
            self.assertEqual(caught.exception.code, "42000")


class Statements(ServerCase):
    def test_select_one(self):
        client = self.client()
        for text in ("SELECT 1", "select\n1;", "/* hello */ SELECT 1", "-- note\nSELECT 1 ;"):
            (result,) = client.execute(text)
            self.assertEqual(result["resultSet"]["data"], [[1]])
            self.assertEqual(result["resultSet"]["columns"][0]["dataType"]["type"], "DECIMAL")

    def test_version_in_either_letter_case(self):
        client = self.client()
        text = "SELECT PARAM_VALUE FROM EXA_METADATA WHERE PARAM_NAME='databaseProductVersion'"
        for statement in (text, text.lower(), text.replace("=", " = ")):
            (result,) = client.execute(statement)
            self.assertEqual(result["resultSet"]["data"], [["2025.1.8+rehearsal"]])

    def test_statements_without_rows(self):
        client = self.client()
        for text in ("COMMIT", "ROLLBACK;", "ALTER SESSION SET HASHTYPE_FORMAT = 'HEX';"):
            self.assertEqual(client.execute(text), [{"resultType": "rowCount", "rowCount": 0}])

    def test_everything_else_is_refused_by_name(self):
        client = self.client()
        for text in (
            "CREATE TABLE T(A INT)",
            "SELECT 2",
            "SELECT 1 FROM DUAL",
            "SELECT 1; DROP TABLE T",
            "SELECT * FROM EXA_METADATA",
            "ALTER SYSTEM SET X=1",
            "COMMIT; CREATE SCHEMA S",
        ):
            with self.assertRaises(Refused) as caught:
                client.execute(text)
            self.assertEqual(caught.exception.code, "0A000")
            self.assertIn(text, str(caught.exception))
        with self.assertRaises(Refused) as caught:
            client.ask(command="fetch", resultSetHandle=1)
        self.assertIn("fetch", str(caught.exception))
        for missing in (None, 5):
            with self.assertRaises(Refused):
                client.ask(command="execute", sqlText=missing)
        client.execute("SELECT 1")

    def test_prepared_statements(self):
        client = self.client()
        made = client.ask(command="createPreparedStatement", sqlText="SELECT 1")["responseData"]
        handle = made["statementHandle"]
        self.assertEqual(made["results"][0]["resultSet"]["columns"][0]["name"], "1")
        run = {"command": "executePreparedStatement", "statementHandle": handle}
        done = client.ask(numColumns=0, numRows=0, **run)["responseData"]
        self.assertEqual(done["results"][0]["resultSet"]["data"], [[1]])
        client.ask(command="closePreparedStatement", statementHandle=handle)
        with self.assertRaises(Refused):
            client.ask(**run)
        with self.assertRaises(Refused) as caught:
            client.ask(command="createPreparedStatement", sqlText="INSERT INTO T VALUES (?)")
        self.assertEqual(caught.exception.code, "0A000")

    def test_batch_attributes_hosts_abort(self):
        client = self.client()
        batch = client.ask(command="executeBatch", sqlTexts=["SELECT 1", "COMMIT"])
        self.assertEqual(batch["responseData"]["numResults"], 2)
        with self.assertRaises(Refused):
            client.ask(command="executeBatch", sqlTexts=["SELECT 1", "DROP TABLE T"])
        client.ask(command="setAttributes", attributes={"autocommit": False, "unheard": 1})
        attributes = client.ask(command="getAttributes")["attributes"]
        self.assertEqual(attributes["autocommit"], False)
        self.assertNotIn("unheard", attributes)
        hosts = client.ask(command="getHosts", hostIp="127.0.0.1")["responseData"]
        self.assertEqual(hosts, {"numNodes": 1, "nodes": ["127.0.0.1"]})
        client.send(command="abortQuery")
        client.execute("SELECT 1")

    def test_disconnect(self):
        client = self.client()
        client.ask(command="disconnect")
        self.assert_closed(client, 1000)

    def test_requests_that_are_no_objects(self):
        client = self.client()
        for payload in (b"[]", b"{", b"", b"\xff", b"[" * 100000):
            client.frame(0x1, payload)
            with self.assertRaises(Refused) as caught:
                client.receive()
            self.assertIn("JSON", str(caught.exception))
        client.execute("SELECT 1")


class Compression(ServerCase):
    def test_everything_after_the_login_is_compressed(self):
        client = self.client(useCompression=True)
        self.assertEqual(client.execute("SELECT 1")[0]["resultSet"]["data"], [[1]])
        with self.assertRaises(Refused):
            client.execute("SELECT 2")
        client.ask(command="disconnect")

    def test_asked_for_by_an_attribute(self):
        client = self.client(useCompression=False, attributes={"compressionEnabled": True})
        client.compress = True
        client.execute("SELECT 1")

    def test_bomb_and_garbage(self):
        import zlib

        client = self.client(useCompression=True)
        client.frame(0x2, zlib.compress(b" " * (session.MESSAGE_LIMIT * 3)))
        self.assert_closed(client, websocket.TOO_BIG)
        client = self.client(useCompression=True)
        client.frame(0x2, b"garbage")
        self.assert_closed(client, websocket.BAD_DATA)


class Frames(ServerCase):
    REQUEST = json.dumps({"command": "execute", "sqlText": "SELECT 1"}).encode()

    def test_fragments_with_a_ping_between(self):
        client = self.client()
        client.frame(0x1, self.REQUEST[:5], final=False)
        client.frame(0x9, b"are you there")
        self.assertEqual(client.read_frame(), (0xA, b"are you there"))
        client.frame(0x0, self.REQUEST[5:9], final=False)
        client.frame(0xA, b"unasked")
        client.frame(0x0, self.REQUEST[9:])
        self.assertEqual(client.receive()["responseData"]["numResults"], 1)

    def test_long_messages(self):
        client = self.client()
        for size in (200, 70000):
            client.frame(0x1, self.REQUEST + b" " * size)
            client.receive()

    def test_breaches_of_the_protocol(self):
        for breach in (
            {"opcode": 0x1, "payload": b"{}", "masked": False},
            {"opcode": 0x1, "payload": b"{}", "reserved": 0x40},
            {"opcode": 0x0, "payload": b"{}"},
            {"opcode": 0x3, "payload": b""},
            {"opcode": 0x9, "payload": b"x" * 126},
            {"opcode": 0x9, "payload": b"x", "final": False},
        ):
            client = self.client()
            client.frame(**breach)
            self.assert_closed(client, websocket.PROTOCOL_ERROR)
        client = self.client()
        client.frame(0x1, b"{", final=False)
        client.frame(0x1, b"}")
        self.assert_closed(client, websocket.PROTOCOL_ERROR)

    def test_too_long(self):
        client = self.client()
        # Only the announcement of five megabytes: nobody has to send them to be refused.
        client.sock.sendall(b"\x81\xff" + (5 << 20).to_bytes(8, "big"))
        self.assert_closed(client, websocket.TOO_BIG)
        with self.lab.connect() as stranger:  # less is allowed before the login
            stranger.sock.sendall(b"\x81\xff" + (1 << 20).to_bytes(8, "big"))
            self.assert_closed(stranger, websocket.TOO_BIG)

    def test_close_is_answered(self):
        client = self.client()
        client.frame(0x8, (1000).to_bytes(2, "big"))
        self.assert_closed(client, 1000)


class RudeClients(ServerCase):
    def test_silent_and_plain_clients_keep_nobody_waiting(self):
        rude = []
        for payload in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01"):
            sock = socket.create_connection(("127.0.0.1", self.lab.sql_port), 5)
            self.addCleanup(sock.close)
            sock.sendall(payload)
            rude.append(sock)
        half = self.lab.connect()
        self.addCleanup(half.close)
        half.sock.sendall(b"\x81")
        began = time.monotonic()
        self.client().execute("SELECT 1")
        self.assertLess(time.monotonic() - began, 5)

    def test_https_without_upgrade_is_told_so(self):
        client = support.SqlClient("127.0.0.1", self.lab.sql_port, upgrade=False)
        self.addCleanup(client.close)
        head = client.http("GET / HTTP/1.1\r\nHost: n11\r\n\r\n")
        self.assertIn(" 426 ", head)
        body = json.loads(client.reader.read())
        self.assertIn("WebSocket", body["exception"]["text"])
        self.assertIn("rehearsal: no database", body["exception"]["text"])

    def test_slow_message_is_given_up(self):
        with mock.patch.object(websocket, "TRANSFER_S", 0.3):
            client = self.client()
            client.sock.sendall(b"\x81")
            self.assertEqual(client.read_frame(), (None, b""))

    def test_handshake_has_a_limit(self):
        with mock.patch.object(sqlserver, "HANDSHAKE_S", 0.3):
            sock = socket.create_connection(("127.0.0.1", self.lab.sql_port), 5)
            self.addCleanup(sock.close)
            self.assertEqual(sock.recv(10), b"")

    def test_stopping_ends_sessions(self):
        client = self.client()
        self.lab.running["n11"].node.want("setup")
        self.assertEqual(client.read_frame(), (None, b""))
        support.wait_until(lambda: not self.lab.sql_is_open(), "the port is closed")


class Keys(unittest.TestCase):
    def test_a_key_decrypts_what_its_public_half_encrypts(self):
        key = keys.LoginKey()
        public = key.public()
        self.assertEqual(int(public["publicKeyModulus"], 16).bit_length(), 1024)
        for plain in ("", "p" * 117, support.PASSWORD):
            self.assertEqual(key.decrypt(support.encrypt(plain.encode(), public)), plain)
        other = keys.LoginKey().public()
        self.assertNotEqual(key.decrypt(support.encrypt(b"x", other)), "x")

    def test_openssl_reads_the_pem(self):
        import subprocess

        pem = support.LOGIN_KEY.public()["publicKeyPem"]
        done = subprocess.run(
            ["openssl", "rsa", "-RSAPublicKey_in", "-noout", "-modulus"],
            input=pem.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.assertEqual(done.stdout.decode().strip(), f"Modulus={support.LOGIN_KEY.modulus:X}")

    def test_kept_passwords(self):
        c4 = support.load_c4()
        kept = c4.hash_password("secret")
        self.assertTrue(keys.check_password("secret", kept))
        self.assertFalse(keys.check_password("secrets", kept))
        self.assertTrue(c4.same_password("secret", keys.hash_password("secret", b"salt" * 4)))
        self.assertNotIn("secret", json.dumps(kept))


if __name__ == "__main__":
    unittest.main()
