"""Nodes that got another address after the play: found by their names."""

import functools
import os
import socket
import unittest
from unittest import mock

from support import Lab, wait_until
from test_cluster import ClusterCase

from standin import addresses, cli, peers

NODE = {"name": "n12", "address": "10.0.0.12", "external": "10.0.0.12"}


class Lookup(unittest.TestCase):
    def found(self, *answer, node=NODE):
        with mock.patch.object(addresses, "lookup", lambda name: dict(answer).get(name)):
            return addresses.current(node)

    def test_the_name_comes_first(self):
        self.assertEqual(self.found(("n12", "10.0.0.99"), ("n11", "10.0.0.1")), "10.0.0.99")

    def test_the_recorded_address_where_the_name_is_not_known(self):
        self.assertEqual(self.found(("n11", "10.0.0.1")), "10.0.0.12")

    def test_loopback_is_no_address_for_the_others(self):
        self.assertEqual(self.found(("n12", "127.0.1.1")), "10.0.0.12")
        self.assertEqual(
            self.found(("n12", "127.0.0.3"), node=dict(NODE, address="127.0.0.2")), "127.0.0.3"
        )

    def test_external_addresses(self):
        with mock.patch.object(addresses, "lookup", lambda name: "10.0.0.99"):
            self.assertEqual(addresses.external(NODE), "10.0.0.99")
            public = dict(NODE, external="203.0.113.5")
            self.assertEqual(addresses.external(public), "203.0.113.5")

    def test_the_systems_resolver(self):
        self.assertEqual(addresses.lookup("localhost"), "127.0.0.1")
        self.assertIsNone(addresses.lookup("n" * 64))
        with mock.patch.object(socket, "gethostbyname_ex", side_effect=socket.gaierror(-2, "x")):
            self.assertIsNone(addresses.lookup("n12"))


class AnotherAddress(ClusterCase):
    """n12 was off, and is at 127.0.0.3 now instead of 127.0.0.2."""

    def setUp(self):
        self.lab = Lab(self, 2)
        for name, value in (("LOST_S", 0.6), ("HOLD_S", 0.2), ("RETRY_S", 0.1)):
            patch = mock.patch.object(peers, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.lab.start()
        self.lab.wait_for_stage("d")
        self.lab.stop("n12")
        self.lab.boot("n12")
        self.lab.move("n12", "127.0.0.3")
        self.lab.start("n12")

    def name_it(self):
        """What the deployer does to /etc/hosts; the services are not told."""
        self.lab.hosts.update(n11="127.0.0.1", n12="127.0.0.3")
        self.lab.wait_for_stage("d")

    def test_found_as_soon_as_the_names_are_right(self):
        wait_until(lambda: self.state() == "setup", "n11 does not find n12")
        self.assertEqual(self.c4("ps", "-e", cli.FILTER_ALL_D), (0, "false\n", ""))
        self.name_it()
        for address in ("127.0.0.1", "127.0.0.3"):
            with self.lab.connect(address) as client:
                client.login()
                hosts = client.ask(command="getHosts", hostIp=address)["responseData"]
                self.assertEqual(hosts, {"numNodes": 2, "nodes": ["127.0.0.1", "127.0.0.3"]})

    def test_found_at_the_start_of_the_services(self):
        self.lab.stop_all()
        self.lab.hosts.update(n12="127.0.0.3")
        self.lab.start()
        self.lab.wait_for_stage("d")

    def test_jobs_and_statements_reach_it(self):
        self.name_it()
        for name in self.lab.names:
            self.assertEqual(self.confd("db_stop", "db_name: Exasol", node=name), (0, "OK\n", ""))
            for other in self.lab.names:
                wait_until(lambda: self.state(other) == "setup", f"setup on {other}")
            self.assertEqual(self.confd("db_start", "db_name: Exasol", node=name), (0, "OK\n", ""))
            self.lab.wait_for_stage("d")
        with self.lab.connect() as client:
            client.login()
            client.execute('ALTER USER sys IDENTIFIED BY "new"')
        with self.lab.connect("127.0.0.3") as client:
            client.login(password="new")

    def test_c4_finds_it(self):
        self.name_it()
        for node in self.lab.names:
            all_up = functools.partial(self.c4, "ps", "-e", cli.FILTER_ALL_D, node=node)
            wait_until(lambda: all_up() == (0, "true\n", ""), f"stage d, asked on {node}")
        table = self.c4("ps")[1]
        self.assertEqual(table.count("127.0.0.3"), 2)
        self.assertNotIn("127.0.0.2", table)
        with mock.patch.dict(os.environ, CCC_CLOUD_ACTION_WAIT_TIMEOUT="20"):
            self.assertIn("n11=d n12=d", self.c4("wait", "--stage", "d")[1])

    def test_connect_knows_the_host_by_its_name(self):
        def command():
            with mock.patch.object(cli.os, "execvp") as become:
                self.c4("connect", "-s", "cos", "-i", "0badcafe", node="n12")
            return become.call_args[0][1]

        self.assertEqual(command()[-1], "root@127.0.0.2")
        self.assertIn("HostKeyAlias=127.0.0.2", command())
        self.lab.hosts.update(n12="127.0.0.3")
        self.assertEqual(command()[-1], "root@127.0.0.3")
        self.assertIn("HostKeyAlias=n12", command())


if __name__ == "__main__":
    unittest.main()
