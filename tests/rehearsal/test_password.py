"""ALTER USER sys: on one node, on all of them or on none, and what a second play makes of it."""

import io
import json
import os
import tarfile
import tempfile
import threading
import unittest
from unittest import mock

import support
from support import PASSWORD, Lab, Refused, wait_until
from test_config import GOOD

from standin import keys, node, password, peers, settings, wire

NEW = 'n3w "quoted"; \'$pässword'


def statement(new, user="sys"):
    return f'ALTER USER {user} IDENTIFIED BY "' + new.replace('"', '""') + '"'


class PasswordCase(unittest.TestCase):
    COUNT = 1

    def setUp(self):
        self.lab = Lab(self, self.COUNT)
        self.lab.start()
        self.lab.wait_for_stage("d")

    def client(self, number=1, **login):
        client = self.lab.connect(f"127.0.0.{number}")
        self.addCleanup(client.close)
        client.login(**login)
        return client

    def admits(self, given, number=1):
        with self.lab.connect(f"127.0.0.{number}") as client:
            try:
                client.login(password=given)
                return True
            except Refused as refusal:
                self.assertEqual(refusal.code, "08004")
                return False

    def assert_only(self, right, *wrong):
        for number in range(1, self.COUNT + 1):
            self.assertTrue(self.admits(right, number), number)
            for given in wrong:
                self.assertFalse(self.admits(given, number), number)

    def assert_not_changed(self, client, *parts):
        with self.assertRaises(Refused) as caught:
            client.execute(statement(NEW))
        for part in ("rehearsal: no database", *parts):
            self.assertIn(part, str(caught.exception))
        self.assertNotIn(NEW, str(caught.exception))


