"""The configuration file: shell rules, known keys, well-formed values, hostile passwords."""

import os
import shutil
import subprocess
import unittest

import support

c4 = support.load_c4()

GOOD = {
    "CCC_HOST_ADDRS": '"192.168.122.11 192.168.122.12"',
    "CCC_HOST_EXTERNAL_ADDRS": '"192.168.122.11 192.168.122.12"',
    "CCC_HOST_DATADISK": "/dev/exadata_01,/dev/exadata_02",
    "CCC_HOST_IMAGE_USER": "exasol",
    "CCC_HOST_IMAGE_PASSWORD": "'secret'",
    "CCC_HOST_KEY_PAIR_FILE": "id_rsa",
    "CCC_PLAY_WORKING_COPY": "@exasol-rehearsal",
    "CCC_PLAY_FROM_FILE": "/home/exasol/exasol-release/exasol-rehearsal.tar.gz",
    "CCC_PLAY_RESERVE_NODES": "0",
    "CCC_PLAY_DB_PASSWORD": "'secret'",
    "CCC_PLAY_ADMIN_PASSWORD": "'secret'",
    "CCC_ADMINUI_ADMIN_PASSWORD": "'secret'",
    "CCC_ADMINUI_START_SERVER": "true",
    "CCC_PLAY_TIMEOUT": "30m",
    "CCC_PLAY_CORED_ALLOW_ONLY_SAME_SUBNET": "false",
    "CCC_PLAY_DB_PORT": "8563",
    "CCC_PLAY_DATABASE_NAME": "Exasol",
    "CCC_PLAY_VERSION_UPDATE_CHECK": "false",
    "CCC_AWS_PROFILE": "none",
    "CCC_HOST_CLEANUP": "true",
}
HOSTILE = (
    "\"\\$'#{{}}%{ }${}",
    "'",
    "''",
    "\\",
    " leading and trailing ",
    "$(reboot)",
    "`id`",
    "12345678",
    "pässwörd-漢字",
    "#not a comment",
    "!history! ~ * ? [a-z] | & ; < >",
)


def text(**changes):
    values = dict(GOOD, **changes)
    return "".join(f"{key}={value}\n" for key, value in values.items() if value is not None)


def quoted(password):
    return "'" + password.replace("'", "'\\''") + "'"


class Words(unittest.TestCase):
    def test_hostile_passwords_survive(self):
        for password in HOSTILE:
            config = c4.Config(text(CCC_PLAY_DB_PASSWORD=quoted(password)))
            self.assertEqual(config.problems, [])
            self.assertEqual(config["CCC_PLAY_DB_PASSWORD"], password)

    def test_same_as_a_shell(self):
        words = [quoted(password) for password in HOSTILE]
        words += [
            "plain",
            '"two words"',
            '"a \\"b\\" \\$c \\\\ \\x"',
            "a'b c'\"d e\"\\ f",
            "''",
            "",
        ]
        for word in words:
            done = subprocess.run(
                [shutil.which("sh"), "-c", f'v={word}\nprintf %s "$v"'], stdout=subprocess.PIPE
            )
            self.assertEqual(c4.shell_word(word)[0], done.stdout.decode(), word)

    def test_what_a_shell_would_expand_or_split_is_refused(self):
        for word in ("$HOME", '"$HOME"', "`id`", '"`id`"', "a b", "'open", '"open', "a\\", "~", "a;b",
                     "a|b", "*", "{a,b}", "value\r", "(x)", "a&"):  # fmt: skip
            config = c4.Config(text(CCC_PLAY_DB_PASSWORD=word))
            self.assertTrue(config.problems, word)
            self.assertIn("CCC_PLAY_DB_PASSWORD", "\n".join(config.problems))

    def test_comments_and_blanks(self):
        values, problems = c4.parse_config("# one\n\n  A=b # two\n\tC='#'\nD=\n")
        self.assertEqual((values, problems), ({"A": "b", "C": "#", "D": ""}, []))

    def test_no_assignment_and_twice(self):
        _, problems = c4.parse_config("export A=b\nlower=x\nA =b\nA=1\nA=2\n")
        self.assertEqual(len(problems), 4)


