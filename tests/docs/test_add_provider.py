"""Does what docs/adding-a-provider.md says, to the letter, in a copy of the project.

    python3 -B -m unittest tests/docs/test_add_provider.py

Blocks with `file=` are new files; with `insert-after="LINE"` they go below that line of an existing
file, with `append` to its end. With EXASOL_QUICK=1 only the reader of blocks is tested. The copy is built in a target folder of its own: target/add-provider, or what
EXASOL_ADD_PROVIDER_TARGET names. Its dependencies are compiled once (minutes), later runs take a minute.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

REPO = pathlib.Path(__file__).resolve().parents[2]
PAGE = REPO / "docs" / "adding-a-provider.md"
FENCE = re.compile(r"^```(?P<language>\w+) (?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r'\bfile=(?P<file>\S+)(?: (?:insert-after="(?P<line>.*)"|(?P<append>append)))?$')
END = object()


class Step:
    def __init__(self, file, line, body):
        self.file, self.line, self.body = file, line, body

    def apply(self, folder):
        path = folder / self.file
        if self.line is None:
            if path.exists():
                raise AssertionError(f"{self.file} is there already: the page wants to make it")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.body)
            return
        if self.line is END:
            path.write_text(path.read_text() + self.body)
            return
        lines = path.read_text().splitlines(keepends=True)
        places = [number for number, line in enumerate(lines) if line.rstrip("\n") == self.line]
        if len(places) != 1:
            raise AssertionError(f"{self.file} has {len(places)} lines {self.line!r}: the page needs exactly one")
        lines.insert(places[0] + 1, self.body)
        path.write_text("".join(lines))


def steps(text):
    """The page's blocks that change files, in order."""
    found = []
    for fence in FENCE.finditer(text):
        match = FILE.search(fence["info"])
        if match:
            found.append(Step(match["file"], END if match["append"] else match["line"], fence["body"]))
    return found


def copy_of_project(folder):
    """Files that git knows, and new ones that it does not ignore, as they are now."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPO, stdout=subprocess.PIPE, check=True
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        if not (REPO / name).is_file():
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPO / name, target)


class Blocks(unittest.TestCase):
    def test_both_kinds_of_blocks_are_read(self):
        text = 'a\n```rust file=new.rs\none\n```\n```sh run\nls\n```\n```rust file=old.rs insert-after="mod \\"a\\";"\ntwo\n```\n'
        text += "```toml file=old.toml append\nthree\n```\n"
        self.assertEqual(
            [(step.file, step.line, step.body) for step in steps(text)],
            [("new.rs", None, "one\n"), ("old.rs", 'mod \\"a\\";', "two\n"), ("old.toml", END, "three\n")],
        )

    def test_a_line_that_is_not_there_is_an_error(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "old.rs").write_text("x\ny\nx\n")
            Step("old.rs", "y", "z\n").apply(folder)
            self.assertEqual((folder / "old.rs").read_text(), "x\ny\nz\nx\n")
            Step("old.rs", END, "end\n").apply(folder)
            self.assertEqual((folder / "old.rs").read_text(), "x\ny\nz\nx\nend\n")
            for line in ["x", "w"]:
                with self.assertRaises(AssertionError):
                    Step("old.rs", line, "z\n").apply(folder)
            with self.assertRaises(AssertionError):
                Step("old.rs", None, "z\n").apply(folder)


@unittest.skipIf(os.environ.get("EXASOL_QUICK") == "1", "builds the program once more")
class AddProvider(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="exasol-add-provider-")
        cls.root = pathlib.Path(cls.temporary.name)
        # The same path every time, or cargo would not know what it has built.
        cls.target = pathlib.Path(os.environ.get("EXASOL_ADD_PROVIDER_TARGET", REPO / "target" / "add-provider"))
        cls.target.mkdir(parents=True, exist_ok=True)
        cls.copy = cls.target / "project"
        shutil.rmtree(cls.copy, ignore_errors=True)
        copy_of_project(cls.copy)
        for step in steps(PAGE.read_text()):
            step.apply(cls.copy)
        cls.run_in_copy("scripts/reference")
        cls.run_in_copy("cargo", "build", "--quiet", "--locked")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.copy, ignore_errors=True)
        cls.temporary.cleanup()

    @classmethod
    def run_in_copy(cls, *command):
        env = {**os.environ, "CARGO_TARGET_DIR": str(cls.target / "target")}
        done = subprocess.run(command, cwd=cls.copy, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-6000:]}")
        return done.stdout

    def exasol(self, *words, **variables):
        """With fakes for the programs that preflight looks for, and nothing of the caller's environment."""
        home = self.root / "home"
        tools = home / "bin"
        tools.mkdir(parents=True, exist_ok=True)
        for name, text in {
            "terraform": """echo '{"terraform_version":"1.11.4"}'""",
            "ansible-playbook": "echo 'ansible-playbook [core 2.19.0]'",
            "ssh": "exit 0",
        }.items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        env = {"HOME": str(home), "PATH": f"{tools}:/usr/bin:/bin", **variables}
        binary = self.target / "target" / "debug" / "exasol"
        return subprocess.run([binary, *words], cwd=self.root, env=env, capture_output=True, text=True, timeout=120)

    def test_it_is_a_provider_like_the_others(self):
        listed = self.exasol("init", "--list-providers")
        self.assertIn("Dummy Cloud", listed.stdout)
        shown = self.exasol("init", "--cloud-provider", "dummy", "--show-permissions")
        self.assertEqual(json.loads(shown.stdout)["provider"], "dummy")
        self.assertIn("--dummy-zone", self.exasol("init", "--help", "dummy").stdout)
        config = (self.copy / "docs" / "reference" / "config.md").read_text()
        self.assertIn("`dummy-zone`", config)

    def test_init_makes_a_directory(self):
        folder = self.root / "demo"
        words = ["init", "--cloud-provider", "dummy", "--dummy-zone", "b", "--db-version", "rehearsal", "-d", str(folder)]
        refused = self.exasol(*words)
        self.assertEqual(refused.returncode, 4, refused.stderr)
        self.assertIn("DUMMY_TOKEN", refused.stderr)
        self.assertFalse(folder.exists())
        done = self.exasol(*words, DUMMY_TOKEN="secret")
        self.assertEqual(done.returncode, 0, done.stderr)
        variables = json.loads((folder / "terraform" / "terraform.tfvars.json").read_text())
        self.assertEqual((variables["zone"], variables["region"], variables["instance_type"]), ("b", "north", "d4"))
        self.assertIn('source  = "example/dummy"', (folder / "terraform" / "main.tf").read_text())
        again = self.exasol("init", "--cloud-provider", "dummy", "--dummy-zone", "c", "-d", str(folder / "other"))
        self.assertEqual(again.returncode, 2, again.stderr)

    def test_the_tests_that_look_at_every_provider_pass(self):
        self.assertIn("test result: ok", self.run_in_copy("cargo", "test", "--locked", "--lib", "--", "providers::", "catalog::", "render::engine", "ops::version", "cli::"))
        self.assertIn("test result: ok", self.run_in_copy("cargo", "test", "--locked", "--test", "cli", "house"))
        self.run_in_copy("cargo", "fmt", "--check")


if __name__ == "__main__":
    unittest.main()
