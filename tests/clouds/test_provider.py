"""The stand-in for the clouds' Terraform providers, under the real Terraform.

Two nodes of each cloud, written by hand (tests/provider/testdata), through a whole life. What
is shown here is what other tests build on: that it computes, compares, refuses and fails.
"""

import pathlib
import signal
import unittest

from accounts import clouds
from world import REPO, World, changes, lost, wait_until

TESTDATA = REPO / "tests" / "provider" / "testdata"
NEWER = {"TEST_PROVIDER_IMAGE": "newer"}
CHANGED = ["-var", "user_data=#cloud-config, another", "-var", 'clients=["192.0.2.0/24"]']


def living(world):
    """The test's world with everything applied."""
    world.take(TESTDATA / world.account.name)
    world.terraform("apply", "-auto-approve").expect(0)
    return world


class Life(unittest.TestCase):
    def test_of_every_cloud(self):
        for name in clouds():
            with self.subTest(name), World(name) as world:
                world.take(TESTDATA / name)
                self.validates(world)
                self.needs_an_account(world)
                self.applies(world)
                self.keeps_its_nodes(world)
                self.would_replace_them(world)
                self.ends(world)

    def validates(self, world):
        world.terraform("fmt", "-check").expect(0)
        validated = world.terraform_json("validate", "-json")
        self.assertEqual((validated["valid"], validated["diagnostics"]), (True, []))

    def needs_an_account(self, world):
        everything = dict(world.env)
        for variable in world.account.variables:
            del world.env[variable]
        refused = world.terraform("plan", "-input=false").expect(1)
        self.assertIn("no valid credentials found", refused.stderr)
        world.env = everything

    def applies(self, world):
        world.terraform("apply", "-auto-approve").expect(0)
        addresses = world.terraform_json("output", "-json", "nodes")
        self.assertEqual(sorted(addresses), ["n11", "n12"])
        for address in addresses.values():
            self.assertRegex(address, r"^127\.77\.\d+\.\d+$")
        self.assertEqual(len(set(addresses.values())), 2)
        self.assertEqual(len(world.resources(world.account.node)), 2)
        self.assertEqual(len(world.resources(world.account.disk)), 2)
        self.assertEqual(changes(world.plan()), {})

    def keeps_its_nodes(self, world):
        plan = world.plan(*CHANGED, env=NEWER)
        self.assertNotEqual(changes(plan), {}, "other clients are no change")
        self.assertEqual(lost(plan, world.account.node, world.account.disk), [])

    def would_replace_them(self, world):
        """Where nothing is ignored. azure's image is called "latest" and never drifts; oci swaps
        the boot disk of a node in place: there, only the user data tells."""
        node = world.account.node
        override = world.terraform_dir / "nothing_ignored_override.tf"
        override.write_text(f'resource "{node}" "node" {{\n  lifecycle {{ ignore_changes = [id] }}\n}}\n')
        for reason, arguments, env, spared in (
            ("a newer image", [], NEWER, {"azure", "oci"}),
            # aws stops the node and google does nothing before the next boot.
            ("other user data", CHANGED[:2], {}, {"aws", "gcp", "exoscale"}),
        ):
            replaced = lost(world.plan(*arguments, env=env), node)
            self.assertEqual(len(replaced), 0 if world.account.name in spared else 2, reason)
        override.unlink()

    def ends(self, world):
        world.terraform("destroy", "-auto-approve").expect(0)
        self.assertEqual(world.resources(), [])
        # The account came by the environment, and nothing of it is in the cloud's file.
        refused, accepted = world.cloud()["configured"]
        self.assertEqual((refused["refused"], accepted["refused"]), (True, False))
        self.assertEqual((refused["variables"], accepted["arguments"]), ([], []))
        self.assertLessEqual(set(world.account.secret), set(accepted["variables"]))
        for secret in world.secrets.values():
            self.assertNotIn(secret, world.state.read_text())


