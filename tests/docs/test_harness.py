"""The tests' own tools: what is wrong in a document must fail."""

import contextlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

import links
import output
import run
from markdown import Document, slug
from session import Session


def document(text):
    return Document("page.md", text)


def problems(text):
    return [words for _, words in document(text).problems()]


class Fences(unittest.TestCase):
    def test_a_tagged_block_is_fine(self):
        self.assertEqual(problems("```sh run\ntrue\n```\n\n```sh not-run needs an account\nx\n```\n"), [])
        self.assertEqual(problems("```sh run exit=4\nfalse\n```\n```text output\n…\n```\n"), [])

    def test_what_could_hide_from_the_tests_is_refused(self):
        for text in [
            "```\nls\n```\n",
            "```bash\nls\n```\n",
            "```sh\nls\n```\n",
            "```sh not-run\nls\n```\n",
            "```sh run sometimes\nls\n```\n",
            "```sh run exit=1\ntrue\nfalse\n```\n",
            "```text\n$ ls\n```\n",
            "```text output\nx\n```\n",
            "```sh run\ntrue\n```\nwords\n```text output\nx\n```\n",
            "```sh run\nls\n",
            "words\n\n    ls\n",
            "- item\n\n      ls\n",
            "\tls\n",
        ]:
            self.assertEqual(len(problems(text)), 1, text)

    def test_indentation_that_is_no_code(self):
        for text in [
            "- item\n  goes on\n\n  second paragraph\n",
            "1. one\n   - two\n\n     of it\n",
            "words\n      that go on\n",
            "- item\n\n  ```sh run\n  ls\n  ```\n",
        ]:
            self.assertEqual(problems(text), [], text)

    def test_a_block_in_a_list_loses_the_indentation(self):
        blocks = document("- item\n\n  ```sh run\n  if true; then\n    ls\n  fi\n  ```\n").blocks
        self.assertEqual(blocks[0].text, "if true; then\n  ls\nfi")

    def test_places_are_apart(self):
        page = document("```sh run\na\n```\n```sh run in=lab\nb\n```\n```text output\nB\n```\n")
        self.assertEqual([(b.text, o) for b, _, o in page.runs()], [("a", None)])
        self.assertEqual([(b.text, o) for b, _, o in page.runs("lab")], [("b", "B")])


class Links(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "docs").mkdir()
        self.write("docs/other.md", "# The `other` page\n\n## Twice\n\n## Twice\n\n<a id=\"here\"></a>\n")

    def write(self, name, text):
        path = self.root / name
        path.write_text(text)
        return Document(path)

    def dead(self, text):
        return [words for _, words in links.problems(self.write("page.md", text), self.root)]

    def test_live_links(self):
        text = (
            "# Here\n[a](docs/other.md) [b](docs/other.md#the-other-page) [c](#here) [d](docs/other.md#twice-1)\n"
            "[e](docs/other.md#here) [f](docs/) ![g](docs/other.md) [h](https://example.com/a_(b)?c=d#e)\n"
            "[i][ref] `[not](a-link)`\n\n[ref]: docs/other.md\n\n<img src=\"docs/other.md\" alt=\"x\">\n"
        )
        self.assertEqual(self.dead(text), [])

    def test_dead_links(self):
        for text in [
            "[a](docs/absent.md)",
            "[a](docs/other.md#absent)",
            "[a](docs/other.md#twice-2)",
            "[a](#absent)",
            "[two\nlines](absent.md)",
            "[a](/etc/passwd)",
            "[a](../outside.md)",
            "[a](http:/example.com)",
            "[a](https://exa mple.com)",
            "[a](ftp://example.com)",
            "[ref]: absent.md",
            "<img src=\"absent.svg\">",
            "[![picture](absent.svg)](docs/other.md)",
        ]:
            self.assertEqual(len(self.dead(text)), 1, text)

    def test_a_reference_without_definition_is_dead(self):
        self.assertEqual(len(self.dead("see [this][nowhere]")), 1)

    def test_anchors_are_github_s(self):
        for heading, anchor in {
            "Stop, and start": "stop-and-start",
            "`exasol deploy --plan`": "exasol-deploy---plan",
            "What's new in 1.2?": "whats-new-in-12",
            "See [the docs](x.md)": "see-the-docs",
            "A/B & C": "ab--c",
            "snake_case stays": "snake_case-stays",
            "**Bold** *words*": "bold-words",
        }.items():
            self.assertEqual(slug(heading), anchor)

    def test_a_heading_in_a_fence_is_no_anchor(self):
        self.assertEqual(document("# One\n```text\n# Two\n```\n").anchors(), {"one"})


