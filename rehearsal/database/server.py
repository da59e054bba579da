"""Starts one of the rehearsal's services: `server.py node` or `server.py adminui`."""

import importlib
import os
import sys

# Run isolated (-I), so that this directory is not on the path by itself.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

if __name__ == "__main__":
    if sys.argv[1:] not in (["node"], ["adminui"]):
        sys.exit("rehearsal: no database\nusage: server.py node|adminui")
    importlib.import_module(f"standin.{sys.argv[1]}").main()
