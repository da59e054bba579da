"""The test switch unkind.json: each key as it hurts, and the caller whom it does not hurt."""

import fcntl
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import unittest
from unittest import mock

import support
from support import Refused, run_c4, wait_until
from test_c4 import NodeCase, c4
from test_cluster import ClusterCase, Lab

from standin import cli, settings, stages

POSED = "2025.1.10"
# What a configuration of 2025.1 has not.
LATER = ("CCC_ADMINUI_ADMIN_PASSWORD", "CCC_PLAY_VERSION_UPDATE_CHECK")


class Archive(NodeCase):
    """`host diag` and `host play` of a release directory whose archive has an unkind.json."""

    def pack(self, **unkind):
        path = self.at("exasol-rehearsal.tar.gz")
        data = json.dumps(unkind).encode()
        with tarfile.open(path, "w:gz") as tar:
            member = tarfile.TarInfo("exasol-rehearsal/unkind.json")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        digest = support.sha256_of(path)
        self.write("exasol-rehearsal.tar.gz.sha256", f"{digest}  exasol-rehearsal.tar.gz\n")

    def play(self):
        steps = "@@ clock @NOW@\n@@ step copied\n@@ step extracted\n@@ step installed\n@@ end\n"
        for address in self.NODES:
            self.answer(address, steps)
        return self.run_host("play")

    def assert_good(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Typing(Archive):
    def test_a_typing_error_is_no_kindness(self):
        self.pack(pose_at=POSED)
        self.assert_fails(self.run_host("diag"), "unkind.json: pose_at: unknown key")


class PoseAs(Archive):
    def test_another_working_copy_is_refused(self):
        self.pack(pose_as=POSED)
        self.assert_fails(self.run_host("diag"), "CCC_PLAY_WORKING_COPY: must be @exasol-2025.1.10")

    def test_with_the_right_one_it_says_what_it_poses_as_and_what_it_is(self):
        self.pack(pose_as=POSED)
        self.configure(CCC_PLAY_WORKING_COPY="@exasol-2025.1.10")
        done = self.play()
        self.assert_good(done)
        self.assertIn("Exasol version: 2025.1.10 (rehearsal: no database)", done.stdout)

    def test_install_node_is_told(self):
        self.pack(pose_as=POSED, cos_cluster_key_only=True)
        self.configure(CCC_PLAY_WORKING_COPY="@exasol-2025.1.10")
        self.assert_good(self.play())
        sent = io.BytesIO(self.read(f"{self.NODES[0]}.stdin", "rb"))
        with tarfile.open(fileobj=sent) as tar:
            switches = tar.extractfile("files/switches").read()
        self.assertEqual(switches, b"posing cluster-key-only\n")
        self.assertIn("posing='2025.1.10'\n", self.read(f"{self.NODES[0]}.script"))


class ConfigKeys(Archive):
    def test_keys_of_a_later_series_are_refused(self):
        self.pack(config_keys="2025.1")
        refused = [f"{key}: unknown key in 2025.1" for key in LATER]
        self.assert_fails(self.run_host("diag"), *refused)

    def test_without_them_it_is_well(self):
        self.pack(config_keys="2025.1")
        self.configure(**dict.fromkeys(LATER))
        self.assert_good(self.run_host("diag"))

    def test_validation_tells_before_a_play(self):
        self.pack(config_keys="2025.1")
        done = run_c4("config", "-i", self.at("config"), "-V")
        self.assertEqual(done.returncode, 1)
        self.assertIn(LATER[0], done.stderr)
        self.configure(**dict.fromkeys(LATER))
        done = run_c4("config", "-V", "-i", self.at("config"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("valid (rehearsal: no database)", done.stdout)


class Subnets(Archive):
    def setUp(self):
        super().setUp()
        for address in self.NODES:
            self.answer(address, "@@ clock @NOW@\n@@ subnet 203.0.113.7/32\n@@ end\n")

    def test_peers_outside_are_refused(self):
        self.pack(same_subnet_check=True)
        self.configure(CCC_PLAY_CORED_ALLOW_ONLY_SAME_SUBNET="true")
        self.assert_fails(
            self.run_host("diag"),
            "n11: n12 (192.168.122.12) is not in its subnet 203.0.113.7/32",
            "n12: n11 (192.168.122.11) is not in its subnet",
        )

    def test_where_they_are_allowed_it_is_well(self):
        self.pack(same_subnet_check=True)
        self.assert_good(self.run_host("diag"))


class Fetches(Archive):
    def test_it_says_so_only_on_request(self):
        self.assertNotIn("Fetching", self.play().stdout)
        self.pack(fetches=True)
        done = self.play()
        self.assert_good(done)
        self.assertIn("Fetching Exasol packages", done.stdout)


class LeavesChild(Archive):
    def lock(self):
        handle = open(self.at("lock"), "w")
        fcntl.flock(handle, fcntl.LOCK_EX)
        return handle

    def is_free(self):
        with open(self.at("lock")) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                return False

    def play_with(self, *inherited):
        self.pack(play_leaves_child=True)
        with mock.patch.object(support, "INHERITED", inherited):
            done = self.play()
        child = int(re.search(r"process (\d+) stays behind", done.stdout)[1])
        self.addCleanup(os.kill, child, signal.SIGKILL)
        return done

    def test_a_lock_that_it_inherits_stays(self):
        lock = self.lock()
        self.assert_good(self.play_with(lock.fileno()))
        lock.close()
        self.assertFalse(self.is_free())

    def test_a_lock_that_it_does_not_inherit_goes(self):
        lock = self.lock()
        self.assert_good(self.play_with())
        lock.close()
        self.assertTrue(self.is_free())


class Cluster(ClusterCase):
    COUNT = 2

    def up(self, **unkind):
        self.lab = Lab(self, self.COUNT)
        self.lab.unkind(**unkind)
        self.lab.start()

    def ready(self, **unkind):
        self.up(**unkind)
        self.lab.wait_for_stage("d")

    def stages(self, *options, **environment):
        """{node: stage} as `ps` tells them."""
        with mock.patch.dict(os.environ, environment):
            code, out, err = self.c4("ps", *options, "-e", cli.FILTER_STAGES)
        self.assertEqual((code, err), (0, ""))
        return {item["node"]: item["stage"] for item in json.loads(out)}

    def info(self):
        code, out, err = self.confd("db_info", "db_name: Exasol", "-j")
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)


class Ps(Cluster):
    def test_who_is_slow_is_missing(self):
        self.ready(ps_slow_ms=8000)
        self.assertEqual(self.stages(), {"n11": "d"})
        self.assertNotIn("n12", self.c4("ps")[1])

    def test_with_patience_all_are_there(self):
        self.ready(ps_slow_ms=8000)
        both = {"n11": "d", "n12": "d"}
        self.assertEqual(self.stages(CCC_USER_PS_REMOTE_TIMEOUT="10000"), both)
        self.assertEqual(self.stages("--local", "--remote-timeout", "8000"), both)

    def test_a_stage_that_is_not_true(self):
        self.ready(ps_stage={"n11": "a1"})
        self.assertEqual(self.stages(), {"n11": "a1", "n12": "d"})
        with mock.patch.dict(os.environ, CCC_CLOUD_ACTION_WAIT_TIMEOUT="1"):
            code, out, _ = self.c4("wait", "--stage", "d")
        self.assertEqual(code, 0)
        self.assertIn("time is up", out)

    def test_who_asks_confd_and_sql_knows_better(self):
        self.ready(ps_stage={"n11": "a1"})
        self.assertEqual((self.info()["state"], self.info()["connectible"]), ("running", "Yes"))
        with self.lab.connect() as client:
            client.login()

    def test_external_addresses_that_do_not_answer(self):
        self.ready(external_dials=[22, 20002])
        dialled = []

        def silent(address, port):
            dialled.append((address, port))
            return port == 22

        with mock.patch.object(cli, "_answers", silent):
            self.assertEqual(self.stages(), {"n11": "a", "n12": "a"})
        self.assertIn(("127.0.0.2", 20002), dialled)

    def test_external_addresses_that_answer(self):
        self.ready(external_dials=[22, 20002])
        with mock.patch.object(cli, "_answers", lambda address, port: True):
            self.assertEqual(self.stages(), {"n11": "d", "n12": "d"})


class PlayIds(Cluster):
    COUNT = 1

    def test_it_is_told_in_ways_that_help_nobody(self):
        for told, answer in (("", (0, "\n")), ("null", (0, "null\n")), ("fails", (1, ""))):
            self.up(play_id=told)
            self.assertEqual(self.c4("config", "-e", ".play.id")[:2], answer)
            self.lab.stop_all()

    def test_other_ways_lead_there(self):
        self.up(play_id="")
        self.assertEqual(self.c4("ps", "-e", ".[].Name"), (0, '"0badcafe"\n', ""))
        for way in ("0badcafe", "1"):
            with mock.patch.object(cli.os, "execvp") as become:
                self.c4("connect", "-s", "cos", "-i", way, "-T", "--", "confd_client", "db_list")
            self.assertEqual(become.call_args[0][1][-2:], ["confd_client", "db_list"])
        self.assertEqual(self.c4("connect", "-s", "cos", "-i", "null", "--", "true")[0], 1)

    def test_the_other_id_is_another(self):
        self.up()
        self.assertRegex(self.c4("ps", "--local", "-e", ".[].play.id")[1], '^"0badcafe-.{27}"\n$')


class States(Cluster):
    COUNT = 1

    def test_documented_names(self):
        self.ready(state_names="documented")
        self.assertEqual((self.state(), self.info()["state"]), ("Running", "Running"))
        self.assertEqual(self.confd("db_stop", "db_name: Exasol"), (0, "OK\n", ""))
        self.assertIn(self.state(), ("Shutdown", "Setup"))
        wait_until(lambda: self.state() == "Setup", "Setup")
        self.lab.faults("n11", slow_start_s=1.0)
        self.assertEqual(self.confd("db_start", "db_name: Exasol"), (0, "OK\n", ""))
        self.assertEqual(self.state(), "Startup")
        wait_until(lambda: self.state().lower() == "running", "running, for who does not mind")

    def test_first_logins_are_refused(self):
        self.ready(login_refused_s=0.5)
        with self.lab.connect() as client:
            with self.assertRaises(Refused) as refused:
                client.login()
        self.assertEqual(refused.exception.code, "08004")

        def admitted():
            try:
                with self.lab.connect() as client:
                    return client.login()
            except Refused:
                return None

        wait_until(admitted, "a login, for who asks again")

    def test_what_it_poses_as_has_its_label(self):
        self.ready(pose_as=POSED)
        with self.lab.connect() as client:
            login = client.login()
            self.assertEqual(login["releaseVersion"], "2025.1.10+rehearsal")
            self.assertEqual(login["productName"], "rehearsal: no database")
        self.assertIn("2025.1.10+rehearsal", self.c4("ps")[1])
        said = self.c4("version")[1]
        self.assertIn("2025.1.10", said)
        self.assertIn("rehearsal: no database", said)


class Memory(Cluster):
    def test_zero_stays_at_c_and_says_why(self):
        self.up(mem_size_zero=True)
        self.lab.wait_for_stage("c")
        self.assertEqual(self.info()["config"]["mem_size"], "0 MiB")
        self.assertEqual(self.state(), "setup")
        code, _, err = self.confd("db_start", "db_name: Exasol")
        self.assertEqual(code, 1)
        self.assertIn("mem_size", err)
        with open(self.log()) as file:
            self.assertIn("memory is 0", file.read())

    def test_who_gives_it_memory_has_a_database(self):
        self.up(mem_size_zero=True)
        self.lab.wait_for_stage("c")
        said = self.confd("db_configure", "db_name: Exasol", "mem_size: 2 GiB")
        self.assertEqual(said, (0, "OK\n", ""))
        self.assertEqual(self.state(), "setup")
        self.assertEqual(self.confd("db_start", "db_name: Exasol"), (0, "OK\n", ""))
        self.lab.wait_for_stage("d")
        self.assertEqual(self.info()["config"]["mem_size"], "2048 MiB")
        self.assertEqual(self.confd("db_configure", "db_name: Exasol", "mem_size: 1 GiB")[0], 1)

    def test_memory_is_a_number_with_its_unit(self):
        self.ready()
        self.assertRegex(self.info()["config"]["mem_size"], r"^[1-9][0-9]* MiB$")
        self.assertEqual(self.confd("db_stop", "db_name: Exasol")[0], 0)
        wait_until(lambda: self.state() == "setup", "setup")
        for wrong in ("2048", "2048 MB", "0 MiB", "-1 GiB"):
            code, _, err = self.confd("db_configure", f"db_name: Exasol mem_size: '{wrong}'")
            self.assertEqual(code, 1, wrong)
            self.assertIn("mem_size", err)

    def test_both_c4s_calculate_alike(self):
        self.up()
        installed = self.c4("_", "calculate-memory", "4096")
        self.assertEqual(run_c4("_", "calculate-memory", "4096").stdout, installed[1])
        self.assertGreaterEqual(int(installed[1]), 1024)
        self.assertEqual(self.c4("_", "calculate-memory", "much")[0], 2)

    def test_the_boot_log_ends_with_the_last_stage(self):
        self.ready()
        for name in self.lab.names:
            with open(self.log(name)) as file:
                self.assertTrue(file.read().rstrip().endswith("stage6: All stages finished."))

    def log(self, name="n11"):
        paths = self.lab.paths(name)
        path = paths.boot_log(settings.Cluster.load(paths))
        self.assertIn(f"/.ccc/play/local/0badcafe/main/{name[1:]}/data/logs/cored/", path)
        return path


class AdminUi(unittest.TestCase):
    def gate(self, unit, **unkind):
        """The exit code of what runs before a unit's program."""
        with tempfile.TemporaryDirectory() as folder:
            gate = os.path.join(support.REHEARSAL, "database", "unit-gate")
            settings.write_json(os.path.join(folder, "unkind.json"), unkind, 0o644)
            done = subprocess.run(["sh", shutil.copy(gate, folder), unit], stderr=subprocess.PIPE)
        return done.returncode

    def test_it_never_comes(self):
        self.assertEqual(self.gate("exasol-admin-ui"), 0)
        self.assertEqual(self.gate("exasol-admin-ui", adminui_never=False), 0)
        self.assertEqual(self.gate("exasol-admin-ui", adminui_never=True), 1)
        self.assertEqual(self.gate("c4", adminui_never=True), 0)

    def test_its_unit_is_gated(self):
        path = os.path.join(support.REHEARSAL, "database", "units", "exasol-admin-ui.service")
        with open(path) as file:
            self.assertIn("/unit-gate exasol-admin-ui\n", file.read())

    def test_who_does_not_need_it_has_a_database(self):
        lab = Lab(self)
        lab.unkind(adminui_never=True)
        lab.start()
        lab.wait_for_stage("d")


class Everything(Cluster):
    """All keys that do not exclude each other: who knows them gets through."""

    def test_a_careful_caller_passes(self):
        self.ready(
            pose_as=POSED, ps_slow_ms=8000, ps_stage={"n11": "a1"}, play_id="", login_refused_s=0.2,
            state_names="documented", external_dials=[22, 20002], adminui_never=True,
        )  # fmt: skip
        with mock.patch.object(cli, "_answers", lambda address, port: True):
            seen = self.stages(CCC_USER_PS_REMOTE_TIMEOUT="10000")
        self.assertEqual(seen, {"n11": "a1", "n12": "d"})
        self.assertEqual(self.state().lower(), "running")
        self.assertEqual(self.info()["connectible"], "Yes")
        self.assertTrue(stages.reached(self.lab.stage("n11"), "d"))


if __name__ == "__main__":
    unittest.main()