class Output(unittest.TestCase):
    def test_agreement(self):
        for expected, printed in [
            ("a\nb", "a\nb\n"),
            ("a … c", "a b c"),
            ("a\n…", "a"),
            ("a\n…\nd", "a\nb\nc\nd\n"),
            ("…\nb\n…\nd", "b\nb\nc\nd"),
            ("…", ""),
            ("", ""),
            ("(x) [y] … .*", "(x) [y] z .*"),
            ("a  \n", "a\n"),
        ]:
            self.assertIsNone(output.difference(expected, printed), (expected, printed))

    def test_examples_of_what_differs_agree(self):
        for expected, printed in [
            ("boot … 50.8s", "boot … 4m 05s"),
            ("seen ready 3 s ago, checked in 0.7s", "seen ready 1 min ago, checked in 12.0s"),
            ("hosts  192.168.122.71", "hosts  10.0.0.172"),
            ("n11  running  192.168.122.71  x", "n11  running  192.168.122.171    x"),
            ("id  exasol-5963b222", "id  exasol-0123abcd"),
            ("SHA-256 3f1a0c2b4d5e6f70…", "SHA-256 a2ca0744da41adbd…"),
            ("certificate  " + 32 * "a1", "certificate  " + 32 * "0f"),
            ("id  exasol-…, checked in …s", "id  exasol-0123abcd, checked in 0.7s"),
            ("14:33:36  apply", "03:04:05  apply"),
            ("2026-11-29 14:33  deploy", "2027-01-02 03:04  deploy"),
            ("20261129T143300Z-deploy", "20270102T030405Z-deploy"),
        ]:
            self.assertIsNone(output.difference(expected, printed), (expected, printed))
        for expected, printed in [
            ("exasol-trial", "exasol-demo"),
            ("2 nodes", "3 nodes"),
            ("port 8563", "port 8564"),
            ("  boot  1.0s", "boot  1.0s"),
            ("took 1.0s", "took 1.0"),
        ]:
            self.assertIsNotNone(output.difference(expected, printed), (expected, printed))

    def test_disagreement_is_shown(self):
        for expected, printed, words in [
            ("a\nb", "a\nc", "expected line 2: 'b'\nprinted line 2: 'c'"),
            ("a", "a\nb", "expected: the end"),
            ("a\nb", "a", "printed: nothing more"),
            ("a\n…\nd", "a\nb\nc", "expected line 3: 'd'"),
            ("…\nb", "b\nc", "expected"),
            ("a.c", "abc", "expected line 1"),
            ("", "x", "expected: the end"),
        ]:
            found = output.difference(expected, printed)
            self.assertIn(words, found or "", (expected, printed))


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.session = Session({**os.environ, "HOME": self.folder}, self.folder)
        self.addCleanup(self.session.close)

    def execute(self, text):
        return run.execute(document(text), self.session, report=lambda line: None)

    def fails(self, text, words):
        with self.assertRaises(run.Failure) as caught:
            self.execute(text)
        self.assertIn(words, str(caught.exception))

    def test_state_stays_from_block_to_block(self):
        text = "```sh run\nmkdir d; cd d; x=5; f() { echo f$x; }\n```\n```sh run\nf; basename $PWD; echo $HOME\n```\n"
        self.assertEqual(self.execute(f"{text}```text output\nf5\nd\n{self.folder}\n```\n"), 2)

    def test_standard_error_is_output_in_the_order_of_time(self):
        self.execute("```sh run\necho a; echo b >&2; sh -c 'echo c'\n```\n```text output\na\nb\nc\n```\n")

    def test_a_failing_command_fails_wherever_it_is(self):
        self.fails("```sh run\nfalse\ntrue\n```\n", "page.md:1: exit 1, expected 0")

    def test_nothing_runs_after_a_failure(self):
        self.fails("```sh run\nfalse\n```\n```sh run\ntouch later\n```\n", "exit 1")
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_wrong_output_fails(self):
        self.fails("```sh run\necho a\n```\n```text output\nb\n```\n", "not what the document says")

    def test_an_expected_failure(self):
        self.execute("```sh run exit=4\n(exit 4)\n```\n```sh run\ntrue\n```\n")
        self.fails("```sh run exit=4\ntrue\n```\n", "exit 0, expected 4")

    def test_a_failure_after_an_expected_one_still_fails(self):
        self.fails("```sh run exit=4\n(exit 4)\n```\n```sh run\nfalse\ntrue\n```\n", "exit 1, expected 0")

    def test_commands_do_not_read_the_document(self):
        self.execute("```sh run\ncat\nread -r x || echo none\n```\n```text output\nnone\n```\n")

    def test_a_block_that_hangs_is_ended(self):
        # The command would wait for ever; the limit ends it.
        with self.assertRaises(run.Failure):
            run.execute(
                document("```sh run\ntail -f /dev/null\n```\n"), self.session, limit=0.2, report=lambda line: None
            )

    def test_the_caller_may_have_other_files_open(self):
        for _ in range(6):
            self.addCleanup(open(os.devnull).close)
            session = Session(dict(os.environ), self.folder)
            self.addCleanup(session.close)
            self.assertEqual(session.run("echo a"), (0, "a\n"))

    def test_the_environment_is_clean(self):
        os.environ["EXASOL_DB_PASSWORD"] = "secret"
        self.addCleanup(os.environ.pop, "EXASOL_DB_PASSWORD")
        variables = run.environment("/h", "/b")
        self.assertNotIn("EXASOL_DB_PASSWORD", variables)
        self.assertEqual(variables["HOME"], "/h")
        self.assertTrue(variables["PATH"].startswith("/b:"))

    def test_a_whole_file(self):
        page = pathlib.Path(self.folder, "page.md")
        program = pathlib.Path(self.folder, "program")
        program.write_text("#!/bin/sh\necho I am $1\n")
        program.chmod(0o755)
        page.write_text("```sh run\nexasol here\n```\n```text output\nI am here\n```\n")
        self.assertEqual(self.main(page, program), 0)
        page.write_text("```sh run\nexasol there\n```\n```text output\nI am here\n```\n")
        self.assertEqual(self.main(page, program), 1)
        page.write_text("nothing to run\n")
        self.assertEqual(self.main(page, program), 1)

    def failing_page(self, *codes):
        """What a failed document leaves is destroyed by a program that exits with these codes."""
        calls = pathlib.Path(self.folder, "calls")
        calls.write_text("")
        program = pathlib.Path(self.folder, "program")
        program.write_text(f"#!/bin/sh\necho \"$1\" >>{calls}\nset -- {' '.join(map(str, codes))}\n"
                           f"shift $(($(wc -l <{calls}) - 1))\nexit $1\n")
        program.chmod(0o755)
        page = pathlib.Path(self.folder, "page.md")
        page.write_text("```sh run\nmkdir d; touch d/deployment.json; false\n```\n")
        with contextlib.redirect_stdout(io.StringIO()) as printed, unittest.mock.patch.object(run.time, "sleep"):
            self.assertEqual(run.main([str(page), "--exasol", str(program)]), 1)
        self.assertEqual(calls.read_text().split(), ["destroy"] * len(codes))
        return printed.getvalue().split("FAILED ")[1]

    def test_the_clean_up_waits_for_the_lock(self):
        self.assertNotIn("NOT DESTROYED", self.failing_page(75, 75, 0))

    def test_what_could_not_be_destroyed_is_part_of_the_failure(self):
        failure = self.failing_page(75, 1)
        self.assertIn("exit 1, expected 0", failure)
        self.assertIn("NOT DESTROYED", failure)

    def test_signals_end_a_document_with_the_clean_up(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with self.subTest(signal=number):
                folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
                program = folder / "program"
                # A second signal while it tidies up must not end that.
                program.write_text(f"#!/bin/sh\nkill -{int(number)} $PPID\nsleep 0.2\ntouch {folder}/destroyed\n")
                program.chmod(0o755)
                (folder / "page.md").write_text(
                    f"```sh run\nmkdir d; touch d/deployment.json {folder}/waiting; exec tail -f /dev/null\n```\n"
                )
                process = subprocess.Popen(
                    [sys.executable, "-B", run.__file__, folder / "page.md", "--exasol", program],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
                end = time.monotonic() + 30
                while not (folder / "waiting").exists():
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.02)
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=60), 128 + number)
                self.assertTrue((folder / "destroyed").exists())

    def main(self, page, program):
        with contextlib.redirect_stdout(io.StringIO()):
            return run.main([str(page), "--exasol", str(program)])


if __name__ == "__main__":
    unittest.main()
