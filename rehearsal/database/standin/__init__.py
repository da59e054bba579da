"""The rehearsal node: everything that runs on a node after `c4 host play`.

There is no database in here.  The package answers on the ports an Exasol cluster would use, in the
way its clients expect, so that machines, networks and pipelines can be checked without the real
download.  Every text that a person may read carries LABEL.

    settings   paths, cluster description, secrets, state and faults on disk
    addresses  where a node is now, by its name
    keys       the RSA key pair of the SQL login, passwords as scrypt values
    password   the password of sys, the same on every node, and how it is changed
    websocket  RFC 6455 frames on a TLS socket
    sql        the few statements that get an answer, and the shape of results
    session    one SQL client: login, commands, compression
    sqlserver  the SQL port: listener, TLS, one thread for each client
    database   the database's life on this node: setup, starting, running, stopping
    wire       small HTTP/1.1, over TLS or a Unix socket, for the cluster port and the web page
    peers      what the other nodes say about themselves
    stages     a1, b, c, d: the conditions
    confd      the jobs: the database's state, memory, licence, certificate
    keeping    what those jobs keep on every node
    bootlog    exainit.log, with the stages
    node       the daemon that ties these together (c4_cloud_command.service)
    cli        `c4 ps`, `wait`, `config`, `connect` after the play
"""

LABEL = "rehearsal: no database"
# A real version followed by "+rehearsal": readable for clients that parse semver or PEP 440.
RELEASE = "2025.1.8+rehearsal"
