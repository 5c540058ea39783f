#!/bin/bash
# Whether a chassis is ready for recovery, and what it says of that: the standby-mode tasks and what they
# reserve, the status and its table with seven session managers, in the layout of the manual; and that
# `Ready For Recovery` is true whenever it is said.
export BED_SESSMGRS=7 BED_SUBSCRIBERS=700 BED_WALKINS=0 BED_SR=yes BED_HELLO_MS=500 BED_DEAD_MS=3000
# Large enough that a standby is not warm at once.
export BED_SR_SESSIONS=${BED_SR_SESSIONS:-30000} BED_SR_FLOWS=${BED_SR_FLOWS:-90000}
. "${0%/*}/lib/traffic.sh"
t_begin prlimit
bed_network_up && bed_certs && t_config a && t_config b && bed_subscribers ||
	t_fail "the bed could not be made"
t_python <<'END'
import re
import signal
from recovery import Tasks
from traffic import *

tasks = Tasks(t.bed)
READY, NOT_READY = "Ready For Recovery", "SESSMGR Not Ready For Recovery"
STATUS = re.compile(r"Session Recovery Status:\n"
                    r"  Overall Status           : (?P<status>.*)\n"
                    r"  Last Status Update      : (?P<age>\d+) (?P<unit>seconds?) ago\n")
HEAD = """
              ----sessmgr---  ----aaamgr----  demux
cpu state     active standby  active standby  active  status
---- -------  ------ -------  ------ -------  ------  -------------------------
"""


def status(chassis):
    out = t.ctl(chassis, "show session recovery status")
    m = STATUS.fullmatch(out)
    if not m:
        raise BedError(f"not the layout of the manual: {out!r}")
    return m


def verbose(chassis):
    """The eight fields of the table's row, and the reasons below it."""
    out = t.ctl(chassis, "show session recovery status verbose")
    m = STATUS.match(out)
    if not m or not out[m.end():].startswith(HEAD):
        raise BedError(f"not the layout of the manual: {out!r}")
    row, *rest = out[m.end() + len(HEAD):].splitlines()
    f = row.split(None, 7)
    return m["status"], f, rest


def until(chassis, *wanted, seconds=20):
    """Every status seen until it is one of those."""
    seen, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            got = status(chassis)["status"]
        except BedError as e:
            if "not the layout" in str(e):
                raise
            continue  # sct does not answer yet
        if got not in seen[-1:]:
            seen.append(got)
        if got in wanted:
            return seen
    raise BedError(f"{wanted}: not within {seconds} s: {seen}: "
                   f"{t.ctl(chassis, 'show session recovery status verbose')}")


t.say("SR-22, SR-24: from the start to ready, with no command between")
for c in "ab":
    t.start(c)
seen = until("a", READY)
t.equal((len(seen) > 1, seen[-1], set(seen[:-1]) <= {NOT_READY, "AAAMGR Not Ready For Recovery",
         "DEMUX Not Ready For Recovery", "VPNMGR Not Ready For Recovery"}), (True, READY, True),
        "SR-24, SR-34: not ready at first, then ready")
until("b", READY)
names = sorted(tasks.pids("a").values())
t.equal(names, sorted(["supervisor", "sct", "vpnmgr", "demuxmgr", "sessmgr:standby", "aaamgr:standby"] +
                      [f"{x}:{i}" for x in ("sessmgr", "aaamgr") for i in range(1, 8)]),
        "SR-22: ps shows an aaamgr for each sessmgr, and a standby of each kind")
shown = {(r["task"], r["instance"]): r for r in tasks.rows("a")}
t.equal([i for (x, i) in shown if x == "aaamgr"], list(range(8)), "show task resources as well")
t.check(all(shown[x, 0]["standby"] and not shown[x, 1]["standby"] for x in ("sessmgr", "aaamgr")),
        "and says which are standbys")

t.synchronised("a", "b")
t.ctl("a", f"session load {t.bed.path('subscribers.csv')}")
t.synchronised("a", "b")
tasks.wait_ready("a")
tasks.wait_ready("b")

t.say("SR-32, SR-33, SR-37, SR-38: the texts, on both chassis")
for c in "ab":
    got, f, rest = verbose(c)
    t.equal((got, f, rest), (READY, ["1/0", "Active", "7", "1", "7", "1", "1", "Good"], []),
            f"chassis {c}: SR-37, SR-38: the row of the table")
    j = t.json(c, "show session recovery status verbose")["session_recovery"]
    t.equal((j["overall_status"], j["ready"], j["enabled"], j["cpus"][0]["sessmgr_active"]),
            (READY, True, True, 7), f"chassis {c}: SR-32: as JSON too")
    text = t.ctl(c, "show session recovery status")
    t.equal([line.rsplit(":", 1)[1].strip() for line in text.splitlines() if "Overall Status" in line],
            [READY], f"chassis {c}: SR-33: behind the last colon")

t.say("SR-23: what is reserved")
for name in ("sessmgr", "aaamgr"):
    r = tasks.row("a", name)
    t.check(r["reserved_bytes"] > 0 and r["reserved_files"] > 0,
            f"SR-23: the standby {name} says what it holds", r)
    t.check(r["memory_bytes"] >= r["reserved_bytes"],
            f"SR-23: the memory is there", r["memory_bytes"], r["reserved_bytes"])
t.check(tasks.row("a", "sessmgr")["reserved_bytes"] >= 200 * int(os.environ["BED_SR_FLOWS"]),
        "SR-23: it is enough for so many flows")

