"""exainit.log: where an operator of the real one looks when a node does not reach stage d."""

import os
import time


class BootLog:
    """One file, begun anew with every start of the service; it belongs to the cluster's user."""

    def __init__(self, path, complain):
        self._path = path
        self._complain = complain
        try:
            self._make_folders(os.path.dirname(path))
            with open(path, "w", encoding="utf-8"):
                pass
            self._give(path)
        except OSError as error:
            self._path = None
            complain(f"no {path}: {error.strerror}")

    def say(self, text):
        if not self._path:
            return
        try:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {text}\n")
        except OSError as error:
            self._complain(f"{self._path}: {error.strerror}")

    def _make_folders(self, folder):
        if os.path.isdir(folder):
            return
        self._make_folders(os.path.dirname(folder))
        os.mkdir(folder, 0o755)
        self._give(folder)

    @staticmethod
    def _give(path):
        """To whom the folder above belongs."""
        if os.geteuid() == 0:
            above = os.stat(os.path.dirname(path))
            os.chown(path, above.st_uid, above.st_gid)
