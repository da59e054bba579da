"""What has to be true after every fault, whatever the case is about."""

import json

SUCCESS = {"deploy": "database_ready", "start": "database_ready", "stop": "stopped", "destroy": "destroyed"}
BEGUN = {"deploy": "deploy_in_progress", "start": "start_in_progress", "stop": "stop_in_progress", "destroy": "destroy_in_progress"}
OF_DESTROY = ("destroy_in_progress", "destroy_failed", "destroyed")
KILLED = 137
TO_START = ("stopped", "stop_in_progress", "stop_failed", "start_in_progress", "start_failed")


def truthful(world, operation, before, code):
    """Nobody works on the deployment: what its state and `status` say must be so."""
    state = world.state()
    answer = world.exasol("status", "--json", "--probe-timeout", "2").expect(0)
    status = answer.json()
    assert status["phase"] == state["phase"], answer.text
    assert not status.get("operation"), f"nobody runs\n{answer.text}"
    assert status["next"], answer.text
    phase = state["phase"]
    if phase.endswith("_in_progress"):
        assert status["status"] == "interrupted", answer.text
    if status["status"] == "database_ready":
        assert world.power() == "running" and world.ours() == {"ours-node", "ours-disk"}, answer.text
    if status["status"] == "stopped":
        assert world.power() != "running", answer.text
    if phase == "destroyed":
        assert not world.ours(), f"it says destroyed, but there is {world.ours()}"
    if operation in SUCCESS:
        if code == 0:
            assert phase == SUCCESS[operation], f"exit 0, phase {phase}"
        else:
            # Killed after its last step: what it had recorded is true, as `status` has just seen.
            killed = code == KILLED
            assert killed or phase != SUCCESS[operation] or phase == before, f"exit {code}, phase {phase}"
            if phase not in (before, SUCCESS[operation]):
                assert phase.startswith(operation) or phase in ("deployment_failed", "database_connection_failed"), phase
    return status


def readable(world):
    """What only looks works in every state."""
    for words in (["logs", "--list", "--json"], ["info", "--json"], ["list", "--json"]):
        world.exasol(*words).expect(0, 3)


def untouched(world, before):
    now = world.foreign()
    changed = [name for name in before if before[name] != now[name]]
    assert not changed, f"touched what is not ours: {changed}"


def no_leaks(world, secrets):
    found = world.leaks({**secrets, **world.secrets()})
    assert not found, "secrets:\n" + "\n".join(sorted(set(found))[:20])


def nothing_runs(world):
    left = [words for words in map(world.command_line, world.survivors()) if words]
    assert not left, f"processes are left: {left}"


def recovered(world, to_ready):
    """The deployment reaches ready, or nothing is left of it, by the commands that it is for."""
    phase = world.state()["phase"]
    if to_ready and phase not in OF_DESTROY:
        for _ in range(2):
            phase = world.state()["phase"]
            if phase == "database_ready" and world.power() == "running":
                break
            world.exasol("start" if phase in TO_START else "deploy").expect(0)
        ready(world)
    else:
        world.exasol("destroy", "--yes").expect(0)
        gone(world)
    nothing_runs(world)
    left = [path.name for path in (world.folder / "r").iterdir()]
    assert not left, f"temporary files are left: {left}"


def ready(world):
    state = world.state()
    assert state["phase"] == "database_ready", state
    answer = world.exasol("status", "--json").expect(0)
    assert answer.json()["status"] == "database_ready", answer.text
    assert world.ours() == {"ours-node", "ours-disk"} and world.power() == "running", world.ours()
    # On a busy machine the stand-in for the database may take longer than a session waits.
    answers = (world.exasol("sql", "-c", "SELECT 1") for _ in range(3))
    assert any(answer.code == 0 for answer in answers)


def gone(world):
    state = world.state()
    assert state["phase"] == "destroyed", state
    assert not world.ours(), world.ours()
    names = {path.name for path in world.dir.iterdir()}
    left = names & {"secrets.json", "ssh", "terraform", "ansible", "previous", ".secrets.json.new"}
    assert not left, f"destroyed, but there is {left}"
    text = json.dumps(state)
    assert "PRIVATE KEY" not in text
