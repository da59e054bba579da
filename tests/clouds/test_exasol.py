"""The program with each cloud that it offers, up to where SSH would begin.

What these tests know of a cloud is its name and what its account is: everything else is the same
for all, and so must be what the program does.
"""

import functools
import json
import pathlib
import re
import signal
import subprocess
import unittest

from accounts import clouds
from world import World, wait_until

INIT = ("--db-version", "rehearsal")
# What every cloud takes; its own are in accounts.py.
EVERYWHERE = (
    "--data-volumes-per-node", "2", "--data-volume-size", "128", "--owner", "O'Neil & <co> ${x}", "--network-cidr", "10.99.7.0/24",
    "--allowed-cidr", "192.0.2.0/24", "--allowed-cidr", "198.51.100.7", "--allowed-cidr", "2001:db8::/32", "--enable-multicast-overlay",
)  # fmt: skip
SIZE = ("--cluster-size", "4", "--data-volumes-per-node", "3")


@functools.cache
def offered():
    """The clouds that the binary knows."""
    with World("hetzner") as world:
        listed = world.exasol("init", "--list-providers", "--json").expect(0).json()["items"]
    return [item["name"] for item in listed if item["name"] in clouds()]


def each(test):
    """Runs a test in a world of its own for every cloud."""

    @functools.wraps(test)
    def all_of_them(self):
        self.assertNotEqual(offered(), [])
        for name in offered():
            with self.subTest(name), World(name) as world:
                test(self, world)

    return all_of_them


def some(test):
    """For what does not depend on the cloud: two of them, one switched by Terraform and one not."""

    @functools.wraps(test)
    def two_of_them(self):
        for name in sorted({"aws", "hetzner"} & set(offered())):
            with self.subTest(name), World(name) as world:
                test(self, world)

    return two_of_them


def init(world, *more, **rest):
    return world.exasol("init", "--cloud-provider", world.account.name, *INIT, *more, "-d", world.dir, **rest)


def plan(world, **rest):
    return world.exasol("deploy", "--plan", "--json", "-d", world.dir, **rest).expect(0).json()


def strangers(world):
    """Somebody else has copied everything, and named it almost alike: with the same beginning, and with another id."""
    own = json.loads((world.dir / "deployment.json").read_text())["id"]
    others = {}

    def copy(resources):
        for number, (key, thing) in enumerate(resources.items()):
            values = json.dumps(thing["values"]).replace(thing["id"], f"{thing['id']}9")
            values = values.replace(own, (f"{own}9", f"x{own}", "exasol-00000000")[number % 3])
            others[f"{key}9"] = {**thing, "id": f"{thing['id']}9", "values": json.loads(values)}
        resources.update(others)

    world.drift(copy)
    return others


def kinds(report, action="create"):
    return [change["kind"] for change in report["changes"] if change["action"] == action]


class Init(unittest.TestCase):
    @each
    def test_without_an_account(self, world):
        everything = dict(world.env)
        for variable in world.account.variables:
            del world.env[variable]
        refused = init(world).expect(4)
        self.assertTrue(any(v in refused.text for v in world.account.variables), refused.text)
        self.assertFalse(world.dir.exists())
        # A corrected retry in the same directory works.
        world.env = everything
        init(world).expect(0)

    @each
    def test_an_empty_account(self, world):
        for variable in world.account.secret:
            world.env[variable] = ""
        self.assertIn(init(world).code, (2, 4))
        self.assertFalse(world.dir.exists())


class Templates(unittest.TestCase):
    @each
    def test_plan(self, world):
        for size, disks, options in ((1, 1, ()), (4, 3, SIZE)):
            init(world, *options).expect(0)
            report = plan(world)
            created = kinds(report)
            self.assertEqual((created.count(world.account.node), created.count(world.account.disk)), (size, size * disks))
            self.assertEqual((report["update"], report["replace"], report["delete"]), (0, 0, 0))
            self.clean(world)
            world.dir.rename(world.folder / f"planned-{size}")

    @each
    def test_every_option(self, world):
        init(world, *EVERYWHERE, *world.account.options).expect(0)
        report = plan(world)
        self.assertEqual(kinds(report).count(world.account.disk), 2)
        self.assertEqual((report["update"], report["replace"], report["delete"]), (0, 0, 0))
        self.clean(world)

    def clean(self, world):
        """Nothing unknown, nothing deprecated, and formatted as Terraform does."""
        world.terraform("init", "-input=false").expect(0)
        validated = world.terraform_json("validate", "-json")
        self.assertEqual((validated["valid"], validated["diagnostics"]), (True, []))
        world.terraform("fmt", "-check", "-diff").expect(0)


