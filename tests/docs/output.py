"""Compares what a command printed with what a document says it prints."""

import re

ANYTHING = "…"
# What differs from run to run and from machine to machine: a page shows an example of it.
DIFFERS = [
    (re.compile(r"\bexasol-[0-9a-f]{8}\b"), "ID"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "ADDRESS"),
    (re.compile(r"\b[0-9a-fA-F]{64}\b|\b[0-9a-f]{16}…|\b[0-9A-F]{2}(?::[0-9A-F]{2}){31}\b"), "SHA-256"),
    (re.compile(r"\b\d{8}T\d{6}Z|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?Z?"), "DATE"),
    (re.compile(r"\b\d\d:\d\d(?::\d\d)?\b"), "CLOCK"),
    (re.compile(r"\b(?:\d+ ?h )?(?:\d+ ?(?:m|min) )?\d+(?:\.\d+)? ?(?:ms|s|m|min|h)\b"), "TIME"),
    # A longer value moves what stands beside it.
    (re.compile(r"(?<=\S) {2,}"), "  "),
]


def difference(expected, printed):
    """None if they agree; else words that show the first expected line that was not found.

    `…` stands for any text within a line; alone on a line, for any number of lines, also none. One time,
    address, id or checksum is as good as another.
    """
    wanted = [line.rstrip() for line in expected.strip("\n").splitlines()]
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    reach = _match(wanted, lines)
    if reach is None:
        return None
    index, at = reach
    line = wanted[index] if index < len(wanted) else None
    got = lines[at] if at < len(lines) else None
    words = [f"expected line {index + 1}: {line!r}" if line is not None else "expected: the end"]
    words.append(f"printed line {at + 1}: {got!r}" if got is not None else "printed: nothing more")
    return "\n".join(words)


def masked(line):
    for pattern, name in DIFFERS:
        line = pattern.sub(name, line)
    return line


def _agree(wanted, line):
    """As they stand, too: `exasol-…` is no id, and so stays as it is when the ids are masked."""
    pairs = ((wanted, line), (masked(wanted), masked(line)))
    return any(re.fullmatch(".*".join(re.escape(part) for part in a.split(ANYTHING)), b) for a, b in pairs)


def _match(wanted, lines):
    """None if all lines match; else the furthest point reached: (index of wanted, index of lines)."""
    # Every number of printed lines that the expected lines so far can have taken.
    reached = {0}
    furthest = (0, 0)
    for index, line in enumerate(wanted):
        if line.strip() == ANYTHING:
            reached = set(range(min(reached), len(lines) + 1))
            continue
        after = {at + 1 for at in reached if at < len(lines) and _agree(line, lines[at])}
        if not after:
            return index, min(reached)
        reached = after
        furthest = (index + 1, max(reached))
    if len(lines) in reached:
        return None
    return furthest[0] if furthest[0] == len(wanted) else len(wanted), min(reached)
