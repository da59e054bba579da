"""Two commands at once."""

import random
import time

from case import Case, after


def pair(seed, number):
    chance = random.Random(f"{seed}/{number}")
    template = chance.choice(("initialized", "ready", "stopped"))
    commands = [
        ("deploy",), ("stop",), ("start",), ("destroy", "--yes"), ("init", "--update", "--owner", "somebody"),
        ("health", "--repair"), ("status", "--json"), ("destroy", "--dry-run"),
    ]  # fmt: skip
    first, second = chance.choice(commands[:4]), chance.choice(commands)
    wait = chance.choice((0, 0, 0.05, 0.2, 0.5))

    def check(world, turn):
        one = world.start(*first)
        time.sleep(wait)
        two = world.start(*second)
        answers = [world.finish(child) for child in (one, two)]
        for answer in answers:
            assert answer.code in (0, 1, 3, 75), answer.text
        if all(answer.code == 0 for answer in answers) and {"destroy"} == {first[0]}:
            assert second[0] in ("destroy", "status", "health", "init", "deploy", "stop", "start"), answers
        after(world, turn, None, None, None)

    words = "+".join("-".join(word.lstrip("-") for word in command[:2]) for command in (first, second))
    return Case(f"pair/{number}/{template}/{words}/{wait}", template, check)


def pair_cases(seed, count=100):
    for number in range(count):
        yield pair(seed, number)
