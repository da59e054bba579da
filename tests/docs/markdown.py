"""Reads the parts of Markdown that the tests of the documents are about: fences, headings, links.

Not a Markdown parser: it knows what the documents of this project use, and `problems` refuses the rest
(indented code, fences without a language), so that nothing can hide from the tests.
"""

import dataclasses
import pathlib
import re

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})\s*(?P<info>.*?)\s*$")
HEADING = re.compile(r"^ {0,3}(?P<level>#{1,6})\s+(?P<text>.*?)(?:\s+#+)?\s*$")
LIST_ITEM = re.compile(r"^(?P<indent> *)(?:[-*+]|\d{1,9}[.)])(?P<gap> +)\S")
LINK = re.compile(r"!?\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\](?:\([^()]*\))?)*)\]\(\s*<?(?P<target>[^()\s<>]*(?:\([^()\s]*\)[^()\s<>]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s+<?(?P<target>[^\s>]+)>?")
HTML_TARGET = re.compile(r"<(?:a|img|source)\b[^>]*?\s(?:href|src|srcset)=\"(?P<target>[^\"]*)\"")
HTML_ANCHOR = re.compile(r"<[a-z]+\b[^>]*?\s(?:id|name)=\"(?P<name>[^\"]*)\"")
CODE_SPAN = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?P<text>.+?)(?<!`)(?P=ticks)(?!`)")

# Fences whose content is for a shell: only the first is allowed, so that a test finds all of them.
SHELL = "sh"
OTHER_SHELLS = ("bash", "shell", "console", "zsh", "shell-session", "terminal")


@dataclasses.dataclass
class Block:
    """A fenced block. `line` is that of the opening fence, counted from 1."""

    line: int
    info: str
    text: str

    @property
    def words(self):
        return self.info.split()

    @property
    def language(self):
        return self.words[0] if self.words else ""


@dataclasses.dataclass
class Run:
    """What the information of an `sh run` block asks for."""

    exit: int = 0
    place: str | None = None


