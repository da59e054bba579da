"""The steps of a workflow: each is a function of the system under test and its arguments."""

import json
import os
import re
import stat
import subprocess

import hypervisor
from program import kill, wait_until

STEPS = {}


def step(function):
    STEPS[function.__name__] = function
    return function


@step
def init(system, **options):
    arguments = []
    for name, value in {**system.options, **options}.items():
        values = value if isinstance(value, list) else [value]
        arguments += [part for v in values for part in ([f"--{name}"] if v is True else [f"--{name}", str(v)])]
    if system.password is not None:
        with open(system.folder / "password", "w", encoding="utf-8") as file:
            file.write(system.password + "\n")
        arguments += ["--db-password-file", str(system.folder / "password")]
    result = system.exasol("init", *arguments).expect(0)
    assert (system.dir / "deployment.json").is_file()
    system.note("init", result.seconds)


@step
def plan(system):
    before = tree_of(system.dir)
    report = system.exasol("deploy", "--plan", "--json").expect(0).json()
    kinds = [change["kind"] for change in report["changes"]]
    size, disks = system.size, system.disks
    assert kinds.count("libvirt_domain") == size, kinds
    assert kinds.count("libvirt_volume") == size * (1 + disks), kinds
    assert report["delete"] == report["replace"] == 0
    assert tree_of(system.dir) == before, "deploy --plan changed the directory"


@step
def deploy(system, exit=0):
    result = system.exasol("deploy", "--json").expect(exit)
    system.note("deploy", result.seconds)
    if exit == 0:
        report = result.json()
        assert report["schema"] == 1 and report["status"] == "database_ready", report
        assert len(report["nodes"]) == system.size


@step
def deploy_again(system):
    """A deploy of a ready cluster verifies it and changes nothing."""
    result = system.exasol("deploy", "--json").expect(0)
    assert result.json()["status"] == "database_ready"
    system.note("deploy again", result.seconds)


@step
def status(system, status="database_ready", next=None):
    result = system.exasol("status", "--json").expect(0)
    report = result.json()
    assert report["status"] == status, report
    assert report["rehearsal"] is True
    if status == "database_ready":
        assert [n["name"] for n in report["nodes"]] == system.names
        for node in report["nodes"]:
            assert node["vm"] == "running" and node["ssh"]["state"] == "ok" and node["sql"]["state"] == "ok", node
            assert re.fullmatch(system.address, node["public_ip"]), node
    if next:
        assert any(next in command for command in report["next"]), report["next"]
    system.note("status", result.seconds)
    text = system.exasol("status").expect(0)
    # The name, what is true in people's words, and what it is.
    words = {"database_ready": f": ready. SQL answers on {system.size} of {system.size} node"}.get(status, status)
    assert words in text.stdout.splitlines()[0] and "rehearsal" in text.stdout, text.stdout


@step
def sql(system):
    for name in system.names:
        result = system.exasol("sql", "--node", name, "-c", "SELECT 1", "--json").expect(0)
        assert result.json()["rows"] == [[1]], result.stdout
    system.exasol("sql", "-c", "SELECT nonsense").expect(1)


@step
def pyexasol(system):
    """A client that is not ours logs in with the password that `info` shows."""
    os.environ["EXASOL_TELEMETRY_DISABLE"] = "1"
    import pyexasol as client

    info = system.exasol("info", "--show-password", "--json").expect(0).json()
    if system.password is not None:
        assert info["password"] == system.password
    connection = client.connect(dsn=info["dsn"], user=info["user"], password=info["password"])
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
    assert "rehearsal" in str(connection.login_info).lower()
    connection.close()
    try:
        client.connect(dsn=info["dsn"], user=info["user"], password="wrong")
    except client.ExaAuthError:
        pass
    else:
        raise AssertionError("a wrong password was accepted")
    hidden = system.exasol("info", "--json").expect(0)
    assert info["password"] not in hidden.stdout


