"""SIGKILL at a moment of a deploy that makes a real guest, and what must hold afterwards."""

import dataclasses
import json
import random
import signal
import time

import hypervisor
import steps
import traces
from program import wait_until

# Of a deploy, from its begin on, with the seconds that each takes with an emulated guest. What the deploys of a run take is taken instead.
STEPS = {"begin": 3.0, "apply": 4.0, "boot": 60.0, "install": 60.0, "login": 6.0}
# Terraform and Ansible end in order when exasol is killed.
IN_ORDER = 240
# What virsh calls it, and what status may.
POWER = {"running": {"running"}, "shut off": {"off"}, "paused": {"paused"}, "": {"absent", "missing"}}


@dataclasses.dataclass
class Kill:
    number: int
    step: str
    part: float
    group: bool
    resume: bool

    @property
    def name(self):
        target, end = "all" if self.group else "exasol", "deploy" if self.resume else "destroy"
        return f"kill/{self.number:02}/{self.step}+{self.part:.0%}/{target}/{end}"

    def run(self, system, usual):
        steps.init(system)
        process = self.strike(system, usual)
        at = traces.step(system)
        usual.update(traces.lengths(system, list(STEPS)))
        self.truthful(system, process)
        waited = traces.nothing_runs(system, IN_ORDER)
        self.truthful(system, process)
        machines_as_told(system)
        readable(system)
        phase = json.loads((system.dir / "deployment.json").read_text())["phase"]
        if self.resume:
            system.exasol("deploy", "--json").expect(0)
            system.exasol("sql", "-c", "SELECT 1").expect(0)
        system.exasol("destroy", "--yes", "--json").expect(0)
        gone(system)
        outlived = f", the rest ended {waited:.0f} s later" if waited > 1 else ""
        return f"in {at} after {process.seconds:.1f} s{outlived}; {phase}, then {'deploy and ' if self.resume else ''}destroy"

    def strike(self, system, usual):
        """Starts a deploy in a session of its own, and kills it at the moment."""
        earlier, begin = steps.logs_of(system), time.monotonic()
        process = system.program.start("deploy", "-d", system.dir, start_new_session=True)
        ended = lambda: process.poll() is not None  # noqa: E731
        if self.step != "begin":
            wait_until(lambda: steps.in_step(system, self.step, earlier) or ended(), f"deploy in step {self.step}", limit=1800, every=0.1)
            assert not ended(), f"deploy ended with {process.returncode} before {self.step}"
        moment = time.monotonic() + self.part * usual[self.step]
        wait_until(lambda: time.monotonic() >= moment or ended(), "the moment", every=0.01)
        if self.group:
            traces.kill_all(system.mark)
        else:
            traces.send(process.pid, signal.SIGKILL)
        process.wait()
        process.seconds = time.monotonic() - begin
        return process

    def truthful(self, system, process):
        """Whoever looks now sees what is so; also while Terraform or Ansible still work."""
        before = traces.holders(system)
        answer = system.exasol("status", "--json").expect(0)
        report, after = answer.json(), traces.holders(system)
        if before and after:
            assert report.get("operation") and report["status"] != "interrupted", f"{after} work\n{answer.text}"
        if not before:
            assert not report.get("operation"), f"nobody works ({after})\n{answer.text}"
        if report["phase"] == "database_ready":
            # It was killed after its last step, or had ended.
            assert report["status"] == "database_ready", answer.text
            system.exasol("sql", "-c", "SELECT 1").expect(0)
            return
        assert process.returncode != 0, answer.text
        # Killed before it had recorded that it had begun.
        expected = {"deploy_in_progress": "interrupted", "initialized": "initialized"}[report["phase"]]
        assert report["status"] == expected or (before and report["status"] == report["phase"]), answer.text


def machines_as_told(system):
    """What status says of the machines is what libvirt says."""
    report = system.exasol("status", "--json").expect(0).json()
    there = {name: hypervisor.virsh("domstate", f"{system.id}-{name}", check=False).strip() for name in system.names}
    told = {node["name"]: node["vm"] for node in report["nodes"]}
    assert list(told) == system.names and all(told[name] in POWER[there[name]] for name in told), (told, there)


def readable(system):
    for words in (["logs", "--list", "--json"], ["state", "verify", "--json"]):
        system.exasol(*words).expect(0)
    listed = system.program.run("list", "--json").expect(0)
    assert str(system.dir) in listed.stdout, listed.text
    info = system.exasol("info", "--json")
    assert info.code in (0, 3), info.text


def gone(system):
    """Nothing of it in libvirt, no process, no temporary file, no secret."""
    steps.nothing_left(system)
    traces.nothing_runs(system, 10)
    traces.no_temporary_files(system)
    left = sorted(path.name for path in system.dir.iterdir() if not path.name.startswith("."))
    assert left == ["README.md", "deployment.json", "logs"], left


def planned(count, seed):
    """Every step of a deploy in turn, each time at another part of it; all four pairs of target and end with every step."""
    chance, names = random.Random(seed), list(STEPS)
    rounds = -(-count // len(names)) or 1
    parts = {name: chance.sample(range(rounds), rounds) for name in names}
    kills = []
    for number in range(count):
        name, turn = names[number % len(names)], number // len(names)
        part = (parts[name][turn] + chance.random()) / rounds
        kills.append(Kill(number + 1, name, part, group=number % 2 == 0, resume=number // 2 % 2 == 0))
    return kills
