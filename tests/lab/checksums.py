#!/usr/bin/env python3
"""checksums.py MIRROR: what EXASOL_PROVIDER_CHECKSUMS names, for the providers of a mirror that was built here.

They are not the published ones. The checksum is Terraform's own, h1: the SHA-256 of the list of a package's files
with their SHA-256 sums (golang.org/x/mod/sumdb/dirhash, "Hash1").
"""

import base64
import hashlib
import pathlib
import sys


def h1(package):
    files = sorted(path for path in package.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(package)}\n" for path in files]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


mirror = pathlib.Path(sys.argv[1])
for package in sorted(mirror.glob("*/*/*/*/*")):
    registry, namespace, name, version, _ = package.relative_to(mirror).parts
    print(f'[[provider]]\nsource = "{namespace}/{name}"\nversion = "{version}"')
    print(f'registries = ["{registry}"]\nhashes = ["{h1(package)}"]\n')