@step
def nodes(system):
    """Hostname, /etc/hosts, inter-node SSH, data disks and held-off restarts of every node, with strict host keys."""
    script = r"""
        echo "hostname $(hostname)"
        for n in %s; do echo "ssh $n $(ssh -o BatchMode=yes -o StrictHostKeyChecking=yes $n hostname)"; done
        for n in %s; do echo "hosts $n $(getent ahostsv4 $n | head -n1 | cut -d' ' -f1)"; done
        for link in /dev/exadata_* /dev/exasol_data_*; do
          device=$(readlink -f "$link")
          echo "disk ${link#/dev/} $(sudo blockdev --getsize64 "$device") $(lsblk -dno WWN "$device")"
        done
        grep -c override_rc /etc/needrestart/conf.d/60-exasol.conf | sed 's/^/held /'
        sudo stat -c 'proxy %%a %%U' /etc/exasol-deployer/proxy
    """ % (" ".join(system.names), " ".join(system.names))
    addresses = {n["name"]: n["private_ip"] for n in system.exasol("status", "--json").json()["nodes"]}
    for name in system.names:
        # From another folder, by the path of the configuration alone.
        config = str(system.dir / "ssh" / "config")
        done = subprocess.run(
            ["ssh", "-F", config, "-o", "BatchMode=yes", name, script],
            cwd="/", capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300,
        )
        assert done.returncode == 0, done.stderr
        rows = [line.split() for line in done.stdout.splitlines()]
        assert ["hostname", name] in rows, rows
        for other in system.names:
            assert ["ssh", other, other] in rows, (rows, done.stderr)
            assert ["hosts", other, addresses[other]] in rows, rows
        assert ["held", "2"] in rows and ["proxy", "600", "root"] in rows, rows
        check_disks(system, name, [row for row in rows if row[0] == "disk"])


def check_disks(system, name, rows):
    expected = hypervisor.disks(f"{system.id}-{name}", system.virsh(name))
    assert len(expected) == system.disks, expected
    state = json.loads((system.dir / "deployment.json").read_text())
    planned = {d["number"]: d["wwn"] for n in state["nodes"] if n["name"] == name for d in n["disks"]}
    assert len(rows) == 2 * system.disks, rows
    for _, link, size, wwn in rows:
        number = int(link.rsplit("_", 1)[1])
        known = wwn.removeprefix("0x").removeprefix("naa.")
        assert known == planned[number], (link, known, planned)
        assert int(size) == expected[known] == system.disk_gb * 1024**3, (link, size, expected)


@step
def ssh(system):
    """`exasol ssh` runs a command and gives its exit status."""
    result = system.exasol("ssh", system.names[-1], "--", "hostname").expect(0)
    assert result.stdout.strip() == system.names[-1]
    system.exasol("ssh", "--", "exit 7").expect(7)
    result = system.exasol("ssh", "n11-cos", "--", "confd_client db_state -j db_name: Exasol").expect(0)
    assert result.stdout.strip() == '"running"', result.text


@step
def secrets(system):
    """No secret where others may read it, none in logs, none left on a node."""
    kept = json.loads((system.dir / "secrets.json").read_text())
    words = [kept["db_password"], kept["adminui_password"], kept["host_password"]]
    assert stat.S_IMODE(system.dir.stat().st_mode) == 0o700
    for path in sorted(p for p in system.dir.rglob("*") if p.is_file() and not p.is_symlink()):
        content = path.read_bytes()
        inside = [w for w in words if w.encode() in content or json.dumps(w)[1:-1].encode() in content]
        mode = stat.S_IMODE(path.stat().st_mode)
        if "PRIVATE KEY" in content.decode("utf-8", "replace"):
            assert mode & 0o077 == 0, f"{path} has a key and mode {mode:o}"
        if inside:
            assert mode & 0o077 == 0, f"{path} has a password and mode {mode:o}"
            assert "logs" not in path.relative_to(system.dir).parts, f"{path} has a password"
    for name in system.names:
        result = system.exasol("ssh", name, "--", "ls /home/exasol/exasol-release/config 2>&1")
        assert result.code != 0, f"{name} still has c4's configuration"


@step
def firewall(system):
    """What is not the user's is closed from outside, by default; the rules that were proven are those of a reboot."""
    for name in system.names:
        rules = system.exasol("ssh", name, "--", "sudo nft list table inet exasol").expect(0).stdout
        assert "meta l4proto { tcp, udp } drop" in rules, rules
        script = "sudo /usr/local/lib/exasol-deployer/firewall.sh is-kept && systemctl is-active exasol-firewall"
        system.exasol("ssh", name, "--", script).expect(0)
        # What flushes all rules brings ours back.
        system.exasol("ssh", name, "--", "sudo systemctl restart nftables && sudo systemctl stop nftables").expect(0)
        after = system.exasol("ssh", name, "--", "sudo nft list table inet exasol").expect(0).stdout
        assert after == rules, after