class OneNode(PasswordCase):
    def test_the_change_holds_from_the_answer_on(self):
        session = self.client()
        result = session.execute(statement(NEW))
        self.assertEqual(result, [{"resultType": "rowCount", "rowCount": 0}])
        self.assert_only(NEW, PASSWORD)
        session.execute("SELECT 1")  # who was logged in stays so

    def test_ways_to_write_it(self):
        session = self.client()
        for number, form in enumerate(
            (
                'alter user SYS identified by "{}"',
                '\n/* note */ ALTER\tUSER\n Sys IDENTIFIED  BY"{}" ; ',
                'ALTER USER sys IDENTIFIED BY "{}";',
            )
        ):
            session.execute(form.format(f"form {number}"))
            self.assertTrue(self.admits(f"form {number}"), form)
        for new in ('"', '""', "; ", "a\nb", "p" * 117, "ü" * 58):
            session.execute(statement(new))
            self.assert_only(new, new + "x" if len(new) < 58 else PASSWORD)

    def test_a_prepared_one_runs_when_it_is_executed(self):
        session = self.client()
        made = session.ask(command="createPreparedStatement", sqlText=statement(NEW))
        self.assertEqual(made["responseData"]["results"][0]["resultType"], "rowCount")
        self.assert_only(PASSWORD, NEW)
        handle = made["responseData"]["statementHandle"]
        session.ask(command="executePreparedStatement", statementHandle=handle)
        self.assert_only(NEW, PASSWORD)

    def test_in_a_batch_that_is_refused_nothing_is_changed(self):
        session = self.client()
        with self.assertRaises(Refused):
            session.ask(command="executeBatch", sqlTexts=[statement(NEW), "DROP TABLE T"])
        self.assert_only(PASSWORD, NEW)
        done = session.ask(command="executeBatch", sqlTexts=[statement(NEW), "SELECT 1"])
        self.assertEqual(done["responseData"]["numResults"], 2)
        self.assert_only(NEW, PASSWORD)

    def test_other_statements_about_users_are_refused_without_their_secrets(self):
        session = self.client()
        for text in (
            statement("geheim", "bob"),
            statement("geheim", '"sys"'),
            statement("geheim", "ſys"),
            statement("geheim") + ' REPLACE "geheim"',
            statement("geheim") + "; DROP TABLE T",
            statement("geheim") + ";;",
            'ALTER USER sys IDENTIFIED BY "geheim',
            "ALTER USER sys IDENTIFIED BY 'geheim'",
            "ALTER USER sys IDENTIFIED BY geheim",
            'ALTER USER sys IDENTIFED BY "geheim"',
            'ALTER USER sys IDENTIFIED BY "ge"heim"',
            "ALTER USER sys PASSWORD EXPIRE",
            'CREATE USER bob IDENTIFIED BY "geheim"',
            'SELECT 1; ALTER USER sys IDENTIFIED BY "geheim"',
        ):
            with self.assertRaises(Refused) as caught:
                session.execute(text)
            self.assertEqual(caught.exception.code, "0A000", text)
            self.assertIn("USER", str(caught.exception))
            self.assertNotIn("heim", str(caught.exception))
        self.assert_only(PASSWORD, "geheim")

    def test_limits(self):
        session = self.client()
        for bad in ("", "p" * 118, "ü" * 59, "\ud800"):
            with self.assertRaises(Refused) as caught:
                session.execute(statement(bad))
            self.assertEqual(caught.exception.code, "42000")
        self.assert_only(PASSWORD)

    def test_it_stays_through_a_restart_and_a_reboot(self):
        self.client().execute(statement(NEW))
        for boot in (False, True):
            self.lab.stop("n11")
            if boot:
                self.lab.boot("n11")
            self.lab.start("n11")
            self.lab.wait_for_stage("d")
            self.assert_only(NEW, PASSWORD)

    def test_a_full_disk_changes_nothing(self):
        session = self.client()
        with mock.patch.object(settings, "write_secrets", side_effect=OSError(28, "disk full")):
            self.assert_not_changed(session, "n11: disk full")
        self.assert_only(PASSWORD, NEW)
        session.execute(statement(NEW))
        self.assert_only(NEW, PASSWORD)

    def test_nothing_secret_is_kept_or_logged(self):
        lines = []
        with mock.patch.object(node, "log", lines.append):
            self.client().execute(statement(NEW))
        paths = self.lab.paths("n11")
        self.assertEqual(os.stat(paths.secrets).st_mode & 0o777, 0o600)
        kept = settings.read_json(paths.secrets)
        self.assertEqual(kept["cluster_key"], "11" * 32)
        self.assertTrue(keys.check_password(NEW, kept["sys"]))
        self.assertTrue(any("password of sys" in line for line in lines), lines)
        for folder, _, names in os.walk(paths.var):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    self.assertNotIn(json.dumps(NEW)[1:-1], file.read())
        for line in lines:
            for secret in (NEW, kept["sys"]["hash"], kept["sys"]["salt"]):
                self.assertNotIn(secret, line)

    def test_the_cluster_port_wants_the_key(self):
        pinned = wire.pinned_certificate(self.lab.paths("n11").certificate)
        with wire.Client.tls("127.0.0.1", self.lab.cluster_port, pinned) as client:
            for body in ({"step": "show"}, {"step": "hold", "token": "x"}):
                code, text = client.request("POST", password.PATH, body)
                self.assertEqual(code, 403)
            right = [("X-Rehearsal-Key", "11" * 32)]
            for body in (
                {"step": "hold"},
                {"step": "keep", "token": "x", "value": {}},
                {"token": "x"},
            ):
                self.assertEqual(client.request("POST", password.PATH, body, right)[0], 409)


