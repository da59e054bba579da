"""Stages, confd's jobs, power cycles and faults, on nodes in this process; `c4 ps` and `wait`."""

import contextlib
import io
import json
import os
import time
import unittest
from unittest import mock

from support import Lab, wait_until

from standin import adminui, cli, confd, peers, settings, stages, wire


class ClusterCase(unittest.TestCase):
    def confd(self, *words, node="n11"):
        """(exit code, stdout, stderr) of confd_client on a node."""
        out, err = io.StringIO(), io.StringIO()
        code = confd.client(list(words), self.lab.paths(node).confd_socket, out, err)
        return code, out.getvalue(), err.getvalue()

    def state(self, node="n11"):
        code, out, err = self.confd("db_state", "-j", "db_name:", "Exasol", node=node)
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def c4(self, *words, node="n11"):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(list(words), self.lab.paths(node))
        return code, out.getvalue(), err.getvalue()


class OneNode(ClusterCase):
    def setUp(self):
        self.lab = Lab(self)

    def test_jobs(self):
        self.lab.start()
        self.lab.wait_for_stage("d")
        self.assertEqual(self.confd("db_list", "-j"), (0, '["Exasol"]\n', ""))
        self.assertEqual(self.confd("db_state", "db_name: Exasol", "-j"), (0, '"running"\n', ""))
        code, out, _ = self.confd("db_info", "db_name:", "Exasol", "-j")
        information = json.loads(out)
        self.assertEqual((code, information["state"]), (0, "running"))
        self.assertEqual(information["connectible"], "Yes")
        self.assertEqual(information["config"]["owner"], [500, 500])
        self.assertEqual(self.confd("db_stop", "db_name:", "Exasol"), (0, "OK\n", ""))
        wait_until(lambda: self.state() == "setup", "setup")
        self.assertFalse(self.lab.sql_is_open())
        self.assertEqual(self.lab.stage("n11"), "c")
        code, out, _ = self.confd("db_info", "db_name:", "Exasol", "-j")
        self.assertEqual(json.loads(out)["connectible"], "No")
        self.assertEqual(self.confd("db_start", "db_name:", "Exasol"), (0, "OK\n", ""))
        self.lab.wait_for_stage("d")
        with self.lab.connect() as client:
            client.login()

    def test_calls_that_fail(self):
        self.lab.start()
        self.lab.wait_for_stage("d")
        for words in (
            ("db_create",),
            ("db_state", "db_name:", "Other"),
            ("db_state",),
            ("db_list", "x:", "y"),
            ("db_start", "db_name:", "Exasol"),
        ):
            code, out, err = self.confd(*words)
            self.assertEqual((code, out), (1, ""), words)
            self.assertIn("rehearsal: no database", err)
        for words in ((), ("db_state", "db_name"), ("db_state", "db_name", "Exasol")):
            self.assertEqual(self.confd(*words)[0], 2)

    def test_confd_does_not_answer_before_stage_c(self):
        self.assertEqual(self.confd("db_list")[0], 1)
        self.lab.faults("n11", stage_stuck="b")
        self.lab.start()
        self.lab.wait_for_stage("b")
        code, _, err = self.confd("db_list")
        self.assertEqual(code, 1)
        self.assertIn("stage b", err)

    def test_stage_follows_cos(self):
        os.unlink(self.lab.paths("n11").cos_pid)
        self.lab.start()
        self.assertEqual(self.lab.stage("n11"), "a1")
        with open(self.lab.paths("n11").cos_pid, "w") as file:
            file.write(str(os.getpid()))
        self.lab.wait_for_stage("d")
        os.unlink(self.lab.paths("n11").cos_pid)
        self.lab.wait_for_stage("a1")
        wait_until(lambda: not self.lab.sql_is_open(), "no SQL without COS")

    def test_faults(self):
        self.lab.faults("n11", stage_stuck="c")
        self.lab.start()
        self.lab.wait_for_stage("c")
        time.sleep(0.7)
        self.assertEqual(self.lab.stage("n11"), "c")
        self.assertFalse(self.lab.sql_is_open())
        self.lab.faults("n11", slow_start_s=1.5)
        wait_until(lambda: self.state() == "starting", "starting")
        began = time.monotonic()
        self.lab.wait_for_stage("d")
        self.assertGreater(time.monotonic() - began, 1.0)

    def test_stop_while_starting(self):
        self.lab.faults("n11", slow_start_s=30)
        self.lab.start()
        wait_until(lambda: self.lab.stage("n11") == "c" and self.state() == "starting", "starting")
        self.assertEqual(self.confd("db_stop", "db_name:", "Exasol")[0], 0)
        wait_until(lambda: self.state() == "setup", "setup")
        self.lab.faults("n11")
        self.assertEqual(self.confd("db_start", "db_name:", "Exasol")[0], 0)
        self.lab.wait_for_stage("d")

    def test_broken_faults_file_changes_nothing(self):
        with open(self.lab.paths("n11").faults, "w") as file:
            file.write("{stage_stuck: c}")
        self.lab.start()
        self.lab.wait_for_stage("d")

    def test_a_taken_port_is_tried_again(self):
        taken = wire.listen("127.0.0.1", self.lab.sql_port)
        self.lab.start()
        self.lab.wait_for_stage("c")
        time.sleep(0.5)
        taken.close()
        self.lab.wait_for_stage("d")

    def test_unit_failed(self):
        self.lab.faults("n11", unit_failed="c4_cloud_command.service")
        faults = settings.Faults(self.lab.paths("n11").faults)
        self.assertTrue(faults.fails("c4_cloud_command"))
        self.assertFalse(faults.fails("c4"))

    def test_the_cluster_port_wants_the_key_and_says_when_it_is_ready(self):
        self.lab.start()
        self.lab.wait_for_stage("d")
        pinned = wire.pinned_certificate(self.lab.paths("n11").certificate)
        with wire.Client.tls("127.0.0.1", self.lab.cluster_port, pinned) as client:
            self.assertEqual(client.request("GET", "/is_master")[0], 200)
            self.assertEqual(client.request("GET", "/etc/passwd")[0], 404)
            for key in ((), [("X-Rehearsal-Key", "wrong")], [("X-Rehearsal-Key", "22" * 32)]):
                for path in ("/rehearsal/database", "/rehearsal/confd"):
                    code, _ = client.request("POST", path, {"wanted": "setup"}, key)
                    self.assertEqual(code, 403)
            right = [("X-Rehearsal-Key", "11" * 32)]
            self.assertEqual(client.request("POST", "/rehearsal/x", {}, right)[0], 400)
            self.assertEqual(client.request("POST", "/rehearsal/x", [], right)[0], 400)
        with self.assertRaises(wire.Failed):
            wire.Client.tls("127.0.0.1", self.lab.cluster_port, b"another certificate")
        self.assertEqual(os.stat(self.lab.paths("n11").confd_socket).st_mode & 0o777, 0o600)

    def test_admin_page(self):
        status, kind, text = adminui.page(None)
        self.assertEqual(status, 200)
        self.assertIn("rehearsal: no database", text)


