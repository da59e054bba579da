"""Every `exasol …` command in the documents is one that the program has, with options that it has.

The program is $EXASOL_BINARY, or the newest of target/*/exasol.
"""

import os
import pathlib
import unittest

import commands
from documents import ROOT, documents
from markdown import Document

HELP = """\
Usage: exasol [OPTIONS] <COMMAND>

Commands:
  init     Makes
  cache    Keeps
  help     Print

Options:
  -d, --deployment-dir <DIR>  The directory
"""
HELP_INIT = """\
Options:
      --cluster-size <N>  Nodes, see --nothing
  -y, --yes               Do not ask [alias: --auto-approve]
"""


class Told(commands.Help):
    """Help without a program."""

    def __init__(self):
        super().__init__(None)

    def text(self, *command):
        return {(): HELP, ("init",): HELP_INIT, ("cache",): "Commands:\n  list  Lists\n", ("cache", "list"): ""}.get(command)


class Mentioned(unittest.TestCase):
    def test_commands_are_found_wherever_they_stand(self):
        for line, arguments in {
            "exasol init -d x": ["init", "-d", "x"],
            "sudo exasol init && true": ["init"],
            "A=1 exasol init > file": ["init"],
            "true; exasol init | tail": ["init"],
            "x=$(exasol init --json)": ["init", "--json"],
            "scripts/lab exec -- exasol init": ["init"],
            "exasol sql -c 'SELECT 1; x'": ["sql", "-c", "SELECT 1; x"],
        }.items():
            self.assertEqual(commands.of_line(line), [arguments], line)
        self.assertEqual(commands.of_line("cd exasol; ls ~/exasol; git clone exasol init"), [])

    def test_spans_and_blocks(self):
        page = Document("p.md", "Do `exasol init\n-d x`, not `init`.\n\n```sh run\nexasol \\\n  cache list\n```\n")
        self.assertEqual(sorted(commands.mentioned(page)), [(1, ["init", "-d", "x"]), (4, ["cache", "list"])])


class Understood(unittest.TestCase):
    def test_what_the_help_has(self):
        for line in ["init --cluster-size 3 -d x", "-d x init", "-d=x init --auto-approve", "cache list", "COMMAND --help",
                     "init -- --anything", "…", "init --help"]:
            self.assertIsNone(Told().problem(line.split()), line)

    def test_what_it_does_not_have(self):
        for line in ["int", "-d x --nodes 3 init", "init --clustersize 3", "init --nothing", "init -z", "cache list --all"]:
            self.assertIsNotNone(Told().problem(line.split()), line)


class Documents(unittest.TestCase):
    def test_every_command_is_understood(self):
        known = commands.Help(binary())
        self.assertTrue(known.commands(), "the program's help lists no commands")
        found = []
        for document in documents():
            for line, arguments in commands.mentioned(document):
                problem = known.problem(arguments)
                if problem:
                    found.append(f"{document.path.relative_to(ROOT)}:{line}: {problem}")
        if found:
            self.fail("\n" + "\n".join(found))


def binary():
    if os.environ.get("EXASOL_BINARY"):
        return os.environ["EXASOL_BINARY"]
    built = [path for path in pathlib.Path(ROOT, "target").glob("*/exasol") if os.access(path, os.X_OK)]
    if not built:
        raise AssertionError("no program to ask: cargo build, or set EXASOL_BINARY")
    return str(max(built, key=lambda path: path.stat().st_mtime))


if __name__ == "__main__":
    unittest.main()
