"""Links of a document: relative ones lead to files and anchors of the repository, others are well formed."""

import functools
import pathlib
import re
import urllib.parse

from markdown import Document, without_code

REFERENCE = re.compile(r"\[[^\[\]]+\]\[(?P<label>[^\[\]]*)\]")
DEFINED = re.compile(r"^ {0,3}\[(?P<label>[^\]]+)\]:", re.MULTILINE)


def problems(document, root):
    """(line, text) of every dead link."""
    found = [(line, words) for line, target in document.links() if (words := fault(document, target, root))]
    defined = {match["label"].lower() for match in DEFINED.finditer(document.text)}
    for number, line in document.prose:
        for match in REFERENCE.finditer(without_code(line)):
            if match["label"] and match["label"].lower() not in defined:
                found.append((number, f"[{match['label']}] is not defined"))
    # What is in angle brackets or has a space is no link for the pattern, but was meant as one.
    for number, line in document.prose:
        for match in re.finditer(r"\]\((?P<target>\w+:[^)]*\s[^)\"]*)\)", without_code(line)):
            found.append((number, f"{match['target']} has a space"))
    return sorted(found)


def fault(document, target, root):
    """What is wrong with a target; None if nothing is."""
    parts = urllib.parse.urlsplit(target)
    if parts.scheme in ("http", "https"):
        host = re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", parts.netloc)
        return None if host else f"{target} is no address"
    if parts.scheme == "mailto":
        return None
    if parts.scheme or parts.netloc:
        return f"{target}: only http, https and mailto"
    if parts.path.startswith("/"):
        return f"{target}: an absolute path means something else on every host"
    path = document.path
    if parts.path:
        path = (document.path.parent / urllib.parse.unquote(parts.path)).resolve()
        if not path.is_relative_to(pathlib.Path(root).resolve()):
            return f"{target} leads out of the repository"
        if not path.exists():
            return f"{target} is not there"
    if parts.fragment:
        if path.suffix != ".md":
            return None if re.fullmatch(r"L\d+(-L\d+)?", parts.fragment) else f"{target}: not a page with anchors"
        known = document.anchors() if path == document.path else anchors(path)
        if parts.fragment not in known:
            return f"{target}: no such anchor"
    return None


@functools.cache
def anchors(path):
    return Document(path).anchors()
