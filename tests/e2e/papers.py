"""What an owner brings to a cluster and takes from it: a license, a certificate, a bug report."""

import json
import os
import stat
import subprocess
import tarfile

from steps import step


@step
def license(system):
    """A license goes through confd, and confd tells it afterwards."""
    before = system.exasol("license", "show", "--json").expect(0).json()["license"]
    file = system.folder / "e2e.exasol_license"
    file.write_text("<license><name>e2e</name></license>\n")
    report = system.exasol("license", "upload", str(file), "--json").expect(0).json()
    assert report["uploaded"] == str(file) and report["license"] != before, report
    assert system.exasol("license", "show", "--json").expect(0).json()["license"] == report["license"]


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def chain(folder):
    """A server's certificate and its issuer's in one file, and the key: (paths)."""
    folder.mkdir()
    subject = ["-newkey", "rsa:2048", "-nodes", "-days", "30"]
    openssl(folder, "req", "-x509", *subject, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=e2e root")
    openssl(folder, "req", *subject[:3], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=e2e")
    # Without an extension it would be of version 1, which nobody takes any more.
    (folder / "extensions").write_text("basicConstraints = CA:FALSE\nsubjectAltName = DNS:e2e\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
            "-days", "30", "-extfile", "extensions", "-out", "server.pem")
    file = folder / "chain.pem"
    file.write_text((folder / "server.pem").read_text() + (folder / "root.pem").read_text())
    os.chmod(folder / "server.key", 0o600)
    return file, folder / "server.key"


@step
def certificate(system):
    """Every node shows the owner's certificate, which is the one that passwords are sent to from now on."""
    shown = system.exasol("certificate", "show", "--json").expect(0).json()
    file, key = chain(system.folder / "tls")
    report = system.exasol("certificate", "set", "--cert", str(file), "--key", str(key), "--json").expect(0).json()
    assert report["changed"] and report["recorded"] != shown["recorded"], report
    assert [node["fingerprint"] for node in report["nodes"]] == [report["recorded"]] * system.size, report
    assert json.loads((system.dir / "deployment.json").read_text())["certificate_fingerprint"] == report["recorded"]
    system.exasol("sql", "-c", "SELECT 1").expect(0)
    again = system.exasol("certificate", "set", "--cert", str(file), "--key", str(key), "--json").expect(0).json()
    assert not again["changed"], again


def strings(value):
    """Every text in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


@step
def bug_report(system):
    """One archive that nobody else reads, with what every node says, and no secret in it."""
    file = system.folder / "report.tar.gz"
    result = system.exasol("support", "--file", str(file), "--json").expect(0)
    system.note("support", result.seconds)
    report = result.json()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and report["files"] > 0, report
    with tarfile.open(file) as tar:
        content = {member.name: tar.extractfile(member).read() for member in tar.getmembers() if member.isfile()}
    # Without a real c4 some files are not there; whatever a node was asked, it has answered.
    unanswered = [missing for missing in report["missing"]
                  if missing["what"] in [f"nodes/{name}" for name in system.names] or "connection ended" in missing["why"]]
    assert not unanswered, unanswered
    for name in system.names:
        assert any(f"/{name}" in path or name in path.split("/") for path in content), (name, sorted(content))
    secrets = [text for text in strings(json.loads((system.dir / "secrets.json").read_text())) if len(text) >= 8]
    # Of a key each line counts.
    pieces = [line for text in secrets for line in text.splitlines() if len(line) >= 8 and not line.startswith("-----")]
    for path, data in content.items():
        found = [piece[:4] for piece in pieces if piece.encode() in data]
        assert not found, (path, found)
