#!/usr/bin/env python3
"""Runs the tests of the clouds: the program, the real Terraform, and a stand-in for every cloud.

    tests/clouds/run.py --exasol target/release/exasol
    tests/clouds/run.py -k hetzner
"""

import argparse
import os
import pathlib
import subprocess
import sys
import unittest

REPO = pathlib.Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exasol", default=os.environ.get("EXASOL_BIN", "target/release/exasol"), help="the binary under test")
    parser.add_argument("-k", dest="patterns", action="append", help="only tests whose name has this; repeatable")
    options = parser.parse_args()
    programs = subprocess.run([REPO / "scripts" / "setup", "--bin"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    os.environ["EXASOL_BIN"] = os.path.abspath(options.exasol)
    sys.dont_write_bytecode = True
    loader = unittest.TestLoader()
    if options.patterns:
        loader.testNamePatterns = [f"*{pattern}*" for pattern in options.patterns]
    tests = loader.discover(str(pathlib.Path(__file__).parent))
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