class Drift(unittest.TestCase):
    def test_what_is_gone_is_made_again(self):
        with living(World("digitalocean")) as world:
            node = world.resources("digitalocean_droplet")[0]
            world.drift(lambda resources: resources.pop("digitalocean_droplet/" + node["id"]))
            planned = changes(world.plan())
            self.assertEqual(planned[f'digitalocean_droplet.node["{node["name"]}"]'], ["create"])

    def test_what_was_changed_is_seen(self):
        with living(World("hetzner")) as world:
            world.drift(lambda resources: [
                r["values"].update(size=50) for r in resources.values() if r["type"] == "hcloud_volume"
            ])  # fmt: skip
            self.assertEqual(set(map(tuple, changes(world.plan()).values())), {("update",)})

    def test_a_node_that_was_off_has_another_address(self):
        with living(World("aws")) as world:
            before = world.terraform_json("output", "-json", "nodes")
            for power in ("stopped", "running"):
                world.terraform("apply", "-auto-approve", "-var", f"power={power}").expect(0)
            world.terraform("apply", "-auto-approve", "-refresh-only").expect(0)
            after = world.terraform_json("output", "-json", "nodes")
            self.assertFalse(set(before.values()) & set(after.values()), (before, after))
            self.assertEqual(changes(world.plan()), {})


class Faults(unittest.TestCase):
    def test_a_create_that_fails_is_made_good(self):
        with World("exoscale") as world:
            world.take(TESTDATA / "exoscale")
            world.fault("create", "exoscale_compute_instance", nth=2, message="quota exceeded")
            failed = world.terraform("apply", "-auto-approve").expect(1)
            self.assertIn("quota exceeded", failed.stderr)
            self.assertEqual(len(world.resources("exoscale_compute_instance")), 1)
            world.terraform("apply", "-auto-approve").expect(0)
            self.assertEqual(len(world.resources("exoscale_compute_instance")), 2)

    def test_what_failed_late_is_tainted(self):
        with World("hetzner") as world:
            world.take(TESTDATA / "hetzner")
            world.fault("create", "hcloud_server", nth=1, message="timeout", done=True)
            world.terraform("apply", "-auto-approve").expect(1)
            self.assertEqual(len(lost(world.plan(), "hcloud_server")), 1)

    def test_a_destroy_that_fails_half_way(self):
        with living(World("oci")) as world:
            world.fault("delete", "oci_core_volume", nth=1, message="still attached")
            failed = world.terraform("destroy", "-auto-approve").expect(1)
            self.assertIn("still attached", failed.stderr)
            self.assertEqual(len(world.resources("oci_core_volume")), 1)
            world.terraform("destroy", "-auto-approve").expect(0)
            self.assertEqual(world.resources(), [])

    def test_an_account_that_the_cloud_refuses(self):
        with World("hetzner") as world:
            world.take(TESTDATA / "hetzner")
            world.fault("configure", "", message="unable to authenticate")
            self.assertIn("unable to authenticate", world.terraform("plan").expect(1).stderr)

    def test_an_interrupt_while_something_is_made(self):
        with World("hetzner") as world:
            world.take(TESTDATA / "hetzner")
            world.fault("create", "hcloud_server", nth=1, do="wait")
            running = self.until(world, "create hcloud_server")
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(60), 1)
            self.assertEqual(len(world.resources("hcloud_network")), 1)
            world.terraform("destroy", "-auto-approve").expect(0)
            self.assertEqual(world.resources(), [])

    def test_nothing_outlives_a_killed_terraform(self):
        with World("hetzner") as world:
            world.take(TESTDATA / "hetzner")
            world.fault("create", "hcloud_volume", nth=1, do="hang")
            running = self.until(world, "create hcloud_volume")
            self.assertNotEqual(plugins(world), [])
            running.kill()
            running.wait()
            wait_until(lambda: not plugins(world), "the end of the plugin", limit=20)

    @staticmethod
    def until(world, attempt):
        running = world.start_terraform("apply", "-auto-approve")
        wait_until(lambda: world.state.exists() and attempt in world.cloud()["counts"], attempt, limit=60, every=0.05)
        return running


def plugins(world):
    """The provider processes of this world."""
    mark = f"TEST_PROVIDER_STATE={world.state}".encode()
    found = []
    for process in (p for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()):
        try:
            if b"terraform-provider-" in (process / "cmdline").read_bytes() and mark in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue  # it has ended, or is another user's
    return found


if __name__ == "__main__":
    unittest.main()
