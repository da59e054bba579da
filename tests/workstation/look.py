"""Runs inside the workstation, as root: what a domain may open, has open, and was denied. Prints JSON."""

import glob
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def output(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


def virsh(*arguments):
    return output("virsh", "-q", "-c", "qemu:///system", *arguments).strip()


def sources(tree):
    """The files of all disks, with what they are based on."""
    for source in tree.iterfind("./devices/disk//source"):
        if source.get("file"):
            yield source.get("file")
        elif source.get("volume"):
            yield virsh("vol-path", "--pool", source.get("pool"), source.get("volume"))


def look_at(name):
    tree = ElementTree.fromstring(virsh("dumpxml", name))
    uuid = tree.findtext("uuid")
    with open(f"/run/libvirt/qemu/{name}.pid", encoding="ascii") as file:
        process = f"/proc/{int(file.read())}"
    with open(f"{process}/attr/current", encoding="ascii") as file:
        label = file.read().strip("\n\0")
    with open(f"/etc/apparmor.d/libvirt/libvirt-{uuid}.files", encoding="utf-8") as file:
        profile = file.read()
    # Lines are `"PATH" MODE,`; what is denied without a word begins with `deny`.
    may = re.findall(r'^\s*"([^"]+)"', profile, re.MULTILINE)
    return {
        "name": name,
        "uuid": uuid,
        "label": label,
        "user": os.stat(process).st_uid,
        "files": sorted(set(sources(tree))),
        "may": may,
        "open": sorted({os.readlink(entry) for entry in glob.glob(f"{process}/fd/*")}),
        "vnc_ports": [g.get("port") for g in tree.iterfind("./devices/graphics") if g.get("port", "-1") != "-1"],
    }


def main(prefix):
    names = [name for name in virsh("list", "--name").split() if name.startswith(prefix)]
    try:
        domain = look_at(names[0]) if names else None
    except (OSError, ElementTree.ParseError) as error:
        # It has just begun, or ended.
        domain = None
        print(error, file=sys.stderr)
    denied = [line for line in output("dmesg").splitlines() if 'apparmor="DENIED"' in line]
    print(json.dumps({"domain": domain, "denied": denied, "all": virsh("list", "--all", "--name").split()}))


main(sys.argv[1])
