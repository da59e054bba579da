#!/usr/bin/env python3
"""Runs the libvirt guide's Debian commands from the document itself, where each can be run.

    tests/docs/debian.py --exasol target/release/exasol --lab NAME

Blocks `in=debian` run in a bare Debian 12 in a chroot, by a user with sudo: packages are really installed.
There is no systemd there, so services are enabled but not started. Blocks `in=lab` run beside the real
libvirtd of a lab that is up, after its pool and its network have been taken away. Needs root.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import run
from documents import ROOT
from markdown import Document
from session import Session

GUIDE = ROOT / "CLOUD_SETUP_LIBVIRT.md"
SUITE = "bookworm"
USER = "reader"
# What apt and pip need to get out of this machine, if anything.
PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
CERTIFICATES = "/opt/pip-certificates.pem"
# Mounts end with this namespace, and so does whatever was started inside.
ENTER = r"""
set -e
root=$1 archives=$2 user=$3
shift 3
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root/var/cache/apt/archives"
mount --bind "$archives" "$root/var/cache/apt/archives"
exec chroot --userspec="$user:$user" --groups= "$root" env -C "/home/$user" "$@"
"""
PREPARE = f"""
echo "127.0.1.1 $(uname -n)" >>/etc/hosts
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends sudo ca-certificates
useradd --create-home --shell /bin/bash {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}
echo 'Defaults env_keep += "DEBIAN_FRONTEND SYSTEMD_OFFLINE {' '.join(PASSED_ON)}"' >>/etc/sudoers.d/{USER}
chmod 440 /etc/sudoers.d/{USER}
"""


def home():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(os.environ.get("EXASOL_LAB_HOME") or os.path.join(cache, "exasol-lab")) / "chroot"


def base():
    """The archive of a bare system, made once and kept."""
    archive = home() / f"{SUITE}-minbase.tar"
    if not archive.exists():
        home().mkdir(parents=True, exist_ok=True)
        part = pathlib.Path(tempfile.mkdtemp(dir=home()), "base.tar")
        try:
            subprocess.run(
                ["mmdebstrap", "--quiet", "--variant=minbase", SUITE, part], check=True, stdin=subprocess.DEVNULL
            )
            part.rename(archive)
        finally:
            shutil.rmtree(part.parent)
    return archive


@contextlib.contextmanager
def chroot(binary):
    """A fresh system in a folder, with the program and a user; gone afterwards."""
    archive = base()
    root = pathlib.Path(tempfile.mkdtemp(prefix="docs.", dir=home()))
    try:
        root.chmod(0o755)
        subprocess.run(["tar", "-C", root, "-xf", archive, "--numeric-owner"], check=True)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        policy = root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        if os.environ.get("PIP_CERT"):
            shutil.copy(os.environ["PIP_CERT"], root / CERTIFICATES.lstrip("/"))
        shutil.copy(binary, root / "usr/local/bin/exasol")
        (home() / "archives").mkdir(exist_ok=True)
        subprocess.run(
            [*enter(root, "root"), "bash", "-euc", f"cd /\n{PREPARE}"],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )
        yield root
    finally:
        # The mounts were in another namespace; the option is for the case that one was not.
        subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)


def enter(root, user):
    folder = "/root" if user == "root" else f"/home/{user}"
    variables = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": folder,
        "USER": user,
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        # There is no systemd to talk to: systemctl finds the units and enables them, and starts nothing.
        "SYSTEMD_OFFLINE": "1",
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
    }
    if os.environ.get("PIP_CERT"):
        variables["PIP_CERT"] = CERTIFICATES
    return [
        *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL"),
        *("bash", "-c", ENTER if user != "root" else ENTER.replace('-C "/home/$user"', "-C /root"), "enter"),
        *(str(root), str(home() / "archives"), user),
        *("-i", *(f"{name}={value}" for name, value in variables.items())),
    ]


def in_debian(binary):
    with chroot(binary) as root:
        session = Session(dict(os.environ), "/", [*enter(root, USER), "bash"])
        try:
            return run.execute(Document(os.path.relpath(GUIDE)), session, "debian", report=lambda line: print(line, flush=True))
        finally:
            session.close()


def in_lab(binary, name):
    """The lab ends up with what it had: the commands of the guide make its pool and network anew."""
    lab = [str(ROOT / "scripts/lab"), "exec", "--name", name, "--"]

    def virsh(*arguments, check=True):
        subprocess.run([*lab, "virsh", "-q", "-c", "qemu:///system", *arguments], check=check)

    listed = subprocess.run(
        [*lab, "virsh", "-q", "-c", "qemu:///system", "list", "--all", "--name"], check=True, capture_output=True, text=True
    )
    if listed.stdout.strip():
        raise run.Failure(f"the lab {name} has machines, which would lose their network: {listed.stdout.split()}")
    virsh("pool-destroy", "default")
    virsh("pool-undefine", "default")
    virsh("net-destroy", "default")
    virsh("net-undefine", "default")
    script = ROOT / "tests/docs/run.py"
    done = subprocess.run(
        [*lab, sys.executable, "-B", str(script), os.path.relpath(GUIDE), "--in", "lab", "--exasol", str(binary)], check=False
    )
    for words in (["pool-destroy"], ["pool-delete"], ["pool-undefine"]):
        virsh(*words, "exasol", check=False)
    for words in (["net-destroy"], ["net-undefine"]):
        virsh(*words, "lan2", check=False)
    if done.returncode != 0:
        raise run.Failure(f"{GUIDE.name}: the blocks in=lab failed, see above")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exasol", default=ROOT / "target/release/exasol", type=pathlib.Path)
    parser.add_argument("--lab", help="the name of a lab that is up; without it the blocks in=lab are left out")
    parser.add_argument("--only-lab", action="store_true", help="leave the chroot out")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("this needs root: it makes a chroot")
    binary = options.exasol.resolve()
    if not os.access(binary, os.X_OK):
        parser.error(f"{binary} is not a program: cargo build --release")
    begin = time.monotonic()
    try:
        if not options.only_lab:
            in_debian(binary)
        if options.lab:
            in_lab(binary, options.lab)
        else:
            print("left out: the blocks in=lab (no --lab NAME)")
    except run.Failure as failure:
        print(f"FAILED {failure}", flush=True)
        return 1
    print(f"ok {GUIDE.name}: Debian's commands, {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
