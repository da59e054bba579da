"""confd's jobs that keep something: licence and certificate, in the forms that are documented."""

import hashlib
import io
import os
import ssl
import stat
import tempfile
import unittest
import unittest.mock

import support
from support import Lab, wait_until
from test_cluster import ClusterCase

from standin import confd

LICENSE = "<license>\n  <owner>ünknown</owner>\r\n</license>\n"


class Jobs(ClusterCase):
    def setUp(self):
        self.lab = Lab(self, 2)
        self.lab.start()
        self.lab.wait_for_stage("d")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", newline="", encoding="utf-8") as file:
            file.write(text)
        return path

    def given(self, text, *words, node="n11"):
        out, err = io.StringIO(), io.StringIO()
        socket_path = self.lab.paths(node).confd_socket
        code = confd.client(list(words), socket_path, out, err, io.StringIO(text, newline=""))
        return code, out.getvalue(), err.getvalue()

    def assert_closed(self, path):
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)


class License(Jobs):
    def test_from_standard_input(self):
        """The last form is that of a shell behind `c4 connect`, which divides the words again."""
        for words in (['license: "{< -}"'], ["license:", '"{< -}"'], ["license:", '"{<', '-}"']):
            self.assertEqual(self.given(LICENSE, "license_upload", *words), (0, "OK\n", ""))
        for name in self.lab.names:
            self.assert_closed(self.lab.paths(name).license)
            self.assertEqual(self.given("", "license_download", node=name), (0, LICENSE + "\n", ""))
        code, out, _ = self.given("", "license_info")
        self.assertEqual(code, 0)
        self.assertIn(hashlib.sha256(LICENSE.encode()).hexdigest(), out)
        self.assertIn("rehearsal: no database", out)

    def test_from_a_file(self):
        path = self.file("license", LICENSE)
        said = self.given("", "license_upload", "license:", f'"{{< {path}}}"')
        self.assertEqual(said, (0, "OK\n", ""))
        self.assertEqual(self.given("", "license_download")[1], LICENSE + "\n")
        code, _, err = self.given("", "license_upload", "license:", '"{< /absent}"')
        self.assertEqual((code, err), (1, "rehearsal: no database: No such file or directory\n"))

    def test_nothing_uploaded(self):
        self.assertEqual(self.given("", "license_download")[0], 1)
        self.assertEqual(self.given("", "license_upload", 'license: "{< -}"')[0], 1)
        self.assertIn('"uploaded": false', self.given("", "license_info", "-j")[1])

    def test_a_node_that_is_away_is_named(self):
        self.lab.stop("n12")
        with unittest.mock.patch("standin.peers.LOST_S", 0.0):
            code, _, err = self.given(LICENSE, "license_upload", 'license: "{< -}"')
        self.assertEqual(code, 1)
        self.assertIn("n12 does not answer", err)
        self.assertFalse(os.path.exists(self.lab.paths("n11").license))


class Certificate(Jobs):
    def setUp(self):
        super().setUp()
        self.chain, self.key = made("db.example")

    def update(self, chain, key):
        cert, path = self.file("chain", chain), self.file("key", key)
        return self.given("", "cert_update", f'cert: "{{< {cert}}}"', f'key: "{{< {path}}}"')

    def shown(self, name):
        address = f"127.0.0.{int(name[1:]) - 10}"
        pem = ssl.get_server_certificate((address, self.lab.sql_port))
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    def test_every_node_shows_the_new_one(self):
        first = ssl.PEM_cert_to_DER_cert(self.chain[: self.chain.index("-----END")] + END)
        wanted = hashlib.sha256(first).hexdigest()
        self.assertEqual(self.update(self.chain, self.key), (0, "OK\n", ""))
        for name in self.lab.names:
            self.assertEqual(self.shown(name), wanted)
            self.assert_closed(self.lab.paths(name).uploaded_certificate)
        self.assertIn(wanted.upper(), self.confd("db_info", "db_name: Exasol")[1])
        self.assertEqual(self.confd("db_stop", "db_name: Exasol")[0], 0)
        wait_until(lambda: self.state() == "setup", "setup")
        self.assertEqual(self.confd("db_start", "db_name: Exasol")[0], 0)
        self.lab.wait_for_stage("d")
        self.assertEqual({self.shown(name) for name in self.lab.names}, {wanted})

    def test_one_certificate_is_no_chain(self):
        before = self.shown("n11")
        code, _, err = self.update(self.chain[: self.chain.index("-----END")] + END, self.key)
        self.assertEqual(code, 1)
        self.assertIn("only one certificate", err)
        self.assertEqual(self.shown("n11"), before)

    def test_a_key_that_does_not_fit(self):
        before = self.shown("n12")
        code, _, err = self.update(self.chain, made("other")[1])
        self.assertEqual(code, 1)
        self.assertIn("don't fit", err)
        self.assertEqual(self.shown("n12"), before)
        self.assertNotIn("PRIVATE", err)


END = "-----END CERTIFICATE-----\n"


def made(name):
    """(chain of two certificates, key)"""
    certificate, key = support.load_c4().make_certificate([name], ["127.0.0.1"])
    return certificate + support.certificate()[0], key


class Parameters(unittest.TestCase):
    def test_forms(self):
        for text, wanted in (
            ("", []),
            ("db_name: Exasol", [("db_name", "Exasol")]),
            ("db_name: Exasol mem_size: 2048 MiB", [("db_name", "Exasol"), ("mem_size", "2048 MiB")]),
            ("mem_size: '2 GiB' db_name: X", [("mem_size", "'2 GiB'"), ("db_name", "X")]),
            ('license: "{< a b: c}"', [("license", '"{< a b: c}"')]),
            ("db_name", None),
            ("db_name Exasol", None),
            ('license: "open', None),
        ):
            self.assertEqual(confd._parameters(text), wanted, text)


if __name__ == "__main__":
    unittest.main()