class Deploy(unittest.TestCase):
    @each
    def test_until_ssh(self, world):
        init(world, *SIZE, umask=0).expect(0)
        with world.command_lines(**passwords(world)) as watch:
            self.until_nodes_are_waited_for(world)
        self.assertEqual(watch.found, set())
        self.assertEqual(world.leaks(**passwords(world)), [])
        self.assertEqual(len(world.resources(world.account.node)), 4)
        others = strangers(world)
        self.keeps_its_nodes(world)
        world.exasol("destroy", "--yes", "-d", world.dir).expect(0)
        self.assertEqual(world.cloud()["resources"], others)
        self.account_came_by_the_environment(world)

    def keeps_its_nodes(self, world):
        """A newer image, another password and other clients replace no node and no disk."""
        (world.folder / "password").write_text("Another-password-1\n")
        world.exasol(
            "init", "--update", "--allowed-cidr", "192.0.2.0/24", "--db-password-file", world.folder / "password", "-d", world.dir
        ).expect(0)
        report = plan(world, env={"TEST_PROVIDER_IMAGE": "newer"})
        self.assertNotEqual(report["changes"], [])
        changed = [kind for action in ("delete", "replace", "create") for kind in kinds(report, action)]
        self.assertNotIn(world.account.node, changed)
        self.assertNotIn(world.account.disk, changed)

    def account_came_by_the_environment(self, world):
        for configured in world.cloud()["configured"]:
            self.assertFalse(configured["refused"], configured)
            self.assertEqual(configured["arguments"], [])

    @some
    def test_a_destroy_that_fails_half_way(self, world):
        init(world).expect(0)
        self.until_nodes_are_waited_for(world)
        # Every time: a destroy looks again and tries once more by itself.
        world.fault("delete", world.account.disk, nth=0, message="the disk is busy")
        failed = world.exasol("destroy", "--yes", "-d", world.dir).expect(1)
        self.assertIn("the disk is busy", failed.text)
        status = world.exasol("status", "--json", "-d", world.dir).expect(0).json()
        self.assertEqual(status["status"], "destroy_failed")
        self.assertEqual(len(world.resources(world.account.disk)), 1)
        world.heal()
        world.exasol("destroy", "--yes", "-d", world.dir).expect(0)
        self.assertEqual(world.resources(), [])

    @some
    def test_a_plugin_that_is_not_the_published_one(self, world):
        """Nothing is made, the cause comes first, and with the right plugin the same command goes on."""
        init(world).expect(0)
        wrong = world.folder / "checksums.toml"
        known = pathlib.Path(world.env["EXASOL_PROVIDER_CHECKSUMS"]).read_text()
        wrong.write_text(re.sub(r"h1:[^\"]*", "h1:" + "A" * 43 + "=", known))
        failed = world.exasol("deploy", "-d", world.dir, env={"EXASOL_PROVIDER_CHECKSUMS": str(wrong)}).expect(1)
        self.assertIn("is not the one that its authors published", failed.text)
        self.assertFalse(world.state.exists(), "the plugin has run")
        self.until_nodes_are_waited_for(world)
        world.exasol("destroy", "--yes", "-d", world.dir).expect(0)

    @some
    def test_a_create_that_fails_is_resumed(self, world):
        init(world, "--cluster-size", "2").expect(0)
        world.fault("create", world.account.node, nth=2, message="no capacity left")
        failed = world.exasol("deploy", "-d", world.dir).expect(1)
        self.assertIn("no capacity left", failed.text)
        self.until_nodes_are_waited_for(world)
        self.assertEqual(len(world.resources(world.account.node)), 2)
        world.exasol("destroy", "--yes", "-d", world.dir).expect(0)

    def until_nodes_are_waited_for(self, world):
        """A deploy that is interrupted where SSH would begin: nothing listens on the nodes' addresses."""
        with open(world.folder / "deploy.log", "w", encoding="utf-8") as log:
            running = subprocess.Popen(
                [str(world.binary), "deploy", "-d", str(world.dir)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=world.env, cwd=world.folder, umask=0,
            )  # fmt: skip
        try:
            waits = lambda: reached(world, "boot") and knows_its_nodes(world)  # noqa: E731
            wait_until(lambda: waits() or running.poll() is not None, "the wait for the nodes", limit=120)
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(60), 130, pathlib.Path(log.name).read_text())
        finally:
            running.kill()
            running.wait()


def knows_its_nodes(world):
    """Whether the machines' ids and addresses are recorded: a signal before that ends the question for them."""
    return bool(json.loads((world.dir / "deployment.json").read_text()).get("nodes"))


def reached(world, step, operation="deploy"):
    """Whether an operation that still runs has begun this step, by its own log."""
    newest = max(world.dir.glob(f"logs/*-{operation}/events.jsonl"), default=None)
    # The last line may be half written.
    rows = newest.read_text().split("\n")[:-1] if newest else []
    return any(row.get("event") == "step_started" and row.get("step") == step for row in map(json.loads, rows))


def passwords(world):
    """What the deployment itself keeps secret."""
    kept = json.loads((world.dir / "secrets.json").read_text())
    return {name: value for name, value in kept.items() if isinstance(value, str)}


if __name__ == "__main__":
    unittest.main()