class PowerCycles(ClusterCase):
    def setUp(self):
        self.lab = Lab(self)
        self.lab.start()
        self.lab.wait_for_stage("d")

    def stop_database(self):
        self.assertEqual(self.confd("db_stop", "db_name:", "Exasol")[0], 0)
        wait_until(lambda: self.state() == "setup", "setup")

    def test_stopped_stays_stopped_when_the_service_restarts(self):
        self.stop_database()
        self.lab.stop("n11")
        self.lab.start()
        self.lab.wait_for_stage("c")
        self.assertEqual(self.state(), "setup")

    def test_after_a_power_cycle_it_starts_by_itself(self):
        self.stop_database()
        self.lab.stop("n11")
        self.lab.boot("n11")
        self.lab.start()
        self.lab.wait_for_stage("d")

    def test_fault_down_after_reboot(self):
        self.lab.faults("n11", db_down_after_reboot=True)
        self.lab.stop("n11")
        self.lab.boot("n11")
        self.lab.start()
        self.lab.wait_for_stage("c")
        self.assertEqual(self.state(), "setup")
        self.assertEqual(self.confd("db_start", "db_name:", "Exasol")[0], 0)
        self.lab.wait_for_stage("d")


class TwoNodes(ClusterCase):
    def setUp(self):
        self.lab = Lab(self, 2)

    def test_nodes_wait_for_each_other(self):
        self.lab.start("n11")
        self.lab.wait_for_stage("b", "n11")
        self.assertIn("n12", self.lab.running["n11"].node.status()["waiting_for"])
        self.lab.start("n12")
        self.lab.wait_for_stage("d")
        for address in ("127.0.0.1", "127.0.0.2"):
            with self.lab.connect(address) as client:
                client.login()

    def test_stop_and_start_from_any_node(self):
        self.lab.start()
        self.lab.wait_for_stage("d")
        self.assertEqual(self.confd("db_stop", "db_name:", "Exasol", node="n12")[0], 0)
        self.assertIn(self.state("n12"), ("stopping", "setup"))
        for name in self.lab.names:
            wait_until(lambda: self.state(name) == "setup", f"setup on {name}")
        for address in ("127.0.0.1", "127.0.0.2"):
            self.assertFalse(self.lab.sql_is_open(address))
        self.assertEqual(self.confd("db_start", "db_name:", "Exasol", node="n11")[0], 0)
        self.lab.wait_for_stage("d")
        for name in self.lab.names:
            wait_until(lambda: self.state(name) == "running", f"running on {name}")

    def test_a_lost_node_takes_the_database_down_until_it_is_back(self):
        with mock.patch.object(peers, "LOST_S", 0.6), mock.patch.object(peers, "HOLD_S", 0.2):
            self.lab.start()
            self.lab.wait_for_stage("d")
            self.lab.stop("n12")
            wait_until(lambda: not self.lab.sql_is_open(), "n11 alone is no database")
            wait_until(lambda: self.state() == "setup", "setup")
            code, _, err = self.confd("db_start", "db_name:", "Exasol")
            self.assertEqual(code, 1)
            self.assertIn("n12 does not answer", err)
            self.lab.boot("n12")
            self.lab.start("n12")
            self.lab.wait_for_stage("d")

    def test_one_rebooted_node_joins_a_stopped_database(self):
        self.lab.start()
        self.lab.wait_for_stage("d")
        self.confd("db_stop", "db_name:", "Exasol")
        wait_until(lambda: self.state() == "setup", "setup")
        self.lab.stop("n12")
        self.lab.boot("n12")
        self.lab.start("n12")
        self.lab.wait_for_stage("c")
        self.assertEqual(self.state("n12"), "setup")


