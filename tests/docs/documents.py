"""The documents of the repository."""

import functools
import pathlib
import subprocess

from markdown import Document

ROOT = pathlib.Path(__file__).resolve().parents[2]


@functools.cache
def documents():
    """Every Markdown file that git knows or would add, without what the program has written into a frozen directory."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout
    paths = sorted(ROOT / name for name in set(listed.split("\0")) if name)
    return [Document(path) for path in paths if path.exists() and not path.match("tests/fixtures/frozen/*/*")]
