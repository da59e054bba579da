"""The commands of docs/packages.md that this test runs: what is tested is what people read."""

import re

MARK = "sh not-run scripts/test-package runs it: "


def blocks(text):
    """{label: script} of the blocks that are marked so."""
    found = {}
    for mark, body in re.findall(r"^```(sh [^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if mark.startswith(MARK):
            label = mark[len(MARK):].strip()
            assert label not in found, f"two blocks are called {label}"
            # We are root in there, where there is no sudo.
            found[label] = re.sub(r"\bsudo ", "", body)
    return found
