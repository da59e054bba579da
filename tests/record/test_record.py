"""scripts/record, and the two pictures that the documents show. Needs no terminal emulator."""

import importlib.machinery
import importlib.util
import io
import json
import pathlib
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from contextlib import redirect_stdout

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def load():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("record", str(ROOT / "scripts" / "record"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("record", loader))
    loader.exec_module(module)
    return module


record = load()
PLAIN = ("", False)


def row(text, style=PLAIN):
    return ((0, text, style),)


def texts(svg):
    root = xml.etree.ElementTree.fromstring(svg)
    lines = [e for e in root.iter() if e.tag.endswith("}text")]
    return [("".join(e.itertext()).replace("\u00a0", " "), e.get("class") or "") for e in lines]


class Save(unittest.TestCase):
    def recorded(self, *commands):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "session.cast"
            with redirect_stdout(io.StringIO()):
                code = record.save(path, 77, commands)
            header, *events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return code, header, events

    def test_a_command_sees_a_terminal_of_the_wanted_width(self):
        code, header, events = self.recorded("stty size; test -t 0 -a -t 1 -a -t 2 && echo a terminal")
        self.assertEqual(code, 0)
        self.assertEqual((header["version"], header["width"]), (2, 77))
        said = "".join(text for _, _, text in events)
        self.assertIn(f"{record.ROWS} 77", said)
        self.assertIn("a terminal", said)
        self.assertEqual([at for at, _, _ in events], sorted(at for at, _, _ in events))

    def test_the_first_failure_ends_the_session(self):
        code, _, events = self.recorded("echo first", "exit 7", "echo never")
        self.assertEqual(code, 7)
        said = "".join(text for _, _, text in events)
        self.assertIn("$ exit 7", said)
        self.assertNotIn("never", said)


class Draw(unittest.TestCase):
    def test_what_stays_is_drawn_once_and_what_goes_is_not_in_the_last_picture(self):
        pictures = [(0.0, [row("stays"), row("waiting")]), (2.0, [row("stays"), row("done")])]
        svg = record.Drawing(pictures, 40).svg()
        found = dict(texts(svg))
        self.assertEqual([text for text, _ in texts(svg)].count("stays"), 1)
        self.assertEqual(found["stays"], "")
        self.assertIn("gone", found["waiting"].split())
        self.assertNotIn("gone", found["done"].split())
        # 2 s of 10: then one takes the other's place.
        self.assertIn("20.00%,100%{visibility:hidden}", svg)
        self.assertIn("20.00%{visibility:visible}", svg)

    def test_text_is_no_markup_and_keeps_its_spaces_and_colours(self):
        svg = record.Drawing([(0.0, [row("a  <b> & c", ("green", True))])], 40).svg()
        self.assertEqual(texts(svg)[0][0], "a  <b> & c")
        self.assertIn('class="green b"', svg)
        self.assertNotIn("@keyframes s", svg.replace("@keyframes scroll", ""))

    def test_more_rows_than_are_shown_scroll_to_the_last(self):
        rows = [row(str(number)) for number in range(record.SHOWN + 3)]
        svg = record.Drawing([(0.0, rows[:1]), (1.0, rows)], 40).svg()
        up = round(3 * record.CELL[1])
        self.assertIn(f'transform="translate(0 -{up})"', svg)
        self.assertIn(f"translateY(-{up}px)", svg)


class Pictures(unittest.TestCase):
    def test_the_deploy_is_the_recorded_one_and_small(self):
        session = (DOCS / "deploy.cast").read_text(encoding="utf-8")
        said = "".join(json.loads(line)[2] for line in session.splitlines()[1:])
        plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
        svg = (DOCS / "deploy.svg").read_text(encoding="utf-8")
        drawn = "\n".join(text for text, _ in texts(svg))
        for line in plain.replace("\r", "").split("\n"):
            if line.strip() and len(line) <= 90:
                # Runs of one style are elements of their own, so spaces between them are not in the text.
                self.assertIn(line.replace(" ", ""), drawn.replace(" ", ""))
        self.assertIn("rehearsal: no database", drawn)
        self.assertLess(len(svg.encode()), 200_000)
        self.assertNotRegex(plain, r"(^|\s)/(tmp|root|home)/")

    def test_the_map_has_every_module_of_the_list(self):
        arrows = re.search(r"```text\n(.*?)```", (ROOT / "src" / "lib.rs").read_text(encoding="utf-8"), re.DOTALL)[1]
        modules = set(re.findall(r"[a-z]+", " ".join(re.findall(r"^//! ([a-z, ]+?) *→", arrows, re.MULTILINE))))
        self.assertIn("ops", modules)
        words = set(re.findall(r"[a-z]+", " ".join(text for text, _ in texts((DOCS / "architecture.svg").read_text("utf-8")))))
        # main is three lines, and is named in the page.
        self.assertEqual(modules - words - {"main"}, set())


if __name__ == "__main__":
    unittest.main()
