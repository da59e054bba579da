"""Where a node is now.

A machine may get another address while it is off; whoever switches it on again writes the new one
into every node's /etc/hosts.  So a node is looked up by its name before every connection (at start,
and again after one that failed), and what `c4 host play` recorded counts where nobody knows the name.
"""

import socket


def lookup(name):
    """The address that the system's resolver has for a name, or None."""
    try:
        # Not getaddrinfo(), which may sort: the first line that names a node counts.
        return socket.gethostbyname_ex(name)[2][0]
    except (OSError, UnicodeError, IndexError):
        return None


def by_name(node):
    """The node's address as its name tells it, or None."""
    found = lookup(node["name"])
    # Debian's `127.0.1.1 n11` is true on that machine alone, and tells the others nothing.
    if found and _is_loopback(found) and not _is_loopback(node["address"]):
        return None
    return found


def current(node):
    return by_name(node) or node["address"]


def external(node):
    """The recorded one, unless the node never had one apart from the internal address."""
    return current(node) if node["external"] == node["address"] else node["external"]


def _is_loopback(address):
    return address.startswith("127.")
