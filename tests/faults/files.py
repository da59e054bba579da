"""Files of the deployment that are not what they were, and a directory that does not answer any more."""

import os
import subprocess

from case import Case, after


def damage(kind, world, file):
    """Puts something else in a file's place."""
    content = file.read_bytes() if file.exists() else b""
    if kind == "empty":
        file.write_bytes(b"")
    elif kind == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif kind == "garbage":
        file.write_bytes(bytes(range(256)) * 8)
    elif kind == "flipped":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 0x80]) + content[middle + 1 :] if content else b"\x80")
    elif kind == "newer":
        file.write_bytes(content.replace(b'"schema": 1', b'"schema": 99').replace(b'"version":4', b'"version":99'))
    elif kind == "older":
        file.write_bytes(content.replace(b'"schema": 1', b'"schema": 0').replace(b'"version":4', b'"version":1'))
    elif kind == "missing":
        file.unlink()
    elif kind == "folder":
        file.unlink()
        file.mkdir()
    elif kind == "fifo":
        file.unlink()
        os.mkfifo(file)
    elif kind == "symlink":
        file.unlink()
        file.symlink_to(world.home / "others" / "file")
    elif kind == "dangling":
        file.unlink()
        file.symlink_to(world.home / "others" / "not-there")
    elif kind == "unreadable":
        # Root reads it nevertheless.
        file.chmod(0)


def damaged(name, kind, operation):
    template, words = "ready", {"stop": ("stop",), "destroy": ("destroy", "--yes"), "deploy": ("deploy",)}[operation]

    def check(world, turn):
        before = world.state()
        file = world.dir / name
        kept = world.folder / "kept"
        subprocess.run(["cp", "-a", str(file), str(kept)], check=True)
        damage(kind, world, file)
        looked = world.exasol("status", "--json", "--probe-timeout", "2", limit=30)
        assert looked.code in (0, 1, 3), looked.text
        for look in (("logs",), ("info",), ("list",), ("destroy", "--dry-run")):
            seen = world.exasol(*look, limit=30)
            assert seen.code in (0, 1, 3), seen.text
        answer = world.exasol(*words, limit=60)
        assert answer.code in (0, 1, 3, 4), answer.text
        assert not (world.home / "others" / "not-there").exists(), "it wrote through a symbolic link"
        if answer.code != 0 or operation == "deploy":
            # It refused, or found the cluster as ready as before: as if nothing had happened once the file is back.
            if file.is_symlink() or file.exists():
                subprocess.run(["rm", "-rf", str(file)], check=True)
            subprocess.run(["cp", "-a", str(kept), str(file)], check=True)
        state = world.state()
        assert state["id"] == before["id"]
        after(world, turn, operation, before["phase"], answer.code)

    return Case(f"damaged/{name}/{kind}/{operation}", template, check)


def damaged_cases():
    kinds = ("empty", "truncated", "garbage", "flipped", "newer", "older", "missing", "folder", "fifo", "symlink", "dangling", "unreadable")
    for name in ("deployment.json", "secrets.json", "terraform/terraform.tfstate", ".lock"):
        for kind in kinds:
            if name in ("secrets.json", ".lock") and kind in ("newer", "older"):
                continue
            for operation in ("deploy", "stop", "destroy"):
                yield damaged(name, kind, operation)


def stalled(words, codes):
    def check(world, turn):
        answer = world.exasol(*words, shim="stall", limit=40)
        assert answer.code in codes, answer.text
        if words[0] == "list":
            assert answer.json()["deployments"][0]["status"] == "unknown", answer.text

    return Case(f"stalled/{words[0]}", "ready", check)


def stalled_cases():
    yield stalled(("list", "--json"), (0,))
