"""The table: operation × step × fault. Every row is a case with a name, such as `signal/deploy/terraform.apply/exasol-INT`."""

import random

from files import damaged_cases, stalled_cases
from pairs import pair_cases
from programs import output_cases
from signals import signal_cases
from terminals import stream_cases, terminal_cases
from writes import write_cases


def table(seed, counts):
    cases = [
        *signal_cases(), *output_cases(), *terminal_cases(), *stream_cases(), *damaged_cases(), *stalled_cases(),
        *pair_cases(seed),
        *(write_cases(counts) if counts else ()),
    ]  # fmt: skip
    assert len({case.name for case in cases}) == len(cases)
    return cases


def quick(cases, seed, count=40):
    """Some of every kind, others with every seed."""
    kinds = {}
    for case in cases:
        kinds.setdefault(case.name.split("/")[0], []).append(case)
    chance = random.Random(seed)
    each = max(1, count // len(kinds))
    return [case for kind in kinds.values() for case in chance.sample(kind, min(each, len(kind)))]