@step
def reboot(system, node="n12"):
    """A node that was rebooted from inside comes back with the same disks and the same keys."""
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = system.exasol("ssh", node, "--", boot_id).expect(0).stdout
    system.exasol("ssh", node, "--", "sudo systemctl reboot")
    wait_until(
        lambda: (r := system.exasol("ssh", node, "--", boot_id)).code == 0 and r.stdout != before,
        f"{node} after its reboot",
        every=2,
    )
    nodes(system)
    # The database of a cluster may need a while after a node was lost; then every node takes logins again.
    ready = lambda: system.exasol("status", "--json").json()["status"] == "database_ready"  # noqa: E731
    wait_until(ready, "the database after the reboot", every=2)


@step
def kill_deploy(system, when="boot"):
    """SIGKILL to a deploy as soon as it says that it is in the given step."""
    earlier = logs_of(system)
    process = system.start("deploy")
    wait_until(lambda: in_step(system, when, earlier) or process.poll() is not None, f"deploy in step {when}")
    assert process.poll() is None, f"deploy ended before {when}"
    kill(process)
    # Terraform, where it still works, holds the lock: the tool says so instead of guessing.
    wait_until(lambda: system.exasol("status", "--json").json()["status"] == "interrupted", "status interrupted")


@step
def signal_deploy(system, when="boot", signal=15):
    """A signal ends deploy in order: exit 128+n, and the state says what was."""
    earlier = logs_of(system)
    process = system.start("deploy")
    wait_until(lambda: in_step(system, when, earlier) or process.poll() is not None, f"deploy in step {when}")
    process.send_signal(signal)
    code = process.wait(timeout=120)
    assert code == 128 + signal, code
    report = system.exasol("status", "--json").expect(0).json()
    assert report["status"] == "interrupted" and report["last_error"]["code"] == "interrupted", report


def logs_of(system):
    return set((system.dir / "logs").glob("*-deploy*"))


def in_step(system, wanted, earlier):
    """Whether the deploy that has begun since has reached a step, by its own log."""
    events = [log / "events.jsonl" for log in logs_of(system) - earlier]
    rows = [row for file in events if file.exists() for row in file.read_text().splitlines()]
    return any(e.get("event") == "step_started" and e.get("step") == wanted for e in map(json.loads, rows))


@step
def move(system):
    """A deployment directory may be moved: nothing in it knows where it lies."""
    target = system.dir.with_name(system.dir.name + "-moved")
    system.dir.rename(target)
    system.dir = target
    system.exasol("ssh", "--", "true").expect(0)


@step
def engines(system):
    """The rendered files pass validate and plan under Terraform and under OpenTofu."""
    for engine in ["terraform", system.tofu]:
        folder = system.folder / f"engine-{os.path.basename(engine)}"
        folder.mkdir()
        for path in (system.dir / "terraform").iterdir():
            if path.suffix in (".tf", ".json"):
                (folder / path.name).write_bytes(path.read_bytes())
        for arguments in (["init", "-input=false"], ["validate"], ["fmt", "-check", "-diff"], ["plan", "-input=false"]):
            done = subprocess.run([engine, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{engine} {arguments}: {done.stdout}\n{done.stderr}"


@step
def made_by_tofu(system):
    """The deployment knows its engine, and that engine has written the state."""
    assert json.loads((system.dir / "deployment.json").read_text())["engine"] == "tofu"
    lock = (system.dir / "terraform/.terraform.lock.hcl").read_text()
    assert "registry.opentofu.org/" in lock, lock


@step
def destroy(system):
    dry = system.exasol("destroy", "--dry-run", "--json").expect(0).json()
    assert dry["dry_run"] is True
    system.exasol("destroy").expect(2)
    result = system.exasol("destroy", "--yes", "--json").expect(0)
    assert result.json()["status"] == "destroyed"
    system.note("destroy", result.seconds)
    left = sorted(p.name for p in system.dir.iterdir())
    assert [n for n in left if not n.startswith(".")] == ["README.md", "deployment.json", "logs"], left
    # Again: nothing to do, and no error.
    system.exasol("destroy", "--yes").expect(0)
    report = system.exasol("status", "--json").expect(0).json()
    assert report["status"] == "destroyed", report
    # Only a deploy leads on: it creates everything anew.
    for command in (["start"], ["stop"], ["deploy", "--plan"]):
        assert "exasol deploy" in system.exasol(*command).expect(3).text, command


@step
def deploy_anew(system):
    """A destroyed directory is deployed again, as another deployment with other secrets."""
    before = system.id
    signal_deploy(system, when="boot")
    assert system.id != before, before
    assert (system.dir / "secrets.json").is_file()


@step
def nothing_left(system):
    """libvirt has what it had before, and the base image only as cache."""
    found = hypervisor.inventory()
    assert found == system.before, f"left behind: {found}, before: {system.before}"


def tree_of(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and "logs" not in p.parts
    }
