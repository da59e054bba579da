#!/usr/bin/env python3
"""Draws the figures of scripts/bench and benches/scale.py, both written with --save, as one picture.

    python3 -B benches/chart.py --bench bench.json --scale scale.json --output docs/performance.svg
"""

import argparse
import html
import json
import pathlib
import statistics

STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.small{font-size:11px}.title{font-weight:600}.axis{stroke:#8c959f}"
    ".boot{fill:#54aeff}.install{fill:#8250df}.rest{fill:#bf8700}.time{fill:none;stroke:#8250df;stroke-width:2}"
    ".memory{fill:none;stroke:#bf8700;stroke-width:2;stroke-dasharray:5 3}.inside{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.inside{fill:#fff}}"
)
WIDTH, LEFT, BAR = 720, 110, 22
KINDS = {"boot": "boot", "install": "install", "rest": "everything else"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=pathlib.Path, required=True, help="the figures of scripts/bench")
    parser.add_argument("--scale", type=pathlib.Path, required=True, help="the figures of benches/scale.py")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="the picture, as SVG")
    options = parser.parse_args()
    bars, below = deploys(json.loads(options.bench.read_text())["deploys"], 0)
    lines, bottom = scale(json.loads(options.scale.read_text()), below + 30)
    options.output.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom}" role="img" '
        f'aria-label="How long a deploy takes, and how exasol itself grows with the number of nodes">\n'
        f"<style>{STYLE}</style>\n" + "\n".join(bars + lines) + "\n</svg>\n"
    )


def text(x, y, words, style="", anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{style}" text-anchor="{anchor}">{html.escape(words)}</text>'


def parts(turns):
    """Of a deploy: seconds by kind, medians."""
    middle = lambda value: statistics.median(value(turn) for turn in turns)  # noqa: E731
    boot = middle(lambda turn: turn["steps"]["apply"] + turn["steps"]["boot"])
    install = middle(lambda turn: turn["steps"]["install"] + turn["steps"]["login"])
    return {"boot": boot, "install": install, "rest": middle(lambda turn: turn["deploy"]) - boot - install}


def deploys(sizes, top):
    """Bars for each size of cluster, by hand, with `exasol`, and with an older `exasol` where one was measured: seconds, medians."""
    rows = []
    for size, turns in sizes.items():
        middle = lambda value: statistics.median(value(turn) for turn in turns)  # noqa: E731
        nodes = f"{size} node" if size == "1" else f"{size} nodes"
        by_hand = {"boot": middle(lambda turn: turn["boot"]), "install": middle(lambda turn: turn["install"])}
        rows += [(f"{nodes}, by hand", by_hand), ("exasol deploy", parts(turns))]
        if "beside" in turns[0]:
            rows.append(("before", parts([turn["beside"] for turn in turns])))
    each = len(rows) // len(sizes)
    longest = max(sum(row.values()) for _, row in rows)
    said = [text(0, top + 16, "Seconds until the database answers, emulated guests", "title")]
    x = LEFT
    for kind, words in KINDS.items():
        said += [f'<rect x="{x}" y="{top + 27}" width="12" height="12" class="{kind}"/>', text(x + 17, top + 38, words, "small")]
        x += 110
    y = top + 52
    for number, (words, row) in enumerate(rows, 1):
        x, total = LEFT, sum(row.values())
        said.append(text(LEFT - 8, y + 15, words, "small", "end"))
        for kind, seconds in row.items():
            wide = seconds / longest * (WIDTH - LEFT - 60)
            said.append(f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{BAR - 2}" class="{kind}"/>')
            if wide > 30:
                said.append(text(x + wide / 2, y + 15, f"{seconds:.0f}", "small inside", "middle"))
            x += wide
        said.append(text(x + 6, y + 15, f"{total:.0f} s", "small"))
        y += BAR + (0 if number % each else 10)
    return said, y


def scale(rows, top):
    """Two lines over the number of nodes: our own processor time and memory in a deploy."""
    high, wide = 150, WIDTH - LEFT - 60
    most = rows[-1]["nodes"]
    seconds, memory = max(row["deploy"][1] for row in rows), max(row["deploy"][2] for row in rows)
    bottom = top + 40 + high
    place = lambda nodes, share: f"{LEFT + nodes / most * wide:.1f},{bottom - share * high:.1f}"  # noqa: E731
    said = [
        text(0, top + 16, "What a deploy costs exasol itself, with fakes for all other programs", "title"),
        f'<path class="axis" fill="none" d="M{LEFT} {bottom - high}V{bottom}H{LEFT + wide}"/>',
        f'<polyline class="time" points="{" ".join(place(row["nodes"], row["deploy"][1] / seconds) for row in rows)}"/>',
        f'<polyline class="memory" points="{" ".join(place(row["nodes"], row["deploy"][2] / memory) for row in rows)}"/>',
        text(LEFT + wide * 0.55, bottom - 20, f"— processor time, up to {seconds:.1f} s", "small"),
        text(LEFT + wide * 0.55, bottom - 6, f"- - memory, up to {memory:.0f} MB", "small"),
    ]
    for row in rows:
        if row["nodes"] == 1 or row["nodes"] >= 8:
            said.append(text(LEFT + row["nodes"] / most * wide, bottom + 15, str(row["nodes"]), "small", "middle"))
    said.append(text(LEFT - 8, bottom + 15, "nodes", "small", "end"))
    return said, bottom + 24


if __name__ == "__main__":
    main()