class Document:
    def __init__(self, path, text=None):
        self.path = pathlib.Path(path)
        self.text = self.path.read_text(encoding="utf-8") if text is None else text
        self.blocks = []
        # Lines outside fences, with their numbers.
        self.prose = []
        self.broken = []
        self._read()

    def _read(self):
        opened = None
        for number, line in enumerate(self.text.splitlines(), 1):
            fence = FENCE.match(line)
            if opened is None:
                if fence and "`" not in fence["info"]:
                    opened, content = (number, fence), []
                else:
                    self.prose.append((number, line))
                continue
            begin, first = opened
            if fence and fence["fence"].startswith(first["fence"]) and not fence["info"]:
                self.blocks.append(Block(begin, first["info"], "\n".join(content)))
                opened = None
            else:
                # A fence inside a list is indented, and so is its content.
                indent = len(first["indent"])
                content.append(line[indent:] if not line[:indent].strip() else line)
        if opened is not None:
            self.broken.append((opened[0], "this fence is never closed"))

    def anchors(self):
        """The anchors that GitHub makes of headings, and those that are written as HTML."""
        seen = {}
        names = set()
        for _, line in self.prose:
            heading = HEADING.match(line)
            if heading:
                base = slug(heading["text"])
                count = seen.get(base, 0)
                seen[base] = count + 1
                names.add(f"{base}-{count}" if count else base)
            names.update(match["name"] for match in HTML_ANCHOR.finditer(without_code(line)))
        return names

    def links(self):
        """(line, target) of every link, image and link definition."""
        found = []
        # A link's text may go on in the next line, so paragraphs are read whole.
        for number, paragraph in self._paragraphs():
            plain = without_code(paragraph)
            for pattern in (LINK, HTML_TARGET):
                for match in pattern.finditer(plain):
                    line = number + plain.count("\n", 0, match.start())
                    found.append((line, match["target"]))
                    # A picture that is a link.
                    inner = LINK.finditer(match["text"]) if pattern is LINK else ()
                    found += [(line, picture["target"]) for picture in inner]
            for offset, line in enumerate(plain.split("\n")):
                definition = DEFINITION.match(line)
                if definition:
                    found.append((number + offset, definition["target"]))
        return sorted(found)

    def _paragraphs(self):
        begin, lines = 0, []
        for number, line in [*self.prose, (0, "")]:
            if lines and (not line.strip() or number != begin + len(lines)):
                yield begin, "\n".join(lines)
                lines = []
            if line.strip():
                if not lines:
                    begin = number
                lines.append(line)

    def code_spans(self):
        """(line, text) of every `code` in the prose; one may go on in the next line."""
        found = []
        for number, paragraph in self._paragraphs():
            for match in CODE_SPAN.finditer(paragraph.replace("\n", " ")):
                found.append((number + paragraph.count("\n", 0, match.start()), match["text"].strip()))
        return found

    def problems(self):
        """(line, text) of everything about code blocks that the rules forbid."""
        found = list(self.broken)
        for index, block in enumerate(self.blocks):
            found += [(block.line, words) for words in self._about(index, block)]
        found += self._indented_code()
        return sorted(found)

    def _about(self, index, block):
        if not block.language:
            yield "a fence without a language: sh run, sh not-run WHY, text, toml, json, …"
        elif block.language in OTHER_SHELLS:
            yield f"'{block.language}': shell blocks are called sh"
        elif block.language == SHELL:
            try:
                run = run_of(block)
            except ValueError as error:
                yield str(error)
                return
            if run and run.exit and len(commands(block.text)) != 1:
                yield "a block with exit=N holds one command, so that no other's failure is taken for it"
        elif block.info == "text output":
            before = self.blocks[index - 1] if index else None
            if not (before and is_run(before) and not self._prose_between(before, block)):
                yield "'text output' stands directly after an 'sh run' block"
        elif block.language == "text" and any(line.startswith("$ ") for line in block.text.splitlines()):
            yield "commands belong into an sh block"

    def _prose_between(self, first, second):
        return any(line.strip() for number, line in self.prose if first.line < number < second.line)

    def _indented_code(self):
        """Four spaces after an empty line, where no list item explains them."""
        empty, allowed = True, 0
        last = 0
        for number, line in self.prose:
            if number != last + 1:
                empty = True
            last = number
            if not line.strip():
                empty = True
                continue
            indent = len(line) - len(line.lstrip(" "))
            item = LIST_ITEM.match(line)
            if item and indent <= allowed + 3:
                allowed = len(item["indent"]) + len(item.group(0).strip().split(" ")[0]) + len(item["gap"])
            elif indent < allowed and (empty or not allowed):
                allowed = 0
            if (line.startswith("\t") or indent >= allowed + 4) and empty and not item:
                yield number, "code by indentation: use a fence that says whether a test runs it"
            empty = False

    def runs(self, place=None):
        """(block, what it asks for, expected output or None) of what a test executes, in order."""
        found = []
        for index, block in enumerate(self.blocks):
            run = run_of(block) if block.language == SHELL else None
            if run and run.place == place:
                after = self.blocks[index + 1] if index + 1 < len(self.blocks) else None
                found.append((block, run, after.text if after and after.info == "text output" else None))
        return found

    def places(self):
        return {run_of(block).place for block in self.blocks if is_run(block)}


def is_run(block):
    return block.words[:2] == [SHELL, "run"]


def run_of(block):
    """What an sh block asks for; None if no test runs it. ValueError names what is wrong."""
    rest = block.words[1:]
    if rest[:1] == ["not-run"]:
        if len(rest) < 2:
            raise ValueError("'not-run' is followed by the reason")
        return None
    if rest[:1] != ["run"]:
        raise ValueError("a shell block says whether a test runs it: sh run, or sh not-run WHY")
    run = Run()
    for word in rest[1:]:
        name, _, value = word.partition("=")
        if name == "exit" and value.isdigit():
            run.exit = int(value)
        elif name == "in" and value:
            run.place = value
        else:
            raise ValueError(f"'{word}' is not known after 'sh run': exit=N, in=PLACE")
    return run


def commands(text):
    """Logical lines: comments left out, lines that end with a backslash joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def without_code(text):
    """Code spans blanked, each with as many characters, so that positions stay."""
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)


def slug(heading):
    """The anchor of a heading as GitHub makes it: lower case, punctuation gone, spaces to hyphens."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"<[^>]+>", "", text)
    text = text.replace("`", "").strip().lower()
    text = re.sub(r"(?<!\w)_+|_+(?!\w)|\*+", "", text)
    return "".join(c for c in text.replace(" ", "-") if c.isalnum() or c in "-_")