class Values(unittest.TestCase):
    def problems(self, **changes):
        return c4.Config(text(**changes)).problems

    def test_good(self):
        config = c4.Config(text())
        self.assertEqual(config.problems, [])
        self.assertEqual([node.name for node in config.nodes], ["n11", "n12"])
        self.assertEqual(config.disks, ["/dev/exadata_01", "/dev/exadata_02"])
        self.assertEqual(config.timeout_s, 1800)

    def test_each_bad_value_is_named_once(self):
        for key, value in (
            ("CCC_HOST_ADDRS", '"192.168.122.11"'),
            ("CCC_HOST_ADDRS", '"192.168.122.11 192.168.122.11"'),
            ("CCC_HOST_ADDRS", '"n11 n12"'),
            ("CCC_HOST_ADDRS", '"192.168.122.256 10.0.0.1"'),
            ("CCC_HOST_ADDRS", '"10.0.0.1  10.0.0.2"'),
            ("CCC_HOST_DATADISK", "/dev/exadata_01,/dev/exadata_01"),
            ("CCC_HOST_DATADISK", '"/dev/a /dev/b"'),
            ("CCC_HOST_DATADISK", "/tmp/disk"),
            ("CCC_HOST_DATADISK", ""),
            ("CCC_HOST_KEY_PAIR_FILE", "/home/exasol/.ssh/id_rsa"),
            ("CCC_PLAY_WORKING_COPY", "@exasol-2025.1.8"),
            ("CCC_PLAY_FROM_FILE", "exasol-rehearsal.tar.gz"),
            ("CCC_PLAY_RESERVE_NODES", "1"),
            ("CCC_PLAY_TIMEOUT", "30"),
            ("CCC_PLAY_DB_PORT", "0"),
            ("CCC_PLAY_DB_PORT", "65536"),
            ("CCC_PLAY_DB_PORT", "20003"),
            ("CCC_PLAY_DB_PASSWORD", "''"),
            ("CCC_PLAY_DB_PASSWORD", "p" * 118),
            ("CCC_PLAY_DB_PASSWORD", "'a\tb'"),
            ("CCC_ADMINUI_START_SERVER", "yes"),
            ("CCC_AWS_PROFILE", "default"),
            ("CCC_PLAY_DB_PASSWORD", None),
            ("CCC_HOST_ADDRS", None),
            ("CCC_PLAY_ROOTLESS", "true"),
            ("CCC_HOST_ADRS", '"10.0.0.1"'),
        ):
            problems = self.problems(**{key: value})
            self.assertEqual(len(problems), 1, (key, value, problems))
            self.assertIn(key, problems[0])

    def test_all_problems_at_once(self):
        found = self.problems(CCC_PLAY_DB_PORT="x", CCC_PLAY_TIMEOUT="x", CCC_UNKNOWN="x")
        self.assertEqual(len(found), 3)

    def test_problems_never_show_a_value(self):
        for value in ("geheim 2", "'geheim", '"geheim$x"', "geheim\x01"):
            for key in GOOD:
                self.assertNotIn("geheim", "\n".join(self.problems(**{key: value})))

    def test_passwords_may_be_117_bytes(self):
        self.assertEqual(self.problems(CCC_PLAY_DB_PASSWORD="p" * 117), [])
        self.assertTrue(self.problems(CCC_PLAY_DB_PASSWORD="ä" * 59))
        self.assertEqual(self.problems(CCC_HOST_IMAGE_PASSWORD="''"), [])


class Certificates(unittest.TestCase):
    def test_names(self):
        nodes = [c4.Node(0, "10.0.0.1", "10.0.0.1"), c4.Node(1, "10.0.0.2", "1.2.3.4")]
        hosts = (
            "127.0.0.1 localhost x\n10.0.0.1 n11 demo-n11.local # y\n1.2.3.4\tpublic\n9.9.9.9 z\n"
        )
        names, addresses = c4.certificate_names(nodes, hosts)
        self.assertEqual(names, ["localhost", "n11", "n12", "demo-n11.local", "public"])
        self.assertEqual(addresses, ["127.0.0.1", "10.0.0.1", "10.0.0.2", "1.2.3.4"])

    def test_certificate_is_no_ca_and_labelled(self):
        done = subprocess.run(
            ["openssl", "x509", "-noout", "-text"],
            input=support.certificate()[0].encode(),
            stdout=subprocess.PIPE,
        )
        shown = done.stdout.decode()
        for part in ("CA:FALSE", "rehearsal: no database", "IP Address:127.0.0.2", "2048 bit"):
            self.assertIn(part, shown)


class Archives(unittest.TestCase):
    def test_checksum_beside_the_archive(self):
        import hashlib
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "exasol-rehearsal.tar.gz")

            def sidecar(content):
                with open(path + ".sha256", "w") as file:
                    file.write(content)

            with open(path, "wb") as file:
                file.write(b"archive")
            digest = hashlib.sha256(b"archive").hexdigest()
            self.assertIn("No such file", c4.check_archive(path)[1][0])
            sidecar(f"{digest}  exasol-rehearsal.tar.gz\n")
            self.assertEqual(c4.check_archive(path), (digest, []))
            for wrong in (
                f"{'0' * 64}  exasol-rehearsal.tar.gz\n",
                f"{digest}  other.tar.gz\n",
                f"{digest}\n",
                "",
                "ä",
            ):
                sidecar(wrong)
                self.assertEqual(len(c4.check_archive(path)[1]), 1, wrong)


if __name__ == "__main__":
    unittest.main()
