#!/usr/bin/env python3
"""One program packed twice, under other circumstances, gives the same bytes; and what is in them.

Usage: quick.py [PROGRAM]      (default: a small one, with the debug build's completions and man pages)

Needs no root. Started by scripts/test-package --quick.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib

REPO = pathlib.Path(__file__).resolve().parent.parent.parent


def call(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options).stdout


def programs(folder):
    """What is packed, and what writes completions and man pages: the debug build, too large to be packed four times."""
    call("cargo", "build", "--locked", "--quiet", "--bin", "exasol", cwd=REPO)
    call("cc", "-s", "-x", "c", "-o", folder / "small", "-", input="int main(void) { return 0; }\n")
    return folder / "small", REPO / "target/debug/exasol"


def pack(binary, generator, out, umask, **environment):
    try:
        done = subprocess.run(
            [REPO / "scripts/package", "--binary", binary, "--generator", generator, "--out", out],
            env={**os.environ, **environment},
            umask=umask,
            cwd="/",
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        sys.exit(f"scripts/package failed:\n{error.stdout}{error.stderr}")
    return done.stdout


def check_sums(binary, generator, out):
    """SHA256SUMS covers what an earlier run has put there, for another kind of machine, and nothing else."""
    before = (out / "SHA256SUMS").read_text().splitlines()
    deb = one(out, "*.deb")
    other = deb.with_name(deb.name.replace("_amd64", "_other"))
    assert other != deb
    other.write_text("of an earlier run\n")
    (out / "exasol-0.0.0-1.x86_64.rpm").write_text("of another version\n")
    pack(binary, generator, out, 0o022)
    names = [line.split("  ")[1] for line in (out / "SHA256SUMS").read_text().splitlines()]
    assert sorted(names) == sorted([line.split("  ")[1] for line in before] + [other.name]), names
    call("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=out)


def check_refusals(folder, binary):
    """Another version, or no checkout: said at once, with the reason."""
    older = folder / "older"
    older.write_text("#!/bin/sh\necho exasol 0.0.1\n")
    older.chmod(0o755)
    copy = folder / "no-checkout"
    for part in ("scripts", "packaging", "tests/lab"):
        shutil.copytree(REPO / part, copy / part)
    for script, generator, code, words in (
        (REPO / "scripts/package", older, 1, "is version 0.0.1, and this checkout is "),
        (copy / "scripts/package", older, 4, "this is not a git checkout"),
    ):
        command = [script, "--binary", binary, "--generator", generator, "--out", folder / "refused"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1"})
        assert done.returncode == code and words in done.stderr, (done.returncode, done.stderr)


def same(first, second):
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    different = [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()]
    assert not different, f"packed twice, and different: {different}"
    return names


def one(folder, pattern):
    found = list(folder.glob(pattern))
    assert len(found) == 1, f"{pattern}: {found}"
    return found[0]


def check_deb(deb):
    """Read with Python alone where there is no dpkg-deb."""
    if not shutil.which("dpkg-deb"):
        return "not looked into: no dpkg-deb"
    fields = dict(line.split(": ", 1) for line in call("dpkg-deb", "--field", deb).splitlines() if line[:1] != " ")
    depends = [part.split(" ")[0] for part in fields["Depends"].split(", ")]
    assert depends == ["libc6", "libgcc-s1", "openssh-client"], fields["Depends"]
    names = {line.split(None, 5)[5]: line.split() for line in call("dpkg-deb", "--contents", deb).splitlines()}
    for name in (
        "./usr/bin/exasol",
        "./usr/share/man/man1/exasol.1.gz",
        "./usr/share/bash-completion/completions/exasol",
        "./usr/share/zsh/vendor-completions/_exasol",
        "./usr/share/fish/vendor_completions.d/exasol.fish",
        "./usr/share/doc/exasol/copyright",
        "./usr/share/doc/exasol/changelog.Debian.gz",
        "./usr/share/doc/exasol/README.md",
    ):
        assert name in names, f"{name} is not in the .deb"
    odd = [
        name
        for name, line in names.items()
        if line[1] != "root/root" or line[0] not in ("drwxr-xr-x", "-rw-r--r--" if name != "./usr/bin/exasol" else "-rwxr-xr-x")
    ]
    assert not odd, f"owner or mode: {odd}"
    if shutil.which("lintian"):
        done = subprocess.run(["lintian", "--fail-on", "error,warning", deb], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return "lintian has nothing to say"
    return "looked into; no lintian here"


def check_rpm(rpm):
    if not shutil.which("rpm"):
        return "not looked into: no rpm"
    requires = [line for line in call("rpm", "-qp", "--requires", rpm).splitlines() if not line.startswith("rpmlib(")]
    assert len(requires) == 3 and requires[0].startswith("libc.so.6(GLIBC_"), requires
    files = call("rpm", "-qpl", rpm).splitlines()
    for name in ("/usr/bin/exasol", "/usr/share/zsh/site-functions/_exasol", "/usr/share/licenses/exasol/LICENSE"):
        assert name in files, f"{name} is not in the .rpm"
    # Folders that belong to the system would conflict with the package that has them.
    assert not {"/usr", "/usr/bin", "/usr/share", "/usr/share/man", "/usr/share/man/man1"} & set(files)
    return "looked into"


def check_tarball(archive):
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    top = archive.name.removesuffix(".tar.gz")
    names = [member.name.removeprefix(f"{top}/") for member in members]
    assert names[1:] == sorted(names[1:]), "not sorted"
    for name in ("exasol", "man/exasol.1", "completions/_exasol", "LICENSE", "README.md", "CHANGELOG.md", "THIRD-PARTY.txt"):
        assert name in names, f"{name} is not in the tarball"
    assert {(member.uid, member.gid) for member in members} == {(0, 0)}
    assert len({member.mtime for member in members}) == 1


def check_sbom(path):
    bom = json.loads(path.read_text())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    components = {(row["name"], row["version"]): row for row in bom["components"]}
    manifest = tomllib.loads((REPO / "Cargo.toml").read_text())
    direct = {name for name, _version in components}
    assert set(manifest["dependencies"]) <= direct, set(manifest["dependencies"]) - direct
    assert components[next(key for key in components if key[0] == "virt")]["scope"] == "required"
    assert components[next(key for key in components if key[0] == "serde_derive")]["scope"] == "excluded"
    for_tests = set(manifest["dev-dependencies"]) - set(manifest["dependencies"]) - {"proc-macro2"}
    assert not for_tests & direct, for_tests & direct
    references = {row["bom-ref"] for row in bom["components"]} | {bom["metadata"]["component"]["bom-ref"]}
    assert references == {row["ref"] for row in bom["dependencies"]}
    assert all(to in references for row in bom["dependencies"] for to in row["dependsOn"])
    locked = {(row["name"], row["version"]): row.get("checksum") for row in tomllib.loads((REPO / "Cargo.lock").read_text())["package"]}
    for key, row in components.items():
        assert row["hashes"][0]["content"] == locked[key], key
    return f"{len(components)} crates"


def main():
    with tempfile.TemporaryDirectory(prefix="package-") as name:
        folder = pathlib.Path(name)
        binary, generator = [pathlib.Path(sys.argv[1]).resolve()] * 2 if len(sys.argv) > 1 else programs(folder)
        first, second = folder / "first", folder / "a folder with another name"
        said = pack(binary, generator, first, 0o022, TZ="UTC")
        pack(binary, generator, second, 0o077, TZ="Pacific/Chatham", LANG="de_DE.UTF-8", LC_ALL="C.UTF-8", HOSTNAME="other")
        names = same(first, second)
        assert len(names) == 5, names
        call("sha256sum", "--check", "SHA256SUMS", cwd=first)
        assert said.splitlines() == (first / "SHA256SUMS").read_text().splitlines()
        print("  .deb:", check_deb(one(first, "*.deb")))
        print("  .rpm:", check_rpm(one(first, "*.rpm")))
        check_tarball(one(first, "*.tar.gz"))
        print("  bill of materials:", check_sbom(one(first, "*.cdx.json")))
        check_sums(binary, generator, second)
        check_refusals(folder, binary)
    print("test-package: packed twice, the same bytes")


if __name__ == "__main__":
    main()
