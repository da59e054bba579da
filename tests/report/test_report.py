"""The page of `exasol report` in a real browser: complete without network and script, in both color
schemes, on a telephone, a wide screen and paper.

REPORT_PICTURES=FOLDER also writes what was seen, report-light.png and report-dark.png among it."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import chromium  # noqa: E402
import sample  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("EXASOL_BINARY", ROOT / "target/debug/exasol"))
PICTURES = os.environ.get("REPORT_PICTURES")
SCHEMES = {"light": "rgb(244, 246, 249)", "dark": "rgb(18, 22, 28)"}
WIDTHS = (400, 1400)

# Texts whose box leaves the page, and those that are cut in their SVG.
OVERFLOW = """[...document.querySelectorAll('svg text')].filter(text => {
  const inner = text.getBoundingClientRect(), outer = text.ownerSVGElement.getBoundingClientRect();
  return inner.width && (inner.right > outer.right + 1 || inner.left < outer.left - 1);
}).map(text => text.textContent)"""
# A label that runs into the duration beside it.
COLLISIONS = """[...document.querySelectorAll('.chart g')].filter(row => {
  const [label, took] = row.querySelectorAll('text');
  return label.getBoundingClientRect().right > took.getBoundingClientRect().left;
}).map(row => row.textContent.trim())"""


@unittest.skipUnless(chromium.program() or os.environ.get("CI") == "true",
                     "SKIPPED: Chromium is missing: scripts/setup --lab installs it")
class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not chromium.program():
            raise AssertionError("Chromium is missing, and with CI=true this test must not be skipped")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.browser = chromium.Chromium()
        cls.addClassCleanup(cls.browser.close)
        cls.pages = {name: cls.page(name, **shape) for name, shape in {
            "usual": {}, "single": {"size": 1, "disks": 1}, "largest": {"size": 64, "disks": 16, "cloud": True}}.items()}

    @classmethod
    def page(cls, name, **shape):
        deployment = sample.deployment(cls.folder / name / "demo", **shape)
        file = cls.folder / f"{name}.html"
        words = [BINARY, "report", "-d", deployment, "--offline", "--output-file", file, "--json"]
        environment = {"HOME": str(cls.folder), "PATH": os.environ["PATH"]}
        answer = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["bytes"] == file.stat().st_size
        return file

    def each(self):
        for name, file in self.pages.items():
            for scheme in SCHEMES:
                for width in WIDTHS:
                    with self.subTest(page=name, scheme=scheme, width=width):
                        self.browser.open(file, width, scheme)
                        yield name, scheme, width

    def test_it_asks_for_nothing_and_fits_its_width(self):
        for name, scheme, width in self.each():
            asked = [request["request"]["url"] for request in self.browser.told("Network.requestWillBeSent")]
            self.assertEqual(asked, [self.pages[name].as_uri()])
            self.assertEqual(self.browser.told("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"), [])
            self.assertEqual(self.browser.ask("getComputedStyle(document.body).backgroundColor"), SCHEMES[scheme])
            self.assertLessEqual(self.browser.ask("document.documentElement.scrollWidth"), width)
            self.assertEqual(self.browser.ask(OVERFLOW), [])
            self.assertEqual(self.browser.ask(COLLISIONS), [])
            if PICTURES:
                (pathlib.Path(PICTURES) / f"{name}-{scheme}-{width}.png").write_bytes(self.browser.picture())

    def test_the_picture_has_every_node_and_disk(self):
        for name, nodes, disks in (("usual", 3, 3), ("single", 1, 2), ("largest", 64, 4)):
            self.browser.open(self.pages[name])
            self.assertEqual(self.browser.ask("document.querySelectorAll('.cards svg').length"), nodes)
            self.assertEqual(self.browser.ask("document.querySelectorAll('.cards svg')[0].querySelectorAll('.disk').length"), disks)

    def test_scripts_do_not_run_and_the_style_does(self):
        self.browser.open(self.pages["usual"])
        added = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); window.ran"
        self.assertIsNone(self.browser.ask(added), "the policy forbids scripts")
        self.assertEqual(self.browser.ask("document.styleSheets.length"), 1)

    def test_it_prints(self):
        self.browser.open(self.pages["usual"], scheme="dark")
        paper = self.browser.paper()
        self.assertTrue(paper.startswith(b"%PDF"))
        if PICTURES:
            (pathlib.Path(PICTURES) / "usual.pdf").write_bytes(paper)

    def test_no_secret_is_on_it(self):
        for file in self.pages.values():
            self.assertNotIn("sample-Password", file.read_text())

    def test_pictures_for_the_documents(self):
        for scheme in SCHEMES:
            self.browser.open(self.pages["usual"], 1000, scheme)
            picture = self.browser.picture(height=1330)
            self.assertLess(len(picture), 150_000)
            if PICTURES:
                (pathlib.Path(PICTURES) / f"report-{scheme}.png").write_bytes(picture)


if __name__ == "__main__":
    unittest.main()
