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
# What moves the cursor, erases and colours, as it is and as JSON writes it.
CODES = re.compile(r"(?:\x1b|\\u001b)\[[0-9;?]*[A-Za-z]")


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
        self.assertEqual(events[-1][1:], ["m", ""] if code else ["o", "\r\n"])
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


class Times(unittest.TestCase):
    def test_a_long_session_is_a_time_lapse_and_results_stay(self):
        running = [[float(second), "o", "x"] for second in range(121)]
        events = [[0.0, "o", "$ short"], [0.0, "m", ""], *running, [120.0, "m", ""], [120.0, "o", "$ next"]]
        at = record.times(events)
        self.assertEqual((at[1], at[2]), (0.0, record.READ))
        self.assertAlmostEqual(at[-2], record.READ + record.RUNNING)
        self.assertAlmostEqual(at[-1], at[-2] + record.LONG_READ)

    def test_a_short_session_keeps_its_times(self):
        self.assertEqual(record.times([[0.0, "o", "a"], [0.5, "o", "b"], [9.0, "m", ""]]), [0.0, 0.5, 0.5 + record.LONGEST_PAUSE])


class Draw(unittest.TestCase):
    def test_what_stays_is_drawn_once_and_what_goes_is_not_in_the_last_picture(self):
        pictures = [(0.0, [row("stays"), row("waiting")]), (2.0, [row("stays"), row("done")])]
        svg = record.Drawing(pictures, 40).svg()
        found = dict(texts(svg))
        self.assertEqual([text for text, _ in texts(svg)].count("stays"), 1)
        self.assertEqual(found["stays"], "")
        self.assertIn("gone", found["waiting"].split())
        self.assertNotIn("gone", found["done"].split())
        # Then one takes the other's place.
        share = f"{100 * 2 / (2 + record.LAST):.2f}%"
        self.assertIn(f"{share},100%{{visibility:hidden}}", svg)
        self.assertIn(f"{share}{{visibility:visible}}", svg)

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
    def test_the_deploy_is_a_recording_of_the_readme_s_commands(self):
        events = [json.loads(line) for line in (DOCS / "deploy.cast").read_text(encoding="utf-8").splitlines()[1:]]
        said = CODES.sub("", "".join(text for _, _, text in events))
        typed = [line[2:] for line in said.replace("\r", "").split("\n") if line.startswith("$ ")]
        blocks = re.findall(r"```sh run\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
        self.assertEqual(typed, [line.split(" #")[0].strip() for line in blocks[0].splitlines()])
        self.assertNotRegex(said, r"(^|\s)/(tmp|root|home)/")

    def test_the_drawing_is_of_the_recording_and_small(self):
        said = CODES.sub("", (DOCS / "deploy.cast").read_text(encoding="utf-8")).replace(" ", "")
        svg = (DOCS / "deploy.svg").read_text(encoding="utf-8")
        # What stays in the end. Runs of one style are elements of their own, so spaces between them are not in the text.
        last = [text.replace(" ", "") for text, classes in texts(svg) if "gone" not in classes.split()]
        self.assertEqual([text for text in last if json.dumps(text, ensure_ascii=False)[1:-1] not in said], [])
        for words in ("trialisready", "(1row)", "destroyed:"):
            self.assertTrue(any(words in text for text in last), words)
        self.assertLess(len(svg.encode()), 200_000)

    def test_the_map_has_every_module_of_the_list(self):
        arrows = re.search(r"```text\n(.*?)```", (ROOT / "src" / "lib.rs").read_text(encoding="utf-8"), re.DOTALL)[1]
        modules = set(re.findall(r"[a-z]+", " ".join(re.findall(r"^//! ([a-z, ]+?) *→", arrows, re.MULTILINE))))
        self.assertIn("ops", modules)
        words = set(re.findall(r"[a-z]+", " ".join(text for text, _ in texts((DOCS / "architecture.svg").read_text("utf-8")))))
        # main is three lines, and is named in the page.
        self.assertEqual(modules - words - {"main"}, set())


if __name__ == "__main__":
    unittest.main()
