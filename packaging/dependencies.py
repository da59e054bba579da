#!/usr/bin/env python3
"""What the binary is made of, from `cargo metadata` on standard input.

Usage: cargo metadata … | dependencies.py --lock Cargo.lock --sbom FILE --notices FILE

Writes a CycloneDX 1.6 bill of materials and the notices of the crates that are
linked into the binary. The same metadata give the same bytes: the time is
SOURCE_DATE_EPOCH, identifiers are derived, lists are sorted.
"""

import argparse
import datetime
import json
import os
import pathlib
import sys
import tomllib
import uuid

NOTICE_NAMES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lock", type=pathlib.Path, required=True, help="Cargo.lock: the checksums")
    parser.add_argument("--sbom", type=pathlib.Path, required=True, help="where the bill of materials goes")
    parser.add_argument("--notices", type=pathlib.Path, required=True, help="where the notices go")
    arguments = parser.parse_args()
    graph = Graph(json.load(sys.stdin))
    sums = checksums(arguments.lock)
    when = int(os.environ["SOURCE_DATE_EPOCH"])
    arguments.sbom.write_text(json.dumps(sbom(graph, sums, when), indent=2) + "\n", encoding="utf-8")
    arguments.notices.write_text(notices(graph), encoding="utf-8")


class Graph:
    """The resolved crates: which are linked in, and which only run while building."""

    def __init__(self, metadata):
        self.packages = {package["id"]: package for package in metadata["packages"]}
        self.nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        self.root = metadata["resolve"]["root"]
        self.linked = self.reach({None}, macros=False)
        self.all = self.reach({None, "build"}, macros=True)

    def is_macro(self, identifier):
        return any("proc-macro" in target["kind"] for target in self.packages[identifier]["targets"])

    def below(self, identifier, kinds):
        for edge in self.nodes[identifier]["deps"]:
            if any(kind["kind"] in kinds for kind in edge["dep_kinds"]):
                yield edge["pkg"]

    def reach(self, kinds, macros):
        found, waiting = set(), [self.root]
        while waiting:
            identifier = waiting.pop()
            if identifier in found or (not macros and self.is_macro(identifier)):
                continue
            found.add(identifier)
            waiting.extend(self.below(identifier, kinds))
        return found

    def sorted(self, identifiers):
        rows = [self.packages[identifier] for identifier in identifiers if identifier != self.root]
        return sorted(rows, key=lambda package: (package["name"], package["version"]))


def checksums(lock):
    """{(name, version): SHA-256 of the crate's archive}."""
    entries = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return {(entry["name"], entry["version"]): entry["checksum"] for entry in entries if "checksum" in entry}


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def spdx(package):
    """The licence as an SPDX expression; crates older than SPDX wrote "/" for OR."""
    licence = package["license"]
    return licence and " OR ".join(part.strip() for part in licence.split("/"))


def sbom(graph, sums, when):
    root = graph.packages[graph.root]
    own = {
        "type": "application",
        "bom-ref": purl(root),
        "name": "exasol",
        "version": root["version"],
        "description": root["description"],
        "licenses": [{"expression": spdx(root)}],
        "purl": purl(root),
    }
    components = [component(package, graph, sums) for package in graph.sorted(graph.all)]
    edges = sorted(
        (
            {
                "ref": purl(graph.packages[identifier]),
                "dependsOn": sorted({purl(graph.packages[to]) for to in graph.below(identifier, {None, "build"})}),
            }
            for identifier in graph.all
        ),
        key=lambda edge: edge["ref"],
    )
    content = {"metadata": {"component": own}, "components": components, "dependencies": edges}
    # Derived from the content, since a random one would differ from build to build.
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([when, content], sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(when, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": own,
        },
        "components": components,
        "dependencies": edges,
    }


def component(package, graph, sums):
    row = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        # "excluded": runs while building, and is not in the binary.
        "scope": "required" if package["id"] in graph.linked else "excluded",
    }
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        row["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["license"]:
        row["licenses"] = [{"expression": spdx(package)}]
    row["purl"] = purl(package)
    if package["repository"]:
        row["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return row


def notice_files(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    files = {path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(NOTICE_NAMES)}
    if package["license_file"]:
        files.add(folder / package["license_file"])
    return sorted(files)


def notices(graph):
    """A list of the crates, then each text once with the crates that carry it."""
    packages = graph.sorted(graph.linked)
    lines = ["Crates that are linked into the program exasol, and their licences.", ""]
    texts = {}
    for package in packages:
        name = f"{package['name']} {package['version']}"
        lines.append(f"{name}: {spdx(package) or 'see below'}, {package['repository'] or 'no repository named'}")
        for path in notice_files(package):
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            text = "\n".join(line.rstrip() for line in text.splitlines())
            texts.setdefault(text, []).append(name)
    for text, names in texts.items():
        lines += ["", "=" * 78, *dict.fromkeys(names), "-" * 78, text]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
