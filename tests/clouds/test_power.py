"""Stop and start on every cloud: by Terraform's attribute against the stand-in of its provider, by the
cloud's API against a stand-in of that. Where SSH would begin, a fake ssh says yes."""

import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import unittest

import test_exasol
from test_exasol import each, init, reached
from world import World, wait_until


class Api(http.server.ThreadingHTTPServer):
    """Answers power calls of three clouds as their documentation has it; remembers every call."""

    def __init__(self, power="on"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.power = power
        self.calls = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self):
        return {
            "HCLOUD_ENDPOINT": f"{self.url}/v1",
            "DIGITALOCEAN_API_URL": self.url,
            "AZURE_RESOURCE_MANAGER_URL": self.url,
            "AZURE_AUTHORITY_HOST": self.url,
        }


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        on = self.server.power == "on"
        if "/v1/servers/" in self.path:
            self.answer({"server": {"status": "running" if on else "off"}})
        elif "/v2/droplets/" in self.path:
            self.answer({"droplet": {"status": "active" if on else "off"}})
        elif "/instanceView" in self.path:
            code = {"on": "running", "down": "stopped", "off": "deallocated"}[self.server.power]
            self.answer({"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{code}"}]})
        else:
            self.answer({"message": f"unknown: {self.path}"}, 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path.endswith("/oauth2/v2.0/token"):
            return self.answer({"access_token": "token-of-the-tests"})
        self.server.calls.append((self.path, body, self.headers.get("Authorization", "")))
        if re.search(r"poweroff|power_off|deallocate", self.path + body):
            self.server.power = "off"
        elif re.search(r"poweron|power_on|/start", self.path + body):
            self.server.power = "on"
        self.answer({})

    def answer(self, value, code=200):
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


# Every session is let in. A guest that is told to shut down does: the file tells the API's stand-in.
FAKE_SSH = """#!/bin/sh
script=$(cat)
case $script in *poweroff*) : >"$FAKE_SSH_DOWN" ;; *database.sh\\ stop*) echo "Exasol: running, now setup" ;; esac
"""


def with_fake_ssh(world):
    folder = world.folder / "bin"
    folder.mkdir()
    file = folder / "ssh"
    file.write_text(FAKE_SSH)
    file.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "FAKE_SSH_DOWN": str(world.folder / "down")}


def ready(world):
    """As after a deploy: the machines are made, their ids and addresses known."""
    init(world, "--cluster-size", "2").expect(0)
    test_exasol.Deploy("until_nodes_are_waited_for").until_nodes_are_waited_for(world)
    file = world.dir / "deployment.json"
    state = json.loads(file.read_text())
    state.update(phase="database_ready", installed=True, ever_ready=True)
    file.write_text(json.dumps(state))


def states(world):
    """The words for power in what Terraform's provider has."""
    names = {"aws": ("aws_ec2_instance_state", "state"), "gcp": ("google_compute_instance", "desired_status"),
             "exoscale": ("exoscale_compute_instance", "state"), "oci": ("oci_core_instance", "state")}  # fmt: skip
    kind, attribute = names[world.account.name]
    return {str(values[attribute]).lower() for values in world.resources(kind)}


def own_machines(world):
    nodes = json.loads((world.dir / "deployment.json").read_text())["nodes"]
    return {node["machine_id"].rsplit("/", 1)[-1] for node in nodes}


def machine(path):
    """Of which machine an API's path speaks: `/v1/servers/42/actions/shutdown`."""
    return re.search(r"/(?:servers|droplets|virtualMachines)/([^/?]+)", path).group(1)


BY_API = ("hetzner", "digitalocean", "azure")


class PowerOfMachines(unittest.TestCase):
    @each
    def test_stop_and_start(self, world):
        ready(world)
        with Api() as api:
            env = {**api.environment(), **with_fake_ssh(world)}
            follower = threading.Thread(target=self.follow, args=(world, api), daemon=True)
            follower.start()
            stopped = world.exasol("stop", "--json", "-d", world.dir, env=env).expect(0).json()
            self.assertEqual(stopped["status"], "stopped")
            self.assertIn("still paid for", stopped["remark"])
            if world.account.name in BY_API:
                # Azure's machines are deallocated: off is not enough there.
                self.assertEqual(api.power, "off")
                self.assertTrue(all(token.startswith("Bearer ") for _, _, token in api.calls), api.calls)
                self.assertLessEqual({machine(path) for path, _, _ in api.calls}, own_machines(world), "somebody else's")
            else:
                self.assertLessEqual(states(world), {"stopped", "terminated"})
            status = world.exasol("status", "--refresh", "--json", "-d", world.dir, env=env).expect(0).json()
            self.assertEqual({node["vm"] for node in status["nodes"]}, {"off"})
            self.assertEqual(status["status"], "stopped")
            self.start(world, env)
            if world.account.name in BY_API:
                self.assertEqual(api.power, "on")
            else:
                self.assertEqual(states(world), {"running"})
        self.assertEqual(world.leaks(), [])

    def follow(self, world, api):
        """The guests have been told to shut down: their machines do."""
        wait_until((world.folder / "down").exists, "a guest that shuts down", limit=120)
        api.power = "down" if world.account.name == "azure" else "off"

    def start(self, world, env):
        """Until the nodes are waited for: nobody listens on their addresses here."""
        with open(world.folder / "start.log", "w", encoding="utf-8") as log:
            running = subprocess.Popen([str(world.binary), "start", "-d", str(world.dir)], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, env={**world.env, **env}, cwd=world.folder)  # fmt: skip
        try:
            done = lambda: reached(world, "boot", "start") or running.poll() is not None  # noqa: E731
            wait_until(done, "the wait for the nodes", limit=120)
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.wait(60), 130, pathlib.Path(log.name).read_text())
        finally:
            running.kill()
            running.wait()

    def test_an_address_that_knows_no_machine_proves_nothing(self):
        with World("hetzner") as world, Api() as api:
            ready(world)
            env = {**api.environment(), **with_fake_ssh(world)}
            env["HCLOUD_ENDPOINT"] = f"{api.url}/wrong"
            failed = world.exasol("stop", "-d", world.dir, env=env).expect(1)
            self.assertIn("none of the machines is there", failed.text)
            self.assertIn("exasol stop", failed.text)
            status = world.exasol("status", "--json", "-d", world.dir).expect(0).json()
            self.assertEqual(status["phase"], "database_ready")


if __name__ == "__main__":
    unittest.main()