class TwoNodes(PasswordCase):
    COUNT = 2

    def answers(self, name, answer):
        """Has a node answer to the steps of a change as it is told."""
        target = self.lab.running[name].node._password
        real = target.answer
        return mock.patch.object(target, "answer", lambda body: answer(real, body))

    def test_all_nodes_have_it_at_once(self):
        self.client(2).execute(statement(NEW))
        self.assert_only(NEW, PASSWORD)
        self.client(1, password=NEW).execute(statement("third"))
        self.assert_only("third", NEW, PASSWORD)
        texts = []
        for name in self.lab.names:
            with open(self.lab.paths(name).secrets, encoding="utf-8") as file:
                texts.append(file.read())
        self.assertEqual(texts[0], texts[1])

    def test_a_node_that_is_down_is_named_and_nothing_changes(self):
        session = self.client()
        self.lab.stop("n12")
        self.assert_not_changed(session, "n12")
        self.assertTrue(self.admits(PASSWORD))
        self.assertFalse(self.admits(NEW))
        self.lab.start("n12")
        self.lab.wait_for_stage("d")
        self.assert_only(PASSWORD, NEW)
        self.client().execute(statement(NEW))
        self.assert_only(NEW, PASSWORD)

    def test_a_node_that_fails_half_way_has_the_others_go_back(self):
        def answer(real, body):
            if body["step"] == "keep":
                raise password.Refused("disk full")
            return real(body)

        with self.answers("n12", answer):
            self.assert_not_changed(self.client(), "n12: disk full")
        # The value that takes the change back has a number of its own, which n12 has to learn.
        self.wait_for_agreement()
        self.assert_only(PASSWORD, NEW)
        self.client(2).execute(statement(NEW))
        self.assert_only(NEW, PASSWORD)

    def test_a_node_that_goes_away_with_the_change_takes_it_back_when_it_returns(self):
        def answer(real, body):
            if body["step"] == "hold":
                return real(body)
            if body["step"] == "keep" and "hash" in body["value"]:
                if not kept.is_set():
                    real(body)
                    kept.set()
            raise OSError("the connection breaks off")

        kept = threading.Event()
        # n11 must not be heard either, or n12 would take the old one from it at once.
        with mock.patch.object(peers, "RETRY_S", 60), mock.patch.object(peers, "HOLD_S", 0.1):
            deaf = mock.patch.object(
                self.lab.running["n12"].node._peers, "_met", side_effect=wire.Failed("deaf")
            )
            with deaf, self.answers("n12", answer):
                self.assert_not_changed(self.client(), "n12", "to be undone")
                self.assertTrue(kept.is_set())
                self.assertTrue(self.admits(PASSWORD, 1))
                self.assertTrue(self.admits(NEW, 2))
                self.lab.stop("n12")
        on_disk = settings.read_json(self.lab.paths("n12").secrets)["sys"]
        self.assertTrue(keys.check_password(NEW, on_disk))
        self.lab.stop("n11")
        self.lab.start()
        self.lab.wait_for_stage("d")
        self.assert_only(PASSWORD, NEW)

    def test_changes_at_the_same_time_do_not_mix(self):
        clients = [self.client(1), self.client(2)]
        news = ["from n11", "from n12"]
        done = []
        threads = [
            threading.Thread(target=lambda c=c, new=new: done.append(c.execute(statement(new))))
            for c, new in zip(clients, news)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(done), 2)
        last = news if self.admits(news[0]) else news[::-1]
        self.assert_only(last[0], last[1], PASSWORD)

    def test_a_node_held_for_another_change(self):
        session = self.client()
        held = self.lab.running["n12"].node._password.answer({"step": "hold", "token": "other"})
        self.assertTrue(held["held"])
        with mock.patch.object(password, "BUSY_S", 0.3):
            self.assert_not_changed(session, "n12: another change is under way")
        self.assert_only(PASSWORD, NEW)
        self.lab.running["n12"].node._password._held_until = 0.0  # whoever held it went away
        session.execute(statement(NEW))
        self.assert_only(NEW, PASSWORD)

    def wait_for_agreement(self):
        def numbers():
            return {running.node._password.number for running in self.lab.running.values()}

        wait_until(lambda: len(numbers()) == 1, "all nodes have the same value")


class SecondPlay(unittest.TestCase):
    """c4's part: the secrets that a play sends, after what an earlier one left."""

    def secrets(self, password_now, earlier):
        c4 = support.load_c4()
        with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
            values = dict(GOOD, CCC_PLAY_FROM_FILE=archive.name, CCC_PLAY_DB_PASSWORD=password_now)
            config = c4.Config("".join(f"{key}={value}\n" for key, value in values.items()))
            self.assertEqual(config.problems, [])
            files = {"cluster.json": "{}", "tls.crt": "", "tls.key": "", "secrets.json": earlier}
            with mock.patch.object(c4, "make_certificate", lambda *_: support.certificate()):
                release = c4.Release(config, "0" * 64, files)
            payload = io.BytesIO(release.payload(config.nodes[0]))
        with tarfile.open(fileobj=payload) as tar:
            return tar.extractfile("files/secrets.json").read().decode("utf-8")

    def test_a_changed_password_that_the_configuration_has_too_changes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "secrets.json")
            value = dict(keys.hash_password("changed", b"salt" * 4), change=5)
            settings.write_secrets(path, {"cluster_key": "22" * 32, "sys": value})
            with open(path, encoding="utf-8") as file:
                earlier = file.read()
        self.assertEqual(self.secrets("changed", earlier), earlier)
        again = json.loads(self.secrets("another", earlier))
        self.assertEqual(again["sys"]["change"], 6)
        self.assertTrue(keys.check_password("another", again["sys"]))
        self.assertEqual(again["cluster_key"], "22" * 32)


if __name__ == "__main__":
    unittest.main()
