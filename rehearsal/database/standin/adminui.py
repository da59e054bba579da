"""The page on the Admin UI's port: it says that there is none."""

import os
import signal

from . import LABEL, keeping, settings, wire

_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{LABEL}</title></head>
<body><h1>{LABEL}</h1><p>This is the stand-in page of a rehearsal cluster's Admin UI.</p></body></html>
"""


def page(_request):
    return 200, "text/html; charset=utf-8", _PAGE


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    paths = settings.Paths()
    if settings.Faults(paths.faults).fails("exasol-admin-ui"):
        raise SystemExit(f"{LABEL}: the fault unit_failed")
    cluster = settings.Cluster.load(paths)
    tls = wire.server_tls(*keeping.Keeping(paths).certificate())
    wire.Server(wire.listen(cluster.listen_on, cluster.adminui_port), page, tls).run()
