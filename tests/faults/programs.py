"""Programs that fail, or print what nobody expects."""

from case import OPERATIONS, STEPS, Case, after, settle


def said(operation, step, what):
    template, words = OPERATIONS[operation]

    def check(world, turn):
        before = world.state()["phase"]
        world.fault(step, what)
        answer = world.exasol(*words)
        assert answer.code in (0, 1, 4), answer.text
        if (what == "fail" and step in MUST_FAIL) or what == "idle":
            assert answer.code != 0, answer.text
        settle(world)
        after(world, turn, operation, before, answer.code)

    return Case(f"output/{operation}/{step}/{what}", template, check)


MUST_FAIL = ("terraform.plan", "terraform.plan-destroy", "terraform.show", "terraform.apply", "ansible-playbook.setup", "ssh.certificate",
             "ssh.services")  # fmt: skip


def output_cases():
    for operation, steps in STEPS.items():
        for step in steps:
            for what in ("fail", "garbage", "utf-8", "huge", "endless-line"):
                yield said(operation, step, what)
    # It says that all is done, and has done half.
    yield said("destroy", "terraform.apply", "idle")
