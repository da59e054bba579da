"""What confd's jobs keep on every node: a licence, a certificate, the database's memory.

Files of root that nobody else reads.  They mean as much as a stand-in can make of them: the
certificate is shown on the SQL port, the licence is stored and given back, and the memory is told.
"""

import hashlib
import os
import re
import ssl
import tempfile

from . import settings

LICENSE, MEMORY, CERTIFICATE = "license", "mem_size", "certificate"
LIMIT = 48 * 1024
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Refused(Exception):
    """What was given can't be kept; the text is for the caller."""


class Keeping:
    def __init__(self, paths):
        self._paths = {
            LICENSE: paths.license,
            MEMORY: paths.memory,
            CERTIFICATE: paths.uploaded_certificate,
        }
        self._own = paths.certificate, paths.private_key

    def knows(self, name):
        return name in self._paths

    def get(self, name):
        """The text, "" if there is none."""
        try:
            with open(self._paths[name], encoding="utf-8", newline="") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def put(self, name, text):
        settings.write_text(self._paths[name], text, 0o600)

    def certificate(self):
        """(certificate, key) as paths, for ssl: the uploaded pair is in one file."""
        uploaded = self._paths[CERTIFICATE]
        return (uploaded, None) if os.path.exists(uploaded) else self._own

    def fingerprint(self):
        """SHA-256 of the certificate that the SQL port shows, in hex."""
        with open(self.certificate()[0], encoding="ascii") as file:
            first = _PEM.search(file.read())[0]
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest().upper()


def certificate_pair(chain, key):
    """The text to keep for cert_update; raises Refused.

    One certificate is not enough for the real job either: it wants the chain up to its root.
    """
    found = _PEM.findall(chain)
    if not found:
        raise Refused("there is no certificate in cert")
    if len(found) < 2:
        raise Refused("only one certificate in cert: a chain of two or more is needed")
    text = "\n".join([key.strip(), *found]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pair")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            # An encrypted key would be asked for on the terminal.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password="")
        except (OSError, ValueError) as error:
            raise Refused(f"cert and key don't fit: {error}") from None
    return text


def mebibytes(text):
    """`2048 MiB`, `2 GiB` or `1 TiB` as a number of MiB; raises Refused."""
    found = re.fullmatch(r"([1-9][0-9]{0,8}) ?(MiB|GiB|TiB)", text)
    if not found:
        raise Refused("mem_size must be a number with its unit, like '2048 MiB'")
    return int(found[1]) * {"MiB": 1, "GiB": 1 << 10, "TiB": 1 << 20}[found[2]]


def memory_of(node_mib):
    """The share of a node's memory that a database would get; the real one's rule is not known."""
    return node_mib * 3 // 4


def memory_here():
    """This machine's memory in MiB."""
    return (os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) >> 20
