#!/usr/bin/env python3
"""How `exasol` itself grows with the number of nodes: its own processor time and memory, with fakes for everything else.

Terraform, Ansible and ssh are small shell scripts, and the nodes are ports of this machine that answer SQL logins.
What remains is our own work: rendering, the plan, known_hosts, inventories, sessions, logins, events.
Up to 16 nodes also `init` and `destroy` on libvirt's own mock of a hypervisor, which has no machines: checks, files, and
the search for what is left.

    python3 -B benches/scale.py --exasol target/release/exasol
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(REPO / "tests" / "faults"))

import own  # noqa: E402
import world  # noqa: E402

SIZES = [1, 2, 4, 8, 16, 32, 64]
MOCK_SIZES = SIZES[:5]
# What libvirt's test driver reads: a host with room for all nodes.
MOCK = """<node>
  <cpu><mhz>3000</mhz><model>x86_64</model><active>64</active><nodes>1</nodes><sockets>1</sockets><cores>64</cores><threads>1</threads></cpu>
  <memory>268435456</memory>
  <network><name>default</name><bridge name="virbr0"/><forward/>
    <ip address="192.168.122.1" netmask="255.255.255.0"><dhcp><range start="192.168.122.2" end="192.168.122.254"/></dhcp></ip></network>
  <pool type="dir"><name>default</name><capacity>1000000000000</capacity><available>1000000000000</available>
    <target><path>/var/lib/mock</path></target></pool>
</node>
"""

TERRAFORM = r"""#!/bin/sh
# Plans and applies what the files in $HOME/answers say.
case $1 in
  version) echo '{"terraform_version":"1.11.4"}' ;;
  validate) echo '{"valid":true,"diagnostics":[]}' ;;
  plan) for word in "$@"; do case $word in -out=*) echo plan >"${word#-out=}" ;; esac; done ;;
  show) cat "$HOME/answers/plan" ;;
  apply) cp "$HOME/answers/state" terraform.tfstate; echo running >"$HOME/power" ;;
  output) cat "$HOME/answers/outputs" ;;
esac
"""


class Cluster(world.World):
    """`size` nodes, each with an address of its own."""

    def __init__(self, folder, binary, size):
        super().__init__(folder, SIZES.index(size), binary, None)
        self.size = size
        self.begin(None)
        self.addresses = [f"127.77.{size}.{number}" for number in range(1, size + 1)]
        for address in self.addresses:
            self.database.listen(address)
        terraform = self.home / "fakes" / "terraform"
        terraform.write_text(TERRAFORM)
        (self.home / "answers").mkdir()
        for name, value in self.answers().items():
            (self.home / "answers" / name).write_text(json.dumps(value))

    def answers(self):
        names = [f"n{11 + number}" for number in range(self.size)]
        things = [("exoscale_block_storage_volume", "data", f"{name}-1") for name in names]
        things += [("exoscale_compute_instance", "node", name) for name in names]
        changes = [
            {"address": f'{kind}.{name}["{key}"]', "mode": "managed", "type": kind, "name": name, "index": key,
             "change": {"actions": ["create"], "before": None, "after": {"name": key}}}
            for kind, name, key in things
        ]  # fmt: skip
        state = [
            {"mode": "managed", "type": kind, "name": name, "instances": [{"index_key": key, "attributes": {"name": key}}]}
            for kind, name, key in things
        ]
        value = lambda make: {"sensitive": False, "type": "dynamic", "value": {  # noqa: E731
            name: make(number) for number, name in enumerate(names)}}  # fmt: skip
        outputs = {
            "private_ips": value(lambda number: self.addresses[number]),
            "public_ips": value(lambda number: self.addresses[number]),
            "machine_ids": value(str), "data_disks": value(lambda number: [f"/dev/disk/by-id/virtio-{number}"]),
        }  # fmt: skip
        return {
            "plan": {"format_version": "1.2", "resource_changes": changes},
            "state": {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "a", "outputs": {}, "resources": state},
            "outputs": outputs,
        }

    def measured(self, *words):
        """(wall seconds, own processor seconds, peak memory in MB) of one command."""
        begin = time.monotonic()
        child = self.start(*words)
        spent, peak = own.watch(child, 0.005)
        self.finish(child, 600).expect(0)
        return time.monotonic() - begin, spent, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exasol", required=True, help="the binary to be measured")
    parser.add_argument("--save", type=pathlib.Path, help="also write all figures to this file, as JSON")
    options = parser.parse_args()
    rows = []
    print("nodes   command         wall     own time      memory")
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="exasol-scale-") as folder:
            cluster = Cluster(folder, os.path.abspath(options.exasol), size)
            cluster.exasol(*world.INIT, "--cluster-size", str(size)).expect(0)
            cluster.give_key()
            row = {"deploy": cluster.measured("deploy", "--yes"), "status": cluster.measured("status")}
            if size in MOCK_SIZES:
                (cluster.home / "host.xml").write_text(MOCK)
                mock = ["-d", str(cluster.home / "mock")]
                row["mock init"] = cluster.measured(
                    "init", *mock, "--cloud-provider", "libvirt", "--libvirt-uri", f"test://{cluster.home}/host.xml",
                    "--db-version", "rehearsal", "--cluster-size", str(size))  # fmt: skip
                row["mock destroy"] = cluster.measured("destroy", *mock, "--yes")
            cluster.end()
        rows.append({"nodes": size, **row})
        for command, (wall, spent, memory) in row.items():
            print(f"{size:>5}   {command:<13} {wall:>6.2f} s {spent:>8.2f} s {memory:>8.1f} MB", flush=True)
    if options.save:
        options.save.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
