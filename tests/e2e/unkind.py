"""Steps with a stand-in that poses as a real release and is as unkind as one may be (rehearsal/README.md)."""

import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile

import hypervisor
from hypervisor import virsh
from program import wait_until
from steps import step

REHEARSAL = pathlib.Path(__file__).resolve().parents[2] / "rehearsal"
TOP = "exasol-rehearsal"


def pack(target, unkind):
    """The rehearsal's archive, with the test switch in it."""
    with tarfile.open(target, "w:gz") as tar:
        for path in sorted((REHEARSAL / "database").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                tar.add(path, f"{TOP}/{path.relative_to(REHEARSAL / 'database')}")
        data = json.dumps(unkind).encode()
        member = tarfile.TarInfo(f"{TOP}/unkind.json")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


@step
def unkind_release(system, **unkind):
    """The two files of a release, as somebody has them who downloaded them: `init` gets them by name."""
    folder = system.folder / "release"
    folder.mkdir()
    archive, c4 = folder / f"exasol-{unkind['pose_as']}.tar.gz", folder / "c4"
    pack(archive, unkind)
    shutil.copy(REHEARSAL / "c4", c4)
    system.options = {**system.options, "db-version": unkind["pose_as"], "db-archive": str(archive), "c4": str(c4)}


@step
def roomy_pool(system, name, gb):
    """A pool that says it has room for real releases, whatever the machine has: a sparse file system."""
    folder = pathlib.Path(f"/var/lib/libvirt/{name}")
    file = system.folder / f"{name}.img"
    with open(file, "wb") as image:
        image.truncate(gb << 30)
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", file], check=True)
    subprocess.run(["mount", "-o", "loop", file, folder], check=True)
    # Beside its lost+found.
    virsh("pool-define-as", name, "dir", "--target", str(folder / "pool"))
    virsh("pool-build", name)
    virsh("pool-start", name)
    virsh("pool-autostart", name)
    system.options = {**system.options, "libvirt-pool": name}


@step
def remove_roomy_pool(system, name):
    for volume in hypervisor.lines("vol-list", name):
        assert volume.startswith(hypervisor.SHARED_PREFIX), f"left behind in {name}: {volume}"
    virsh("pool-destroy", name)
    virsh("pool-undefine", name)
    folder = pathlib.Path(f"/var/lib/libvirt/{name}")
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()
    (system.folder / f"{name}.img").unlink()


@step
def pinned(system):
    """Both files are known by their checksums from `init` on."""
    text = (system.dir / "deployment.json").read_text()
    for option in ("db-archive", "c4"):
        digest = hashlib.sha256(pathlib.Path(system.options[option]).read_bytes()).hexdigest()
        assert digest in text, (option, digest)


@step
def posed(system):
    """Nothing took it for a rehearsal, and it says itself that it is one."""
    report = system.exasol("status", "--json").expect(0).json()
    assert report["status"] == "database_ready" and report["rehearsal"] is False, report
    for name in system.names:
        done = system.exasol("ssh", name, "--", "test ! -e /etc/exasol-rehearsal && test ! -e ~/.local/bin/c4 && c4 version").expect(0)
        assert "rehearsal: no database" in done.stdout, done.stdout


@step
def well_but(system, **expected):
    """Nothing is wrong but what is known to be different: {type of the issue: nodes}, warnings all."""
    wanted = {(kind, node, "warning") for kind, nodes in expected.items() for node in nodes}
    found = {}

    def as_expected():
        report = system.exasol("health", "--json").json()
        found.update(report)
        return wanted == {(issue["type"], issue["node"], issue["severity"]) for issue in report["issues"]}

    # A busy emulated node misses health's limits now and then.
    try:
        wait_until(as_expected, "health with these warnings and nothing else", every=2)
    except AssertionError as error:
        raise AssertionError(f"{error}: {found}") from None


@step
def warned(system, **expected):
    """The last operation of a kind has said these words in warnings: {operation: [words]}."""
    for operation, words in expected.items():
        log = max((system.dir / "logs").glob(f"*-{operation}*"))
        events = [json.loads(line) for line in (log / "events.jsonl").read_text().splitlines()]
        said = [event["message"] for event in events if event["event"] == "warning"]
        for word in words:
            assert any(word in text for text in said), (word, said)


@step
def cos(system, state="Running"):
    """COS takes the cluster's key only, and not ours: through the node there is a way."""
    config = str(system.dir / "ssh/config")
    for name in system.names:
        direct = subprocess.run(["ssh", "-F", config, "-o", "BatchMode=yes", f"{name}-cos", "true"],
                                capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert direct.returncode == 255 and "Permission denied" in direct.stderr, direct.stderr
        done = system.exasol("ssh", f"{name}-cos", "--", "confd_client db_state -j db_name: Exasol").expect(0)
        assert done.stdout.strip() == f'"{state}"', done.text
