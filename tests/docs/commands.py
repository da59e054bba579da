"""The `exasol …` commands that documents mention, and what the program's own help knows of them."""

import functools
import re
import shlex
import subprocess

from markdown import SHELL, commands as logical_lines

PROGRAM = "exasol"
# Words after which a command begins, besides the beginning of a line and punctuation.
PREFIXES = {"sudo", "time", "exec", "if", "then", "do", "while", "until", "!", "nohup", "command", "--", "else"}
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
# What stands for something else: `exasol COMMAND --help`, `exasol …`.
PLACEHOLDER = re.compile(r"…|<.*>|[A-Z_]+\b.*")
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*|-[A-Za-z])(?![\w-])")


def mentioned(document):
    """(line, arguments) of every exasol command in shell blocks and code spans."""
    found = []
    for block in document.blocks:
        if block.language == SHELL:
            for line in logical_lines(block.text):
                found += [(block.line, arguments) for arguments in of_line(line)]
    for line, text in document.code_spans():
        if text.startswith(f"{PROGRAM} "):
            found += [(line, arguments) for arguments in of_line(text)]
    return found


def of_line(line):
    """The arguments of each call of the program in a line of shell."""
    # A command in a substitution is one as well.
    words = split(line.replace("$(", " ( ").replace("`", " ; "))
    calls, current = [], None
    before = ";"
    for word in words:
        if set(word) <= set("();<>|&"):
            current = None
        elif current is not None:
            current.append(word)
        elif word == PROGRAM and (set(before) <= set("();|&") or before in PREFIXES or ASSIGNMENT.fullmatch(before)):
            current = []
            calls.append(current)
        before = word
    return calls


def split(line):
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        # An apostrophe or an open quote, as in a here-document: words will do.
        return line.split()


class Help:
    """What the program's help lists: all commands, the options of all of them, and everything about each."""

    def __init__(self, binary):
        self.binary = binary

    @functools.cache
    def text(self, *command):
        if not command:
            return "Commands:\n" + self._said("help", "commands").split("\n\n", 1)[1] + self._said("help", "options")
        return self._said(*command, "--help", "all")

    def _said(self, *words):
        done = subprocess.run(
            [self.binary, *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )
        return done.stdout if done.returncode == 0 else None

    @functools.cache
    def commands(self, *command):
        listed = re.search(r"^Commands:\n((?:  .*\n)+)", self.text(*command) or "", re.MULTILINE)
        return set(re.findall(r"^  ([a-z][\w-]*)", listed[1], re.MULTILINE)) if listed else set()

    @functools.cache
    def flags(self, *command):
        """Long and short names, with aliases; every name before the description of an option, or called an alias."""
        names = set()
        for line in (self.text(*command) or "").splitlines():
            option = re.match(r"\s{2,8}(?=-)(?P<names>.*?)(?:\s{2,}|$)", line)
            if option:
                names.update(FLAG.findall(option["names"]))
            for aliases in re.findall(r"\[alias(?:es)?: ([^\]]*)\]", line):
                names.update(FLAG.findall(aliases))
        return names

    def problem(self, arguments):
        """Why the program would not understand these arguments; None if it would."""
        command = []
        words = iter(arguments)
        known = self.flags()
        for word in words:
            if word == "--" or PLACEHOLDER.fullmatch(word):
                return None
            if word.startswith("-") and len(word) > 1:
                flag = word.split("=")[0]
                if re.fullmatch(r"-[A-Za-z]", flag) or flag.startswith("--"):
                    if flag not in known and flag not in ("--help", "-h", "--version", "-V"):
                        return f"'{' '.join([PROGRAM, *command])}' has no option {flag}"
                continue
            if word in self.commands(*command):
                command.append(word)
                known = known | self.flags(*command)
                continue
            # Values of options before the command look like commands: only the first word decides.
            if not command and self._is_first(arguments, word):
                return f"'{PROGRAM} {word}' is no command"
        return None

    @staticmethod
    def _is_first(arguments, word):
        at = arguments.index(word)
        return at == 0 or not arguments[at - 1].startswith("-") or "=" in arguments[at - 1]