t.say("the checkpoints to the mirror are reported apart from those to the peer chassis")
shows = {w: lambda w=w: t.json("a", f"show session recovery checkpoint statistics{w}")
         for w in ("", " sessmgr all", " sessmgr instance 1")}
full = {w: {side: sum(r[side] for r in show()[side] if r["checkpoint_type"] == "Full Checkpoint")
            for side in ("sent", "received")} for w, show in shows.items()}
t.check(full[""]["sent"] >= 700 and full[""]["sent"] == full[""]["received"],
        "every session went, and arrived", full)
t.equal(full[" sessmgr all"], full[""], "all instances are those that are meant where none is named")
t.check(0 < full[" sessmgr instance 1"]["sent"] < full[""]["sent"], "one instance has its own", full)
text = t.ctl("a", "show session recovery checkpoint statistics")
t.check("Session Recovery Checkpoint Sent Statistics" in text and
        "Session Recovery Checkpoint Received Statistics" in text, "in tables of their own")

t.say("SR-34, SR-38: deaths, as the status tells them")
for victim, instance in (("sessmgr", 3), ("sessmgr", 0), ("aaamgr", 5), ("aaamgr", 0)):
    tasks.wait_ready("a")
    name = f"{victim}:{instance or 'standby'}"
    tasks.kill("a", (victim, instance))
    seen, rows = [], []
    end = time.monotonic() + 20
    while time.monotonic() < end:
        got, f, rest = verbose("a")
        seen.append(got)
        rows.append((tuple(f), tuple(rest)))
        if got == READY and len(set(seen)) > 1:
            break
    t.check(seen[-1] == READY and NOT_READY in seen or victim == "aaamgr" and len(set(seen)) > 1,
            f"SR-34: {name} dies: not ready, then ready again", sorted(set(seen)))
    t.check(any(f[3 if victim == "sessmgr" else 5] == "0" for f, _ in rows) and
            rows[-1][0] == ("1/0", "Active", "7", "1", "7", "1", "1", "Good"),
            f"SR-38: {name} dies: the numbers follow", sorted({f for f, _ in rows}))
    t.check(all((f[7] == "Good") == (s == READY) and (bool(r) == (s != READY))
                for (f, r), s in zip(rows, seen)),
            f"SR-38: {name} dies: the row's status is that above, and there is a reason",
            sorted(set(zip(rows, seen))))

t.say("SR-36: the age of the status")
ages = []
for _ in turns(3.4):
    m = status("a")
    ages.append((time.monotonic(), int(m["age"]), m["unit"]))
t.check(all(u == ("second" if n == 1 else "seconds") for _, n, u in ages), "SR-36: 1 second, 2 seconds",
        {(n, u) for _, n, u in ages})
t.check({1, 2} <= {n for _, n, _ in ages}, "SR-36: both were seen", {n for _, n, _ in ages})
wrong = [(x, y) for x, y in zip(ages, ages[1:]) if y[1] and not 0 <= y[1] - x[1] <= y[0] - x[0] + 1]
t.equal(wrong, [], "SR-36: it grows with the clock")
t.check(max(n for _, n, _ in ages) <= 11, "SR-36: and the status is judged again")

t.say("SR-35: ready is said only where a death is survived in full")
held = {(s["callid"], s["v4"]) for s in t.sessions("a")}
t.equal(len(held), 700, "700 sessions")
for turn, (first, second) in enumerate(((1, 2), (4, 5), (6, 6), (7, 1))):
    tasks.wait_ready("a")
    pids = {i: tasks.pid("a", "sessmgr", i) for i in (first, second)}
    number = len(tasks.events("a"))
    os.kill(pids[first], signal.SIGKILL)
    until("a", READY)
    pid = pids[second]
    if not os.path.exists(f"/proc/{pid}") or tasks.title(pid) is None:
        pid = tasks.pid("a", "sessmgr", second)
    os.kill(pid, signal.SIGKILL)  # the moment that it says so
    tasks.wait_event("a", number + 1)
    t.becomes(lambda: len(held - {(s["callid"], s["v4"]) for s in t.sessions("a")}), 0,
              f"SR-35: turn {turn + 1}: every session is there")
t.equal([x for x in tasks.log("a") if re.search("(is|are) lost", x)], [], "SR-35: none was lost")

t.say("SR-23: what cannot be reserved")
tasks.wait_ready("a")
supervisor = t.bed.chassis_pids("a")[0]
used = len(os.listdir(f"/proc/{supervisor}/fd"))
t.say(f"   descriptors: {used} of the supervisor, {tasks.row('a', 'sessmgr')['files']} of the standby")
t.sh("a", "prlimit", f"--pid={supervisor}", f"--nofile={used + 10}:")  # it can fork, its child is short
tasks.kill("a", ("sessmgr", 0))
until("a", NOT_READY)
t.becomes(lambda: tasks.row("a", "sessmgr")["not_ready"], lambda s: "descriptors" in s,
          "SR-23: the standby says what it could not have", 20)
got, f, rest = verbose("a")
t.check(got == NOT_READY and f[7] == "SESSMGR Not Ready" and any("standby sessmgr" in x for x in rest),
        "SR-23: not ready, and the reason", got, f, rest)
t.say("   " + "; ".join(x.strip() for x in rest if x.strip()))
t.sh("a", "prlimit", f"--pid={supervisor}", "--nofile=1024:")
tasks.kill("a", ("sessmgr", 0))  # else it is made anew half a minute later
until("a", READY)
t.check(True, "SR-23: ready again when it can be had")
t.end()
END
