"""Texts of the program, read from its Rust sources: what a document quotes must still be among them."""

import functools
import re

from documents import ROOT

ANYTHING = "…"
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
CONSTANT = re.compile(r'const (?P<name>[A-Z_]+): &(?:\'static )?str =\s*(?P<text>"(?:[^"\\]|\\.)*");', re.DOTALL)
CHECK = re.compile(
    r"(?:Check::(?:ok|warning|failed|skipped)|unanswered|\bcheck)\(\s*\"(?P<id>[a-z_]+)\""
    # The list of those that are skipped where the hypervisor cannot be reached.
    r"|^ {8}\(\"(?P<skipped>[a-z_]+)\", ",
    re.MULTILINE,
)
# What libvirt's preflight is made of.
PREFLIGHT = ("src/providers/libvirt", "src/tools/requirements.rs", "src/ops/preflight.rs", "src/ops/floors.rs")
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "'": "'", "0": "\0"}


@functools.cache
def sources(*places):
    """The texts of the Rust files there, by path."""
    found = {}
    for place in places or ("src",):
        paths = [ROOT / place] if place.endswith(".rs") else sorted((ROOT / place).rglob("*.rs"))
        found.update({path: path.read_text(encoding="utf-8") for path in paths})
    return found


@functools.cache
def texts():
    """Every string literal, on one line, with `…` for what is put in, and constants with their values."""
    found = set()
    for source in sources().values():
        constants = {m["name"]: literal(m["text"]) for m in CONSTANT.finditer(source)}
        for match in STRING.finditer(source):
            text = literal(match[0])
            text = re.sub(r"\{([A-Z_]+)\}", lambda m: constants.get(m[1], ANYTHING), text)
            found.add(re.sub(r"\{[^{}]*\}", ANYTHING, text))
    return found


def literal(quoted):
    joined = re.sub(r"\\\n\s*", "", quoted[1:-1])
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[0]), joined)


def occurs(quote):
    """Whether one text of the program could print the quoted line. `…` in the quote stands for what is put in."""
    wanted = squeeze(quote)
    return any(wanted in squeeze(text) for text in texts())


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def without_tests(source):
    """The file up to its tests, which stand last."""
    return source.split("#[cfg(test)]\nmod tests {")[0]


@functools.cache
def checks():
    """The names of libvirt's checks."""
    names = set()
    for source in sources(*PREFLIGHT).values():
        for match in CHECK.finditer(without_tests(source)):
            names.add(match["id"] or match["skipped"])
    return names
