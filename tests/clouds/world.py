"""A world of its own for one test: a home, a cloud that is a file, an account, and the programs.

    with World("hetzner") as world:
        world.exasol("init", "--cloud-provider", "hetzner", "-d", world.dir).expect(0)
        world.fault("create", "hcloud_volume", nth=2, do="fail", message="no room")

Nothing of the caller's environment gets in but PATH, and no registry and no cloud is ever asked:
Terraform installs the stand-in (tests/provider) in place of every real provider.
"""

import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from accounts import clouds

# Started in the background by a script, these tests and all that they start would ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(REPO / "tests" / "e2e"))

from program import Result, wait_until  # noqa: E402, F401

import secrets_scan  # noqa: E402


@functools.cache
def cli_configuration():
    """The Terraform CLI configuration that installs the stand-in; built at the first use."""
    done = subprocess.run([REPO / "scripts" / "lab", "providers"], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


class World:
    def __init__(self, cloud, binary=None, engine=None):
        self.account = clouds()[cloud]
        self.binary = binary or os.environ.get("EXASOL_BIN", REPO / "target" / "release" / "exasol")
        self.engine = engine or shutil.which("terraform") or "tofu"
        self.temporary = tempfile.TemporaryDirectory(prefix=f"exasol-{cloud}-")
        self.folder = pathlib.Path(self.temporary.name)
        self.dir = self.folder / "deployment"
        self.home = self.folder / "home"
        self.home.mkdir(mode=0o700)
        self.state = self.folder / "cloud.json"
        self.faults = self.folder / "faults.json"
        configuration = cli_configuration()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_ARGS": "-no-color",
            "TF_CLI_CONFIG_FILE": configuration,
            "EXASOL_PROVIDER_CHECKSUMS": configuration.removesuffix(".tfrc") + ".checksums.toml",
            "TEST_PROVIDER_STATE": str(self.state),
            "TEST_PROVIDER_FAULTS": str(self.faults),
            **self.account.variables,
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()

    # Programs

    def exasol(self, *arguments, env=None, stdin=None, umask=0o022, limit=600):
        return self.run([self.binary, *arguments], env=env, stdin=stdin, umask=umask, limit=limit)

    def terraform(self, *arguments, env=None):
        """Terraform in the deployment's folder, or in what `take` has put there."""
        return self.run([self.engine, f"-chdir={self.terraform_dir}", *arguments], env=env)

    def terraform_json(self, *arguments):
        return json.loads(self.terraform(*arguments).expect(0).stdout)

    def start_terraform(self, *arguments):
        return subprocess.Popen(
            [self.engine, f"-chdir={self.terraform_dir}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.env,
            start_new_session=True,
        )

    def run(self, command, env=None, stdin=None, umask=0o022, limit=600):
        begin = time.monotonic()
        done = subprocess.run(
            [str(word) for word in command],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env={**self.env, **(env or {})},
            umask=umask,
            timeout=limit,
            cwd=self.folder,
        )
        return Result([str(word) for word in command[1:]], done, time.monotonic() - begin)

    @property
    def terraform_dir(self):
        return self.dir / "terraform"

    def take(self, folder):
        """Takes a hand-written configuration in place of a rendered one, and initializes it."""
        self.terraform_dir.mkdir(parents=True)
        for file in pathlib.Path(folder).glob("*.tf"):
            (self.terraform_dir / file.name).write_text(file.read_text())
        self.terraform("init", "-input=false").expect(0)

    # What Terraform means to do

    def plan(self, *arguments, env=None):
        """A plan as `show -json` gives it."""
        self.terraform("plan", "-input=false", "-out=test.plan", *arguments, env=env).expect(0)
        return self.terraform_json("show", "-json", "test.plan")

    # The cloud

    def cloud(self):
        """What exists and what was done, as tests/provider/README.md describes it."""
        return json.loads(self.state.read_text())

    def resources(self, kind=None):
        """The values of what exists, of one type or of all."""
        return [r["values"] for r in self.cloud()["resources"].values() if kind in (None, r["type"])]

    def drift(self, change):
        """Changes the cloud behind Terraform's back. Not while Terraform runs."""
        cloud = self.cloud()
        change(cloud["resources"])
        self.state.write_text(json.dumps(cloud))

    def fault(self, on, kind, nth=1, do="fail", **rest):
        """One more thing that goes wrong; the n-th counts from the world's beginning."""
        faults = json.loads(self.faults.read_text()) if self.faults.exists() else []
        self.faults.write_text(json.dumps([*faults, {"on": on, "type": kind, "nth": nth, "do": do, **rest}]))

    def heal(self):
        self.faults.unlink()

    # Secrets

    @property
    def secrets(self):
        return {name: self.account.variables[name] for name in self.account.secret}

    def leaks(self, **more):
        return secrets_scan.leaks(self.dir, {**self.secrets, **more})

    def command_lines(self, **more):
        return secrets_scan.CommandLines({**self.secrets, **more})


def changes(plan):
    """{address: [action, …]} of everything that a plan would change."""
    return {
        change["address"]: change["change"]["actions"]
        for change in plan["resource_changes"]
        if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]
    }


def lost(plan, *kinds):
    """The addresses of these types that a plan would delete or replace."""
    return [
        change["address"]
        for change in plan["resource_changes"]
        if change["type"] in kinds and "delete" in change["change"]["actions"]
    ]