class Commands(ClusterCase):
    def setUp(self):
        self.lab = Lab(self, 2)

    def test_ps(self):
        self.lab.start("n11")
        self.lab.wait_for_stage("b", "n11")
        self.assertEqual(self.c4("ps", "-e", cli.FILTER_ALL_D), (0, "false\n", ""))
        self.lab.start("n12")
        self.lab.wait_for_stage("d")
        self.assertEqual(self.c4("ps", "-e", cli.FILTER_ALL_D), (0, "true\n", ""))
        want = '[{"node":"n11","stage":"d"},{"node":"n12","stage":"d"}]\n'
        self.assertEqual(self.c4("ps", "-e", cli.FILTER_STAGES), (0, want, ""))
        code, out, _ = self.c4("ps", node="n12")
        self.assertEqual(code, 0)
        self.assertIn("rehearsal: no database", out)
        self.assertEqual(out.count("2025.1.8+rehearsal"), 2)
        for words in (("ps", "-e", "."), ("ps", "-e"), ("ps", "x"), ("up",), (), ("wait", "--x")):
            self.assertEqual(self.c4(*words)[0], 2, words)

    def test_wait(self):
        def wait(*words, limit):
            with mock.patch.dict(os.environ, CCC_CLOUD_ACTION_WAIT_TIMEOUT=limit):
                began = time.monotonic()
                code, out, _ = self.c4("wait", *words)
                return code, out, time.monotonic() - began

        self.lab.faults("n12", stage_stuck="c")
        self.lab.start()
        code, out, took = wait("0badcafe", "--stage", "d", limit="2")
        self.assertEqual(code, 0)
        self.assertIn("time is up", out)
        self.assertLess(took, 4)
        self.lab.faults("n12")
        code, out, took = wait("--stage", "d", limit="20")
        self.assertEqual(code, 0)
        self.assertIn("n11=d n12=d", out)
        self.assertLess(took, 10)
        self.assertEqual(wait("deadbeef", "--stage", "d", limit="1")[0], 1)
        self.assertEqual(wait("--stage", "z", limit="1")[0], 2)

    def test_config_version_help(self):
        self.assertEqual(self.c4("config", "-e", ".play.id"), (0, "0badcafe\n", ""))
        code, out, _ = self.c4("config", "-F", "-e", ".play.confd_port")
        self.assertEqual((code, out), (0, f"{self.lab.cluster_port}\n"))
        self.assertEqual(self.c4("config", "-e", ".play.db_password")[0], 2)
        for word in ("version", "--help"):
            self.assertIn("rehearsal: no database", self.c4(word)[1])

    def test_connect(self):
        with mock.patch.object(cli.os, "execvp") as become:
            self.c4("connect", "-s", "cos", "-i", "0badcafe", "--", "confd_client", "db_list", "-j")
        command = become.call_args[0][1]
        self.assertEqual(command[-5:], ["root@127.0.0.1", "--", "confd_client", "db_list", "-j"])
        self.assertIn("StrictHostKeyChecking=yes", command)
        self.assertEqual(self.c4("connect", "-s", "cos", "-i", "deadbeef")[0], 1)
        self.assertEqual(self.c4("connect", "-s", "host", "-i", "0badcafe")[0], 2)


class Stages(unittest.TestCase):
    GOOD = stages.Facts(cos=None, disks=None, confd=True, strangers=[], database="running")

    def test_conditions(self):
        for changes, stage in (
            ({}, "d"),
            ({"cos": "down"}, "a1"),
            ({"disks": "disk /dev/x: missing"}, "b"),
            ({"confd": False}, "b"),
            ({"strangers": [("n12", "refused")]}, "b"),
            ({"database": "starting"}, "c"),
        ):
            self.assertEqual(stages.of(self.GOOD._replace(**changes))[0], stage)

    def test_stuck(self):
        for stuck, stage in (
            ("a1", "a1"),
            ("b", "b"),
            ("c", "c"),
            ("d", "d"),
            ("x", "d"),
            (1, "d"),
        ):
            self.assertEqual(stages.of(self.GOOD, stuck)[0], stage)
        self.assertEqual(stages.of(self.GOOD._replace(cos="down"), "c")[0], "a1")

    def test_disks_must_be_block_devices(self):
        self.assertIn("no block device", stages.Disks(["/dev/null"]).problem())
        self.assertIn("No such file", stages.Disks(["/dev/exadata_99"]).problem())


if __name__ == "__main__":
    unittest.main()
