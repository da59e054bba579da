"""db_stop, db_start and db_state in the order and the words that a deployer waits for."""

import threading
import unittest
from unittest import mock

from support import wait_until
from test_cluster import ClusterCase, Lab

from standin import sqlserver


class StopAndStart(ClusterCase):
    COUNT = 1

    def setUp(self):
        self.lab = Lab(self, self.COUNT)
        self.lab.start()
        self.lab.wait_for_stage("d")
        for name in self.lab.names:
            wait_until(lambda: self.state(name) == "running", f"running on {name}")
        self.statuses = {name: self.record(name) for name in self.lab.names}

    def record(self, name):
        """All versions of the node's status from now on."""
        node, seen = self.lab.running[name].node, []
        publish = node._publish

        def recorded(*arguments):
            publish(*arguments)
            if not seen or seen[-1] is not node.status():
                seen.append(node.status())

        node._publish = recorded
        return seen

    def words(self, job, between, end, asked, told):
        """Has `told` do the job, and returns all that `asked` says until `end`, repeats left out.

        SQL ports neither open nor close before `between` was said."""
        gate = threading.Event()
        real, real_stop = sqlserver.SqlServer, sqlserver.SqlServer.stop

        def opened(*arguments):
            gate.wait(10.0)
            return real(*arguments)

        def stop(server):
            gate.wait(10.0)
            real_stop(server)

        def say():
            code, out, err = self.confd("db_state", "-j", "db_name:", "Exasol", node=asked)
            self.assertEqual((code, err), (0, ""))
            return out

        said = [say()]

        def ended():
            now = say()
            if now != said[-1]:
                said.append(now)
            if now == between:
                gate.set()
            return now == end

        with mock.patch.object(real, "stop", stop):
            with mock.patch.object(sqlserver, "SqlServer", opened):
                self.assertEqual(self.confd(job, "db_name: Exasol", node=told), (0, "OK\n", ""))
                wait_until(ended, f"{end} after {job}")
        return said

    def test_states_and_stages(self):
        names, count = self.lab.names, self.COUNT
        addresses = [f"127.0.0.{number + 1}" for number in range(count)]
        for number, told in enumerate(names):
            for asked in {told, names[(number + 1) % count]}:
                said = self.words("db_stop", '"stopping"\n', '"setup"\n', asked, told)
                self.assertEqual(said, ['"running"\n', '"stopping"\n', '"setup"\n'])
                for name, address in zip(names, addresses):
                    self.assertEqual(self.lab.stage(name), "c")
                    self.assertFalse(self.lab.sql_is_open(address))
                said = self.words("db_start", '"starting"\n', '"running"\n', asked, told)
                self.assertEqual(said, ['"setup"\n', '"starting"\n', '"running"\n'])
                for name, address in zip(names, addresses):
                    self.assertEqual(self.lab.stage(name), "d")
                    with self.lab.connect(address) as client:
                        client.login()
        for seen in self.statuses.values():
            self.assertEqual([status["stage"] for status in seen][-1], "d")
            for status in seen:
                up = status["database"] == "running"
                self.assertEqual(status["stage"], "d" if up else "c", status)

    def test_no_other_word_directly_after_the_answer(self):
        """Who asks the node that answered OK never finds the state of before."""
        for _ in range(10):
            self.confd("db_stop", "db_name: Exasol")
            self.assertIn(self.state(), ("stopping", "setup"))
            wait_until(lambda: self.state() == "setup", "setup")
            self.confd("db_start", "db_name: Exasol")
            self.assertIn(self.state(), ("starting", "running"))
            wait_until(lambda: self.state() == "running", "running")
            self.assertEqual({self.lab.stage(name) for name in self.lab.names}, {"d"})


class StopAndStartOfThree(StopAndStart):
    COUNT = 3


if __name__ == "__main__":
    unittest.main()
