"""The same server under the real client, where pyexasol is installed."""

import hashlib
import os
import unittest

os.environ["EXASOL_TELEMETRY_DISABLE"] = "1"

import support

from standin import wire

try:
    import pyexasol
except ImportError:
    pyexasol = None


@unittest.skipUnless(pyexasol, "pyexasol is not installed")
class PyExasol(unittest.TestCase):
    def setUp(self):
        self.lab = support.Lab(self)
        self.lab.start()
        self.lab.wait_for_stage("d")
        der = wire.pinned_certificate(self.lab.paths("n11").certificate)
        self.fingerprint = hashlib.sha256(der).hexdigest()

    def connect(self, fingerprint=None, password=support.PASSWORD, **options):
        host = f"127.0.0.1/{fingerprint or self.fingerprint}:{self.lab.sql_port}"
        return pyexasol.connect(dsn=host, user="sys", password=password, **options)

    def test_login_and_statements(self):
        for compression in (False, True):
            with self.connect(compression=compression) as connection:
                self.assertEqual(connection.execute("SELECT 1").fetchval(), 1)
                text = (
                    "SELECT PARAM_VALUE FROM EXA_METADATA WHERE PARAM_NAME='databaseProductVersion'"
                )
                self.assertEqual(connection.execute(text).fetchval(), "2025.1.8+rehearsal")
                connection.commit()
                connection.rollback()
                connection.set_autocommit(False)
                with self.assertRaises(pyexasol.ExaQueryError) as caught:
                    connection.execute("CREATE SCHEMA S")
                self.assertEqual(caught.exception.code, "0A000")

    def test_a_new_password(self):
        with self.connect() as connection:
            connection.execute('ALTER USER sys IDENTIFIED BY "n3w ""pass"""')
            self.assertEqual(connection.execute("SELECT 1").fetchval(), 1)
        self.connect(password='n3w "pass"').close()
        with self.assertRaises(pyexasol.ExaAuthError):
            self.connect()

    def test_refusals(self):
        with self.assertRaises(pyexasol.ExaAuthError):
            self.connect(password="wrong")
        with self.assertRaises(pyexasol.ExaConnectionFailedError):
            self.connect(fingerprint="0" * 64)
        with self.assertRaises(pyexasol.ExaError):
            self.connect(encryption=False)


if __name__ == "__main__":
    unittest.main()
