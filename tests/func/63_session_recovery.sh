#!/bin/bash
# Session recovery under real traffic: session managers that die by every kind of signal, and aaamgrs,
# one after the other, at once, and one while it is needed: no session, call-id, flow, transfer or byte of
# volume is lost. On the pair, and on a chassis without a peer; and what a death means without session
# recovery. The numbers are those of the statements of the manual.
# A task that dies more than five times in a minute is given up: the deaths are spread over three.
export BED_SESSMGRS=3 BED_SUBSCRIBERS=1000 BED_WALKINS=10 BED_SR=yes BED_LONG_SECONDS=${BED_LONG_SECONDS:-75}
export BED_LONG_RATE=50 BED_HELLO_MS=500 BED_DEAD_MS=3000
. "${0%/*}/lib/traffic.sh"
t_begin curl dig ping iperf3 nginx dnsmasq
for p in outside probe; do
	[ -x "$BUILD/examples/$p" ] || t_skip "$BUILD/examples/$p is not built"
done

# A chassis of its own: session recovery or not, no peer.
alone_config() { # yes|no
	BED_SR=$1 bed_config a && sed -i -e '/^    service-redundancy-protocol/,/^    #exit/d' \
		-e 's/ srp-activate//' "$BED/a.cfg"
}

bed_subscribers
t_pair
bed_servers_up || t_fail "the servers did not start"
mkdir "$BED/alone" && cp "$BED/a.cfg" "$BED/alone/pair.cfg"
for sr in yes no; do
	alone_config $sr && cp "$BED/a.cfg" "$BED/alone/$sr.cfg"
done
cp "$BED/alone/pair.cfg" "$BED/a.cfg"
PYTHONPATH=$T_LIB:$T_LIB/../../../examples PYTHONDONTWRITEBYTECODE=1 python3 - "$BED" "$BUILD" <<'END'
import argparse
import os
import random
import re
import shutil
import signal
import threading
import time

from bed import elapse
from mainjob import Run
from recovery import Tasks
from traffic import t, sub4, sub6, wait_for, BedError

SIGNALS = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGSTOP)
SUBSCRIBERS = 1000
TALKERS = 20
LIVE = ("probe", "web")  # what goes on when the long transfers have ended

tasks = Tasks(t.bed)
run = Run(t.bed, argparse.Namespace(subscribers=TALKERS, walkins=10))
seed = int.from_bytes(os.urandom(3), "big")
rnd = random.Random(seed)
t.say(f"seed {seed}")


def sessions(chassis):
    return {(s["callid"], s["imsi"], s["username"], s["v4"], s["v6"], s["instance"])
            for s in t.sessions(chassis)}


def of_instance(chassis, i):
    return {s for s in sessions(chassis) if s[5] == i}


def running():
    """Long transfers under way; None where one has broken."""
    left = run.traffic.check_long()
    return None if run.traffic.broken else left


def flowing():
    run.go_on()
    run.traffic.resume()
    run.flowing(60, LIVE)


def measured(chassis):
    return {**run.measure(chassis), "running": run.traffic.check_long()}


def judge(text, before, chassis, lost=0):
    """Everything that was promised of the time since a measurement; the new one."""
    run.flowing(60, LIVE)
    after = measured(chassis)
    row = run.judge(text, before, after)
    t.check(before["sessions"] <= after["sessions"] if not lost else True,
            f"{text}: SR-02, SR-04: all {len(before['sessions'])} sessions with their call-ids",
            len(before["sessions"] - after["sessions"]))
    ended = before["running"] != run.traffic.check_long()
    t.equal([f for f in row["flows_not_kept"] if not (ended and f.endswith("gone"))], [],
            f"{text}: all {row['flows_before']} flows, on their rules")
    t.check((row["mischarged_bytes"], row["uncharged_bytes"]) == (0, 0),
            f"{text}: SR-12: volumes by rule equal the count outside", row["mischarged_bytes"], row["uncharged_bytes"],
            {n: r for n, r in row["rules"].items() if any(r[f"charged_{d}"] != r[f"offered_{d}"] for d in ("up", "down"))})
    volumes = {of: t.volumes(chassis, of) for of in ("rule", "content-id", "session")}
    t.equal(*(tuple(map(sum, zip(*volumes[of].values()))) for of in ("content-id", "rule")),
            f"{text}: SR-12: by content-id as by rule")
    t.equal(tuple(map(sum, zip(*volumes["rule"].values()))), volumes["session"][""],
            f"{text}: SR-12: of the sessions as well")
    t.check(not run.traffic.broken, f"{text}: SR-02: every transfer goes on", run.traffic.broken[:3])
    t.say(f"   {text}: lost {row['lost_up']} up of {row['probe_sent_up']}, {row['lost_down']} down of "
          f"{row['probe_sent_down']}; longest gap {row['gap_ms']} ms")
    return after


def recovers(chassis, i, sig=signal.SIGKILL):
    """A session manager dies; its standby takes its place, and nothing is missing."""
    tasks.wait_ready(chassis)
    name = f"{signal.Signals(sig).name} of sessmgr:{i}"
    held, standby = of_instance(chassis, i), tasks.pid(chassis, "sessmgr")
    number, starts = len(tasks.events(chassis)), tasks.row(chassis, "sessmgr", i)["starts"]
    tasks.kill(chassis, ("sessmgr", i), sig=sig)
    e = tasks.wait_event(chassis, number)
    row = tasks.row(chassis, "sessmgr", i)
    t.equal((row["pid"], tasks.title(standby)), (standby, f"sessmgr:{i}"),
            f"{name}: SR-06, SR-09: the standby's pid is sessmgr:{i}")
    t.equal(row["starts"], starts + 1, f"{name}: counted")
    t.check(held <= of_instance(chassis, i), f"{name}: its {len(held)} sessions are there",
            len(held - of_instance(chassis, i)))
    t.equal((e.instance, e.pid, e.fetched, e.recovered, e.passed, e.prior),
            (i, standby) + (e.recovered,) * 4, f"{name}: the event's figures agree")
    t.check(len(held) <= e.recovered <= e.lines, f"{name}: and are those of the sessions", e)
    tasks.wait_ready(chassis)
    t.check(tasks.pid(chassis, "sessmgr") != standby, f"{name}: there is a new standby")
    t.say(f"   {name}: {e.ms} ms for {e.recovered} sessions")


def becomes(chassis, i, standby):
    """aaamgr:i is the process that was the standby."""
    t.becomes(lambda: (tasks.pid(chassis, "aaamgr", i), tasks.title(standby)),
              (standby, f"aaamgr:{i}"), f"SR-07: the standby's pid is aaamgr:{i}")


def same(chassis, held, text):
    """All sessions are there again, wherever they came from."""
    t.becomes(lambda: len(held - sessions(chassis)), 0, f"{text}: no session is lost", 20)


# --- the pair -----------------------------------------------------------------------------------

def start():
    out = t.ctl("a", f"session load {t.bed.path('subscribers.csv')}")
    t.check(f"Sessions added: {SUBSCRIBERS}" in " ".join(out.split()), "1000 sessions", out)
    run.traffic.start_long(int(os.environ["BED_LONG_SECONDS"]))
    run.traffic.start()
    run.probes.go()
    run.wait_synchronised("a", "b", 20)
    run.flowing(60, LIVE)
    tasks.wait_ready("a")


def signals():
    t.say("every kind of death")
    before = measured("a")
    flowing()
    under_way = running()
    idle = {name: tasks.pid("a", name) for name in ("sessmgr", "aaamgr")}
    ran, began = {n: tasks.ran(p) for n, p in idle.items()}, time.monotonic()
    elapse(1.5)
    for name, pid in idle.items():
        share = (tasks.ran(pid) - ran[name]) / (time.monotonic() - began)
        t.check(share < 0.01, f"SR-08: the standby {name} idles", f"{share * 100:.2f} % of a processor")
    for n, sig in enumerate(SIGNALS):
        recovers("a", n % 3 + 1, sig)
    t.equal(running(), under_way, "SR-02: every long transfer runs on")
    judge("deaths by signal", before, "a")
    t.equal(t.state("a"), "active", "the role stayed where it was")


def aaamgrs():
    t.say("deaths of aaamgrs")
    before = measured("a")
    flowing()
    held, standby = sessions("a"), tasks.pid("a", "aaamgr")
    tasks.kill("a", ("aaamgr", 2))
    becomes("a", 2, standby)
    recovers("a", 2)
    tasks.wait_ready("a")
    tasks.kill("a", ("sessmgr", 3), ("aaamgr", 3))
    same("a", held, "sessmgr:3 and aaamgr:3 at once")
    tasks.wait_ready("a")
    number = len(tasks.events("a"))
    tasks.kill("a", ("sessmgr", 1))
    elapse(rnd.choice((0, 0.001, 0.003, 0.01)))
    for pid, title in tasks.pids("a").items():
        if title == "aaamgr:1":
            os.kill(pid, signal.SIGKILL)
    same("a", held, "SR-10: aaamgr:1 dies while it is needed")
    tasks.wait_event("a", number)
    tasks.wait_ready("a")
    hangs("a", 2, held)
    judge("deaths with aaamgrs", before, "a")


def hangs(chassis, i, held):
    """aaamgr:i stands still when its session manager dies: it is not waited for as long as others are."""
    mirror, number = tasks.pid(chassis, "aaamgr", i), len(tasks.events(chassis))
    victim = tasks.pid(chassis, "sessmgr", i)
    os.kill(mirror, signal.SIGSTOP)
    os.kill(victim, signal.SIGKILL)
    e = tasks.wait_event(chassis, number)
    said = [m for m in (re.search(rf"aaamgr:{i} \(pid {mirror}\) gave no beat for (\d+) ms: it is killed", x)
                        for x in tasks.log(chassis)) if m]
    t.check(len(said) == 1 and 200 <= int(said[0][1]) < 2000,
            f"SR-10: aaamgr:{i} hangs while it is needed: it is killed before others would be",
            [m[0] for m in said])
    same(chassis, held, f"SR-10: aaamgr:{i} hangs while it is needed")
    t.equal((e.instance, e.recovered), (i, e.fetched), "SR-10: its store was read as it stood")
    tasks.wait_ready(chassis)
    t.say(f"   {e.ms} ms for {e.recovered} sessions")


def half_loaded():
    """SR-05: a bulk load in which session managers die; each call is whole, or is not there."""
    t.say("a bulk load is interrupted")
    flowing()
    path = t.bed.path("bulk.csv")
    with open(path, "w", encoding="ascii") as f:
        for i in range(5001, 8001):
            f.write(f"00101{i:010d},user{i},internet,{sub4(i)},{sub6(i)},\n")
    before = sessions("a")
    loader = threading.Thread(target=lambda: t.refused("a", f"session load {path}"), daemon=True)
    loader.start()
    wait_for("the load to begin", 10, lambda: len(sessions("a")) > len(before) + 50, 0.001)
    tasks.kill("a", ("sessmgr", 3))
    loader.join(30)
    t.check(not loader.is_alive(), "SR-05: the load ends")
    tasks.wait_ready("a")
    run.wait_synchronised("a", "b", 20)
    t.check(before <= sessions("a"), "SR-05, FR-075: those of before are all there")
    bulk = {sub4(i) for i in range(5001, 8001)}

    def loaded():
        """What came but walk-ins, which are of another pool."""
        return {s for s in sessions("a") - before if s[3] in bulk or s[1]}

    got = loaded()
    for s in got:
        i = int(s[1] or 0) - 1010000000000
        if s[1:5] != (f"00101{i:010d}", f"user{i}", sub4(i), sub6(i)[:-1]):
            t.check(False, "SR-05: each call is whole", s)
    t.equal(len({s[0] for s in got}), len({s[3] for s in got}), "SR-05: and there once")
    t.say(f"   {len(got)} of 3000 were there")
    out = t.refused("a", f"session load {path}") or ""
    t.check(f"Sessions added: {3000 - len(got)}" in " ".join(out.split()) or len(got) == 3000,
            "SR-05: the others can be loaded: nothing holds their addresses", out[-200:])
    t.equal(len(loaded()), 3000, "then all are there")


def switched():
    t.say("a switchover, a death there, and back by the death of the chassis")
    run.wait_synchronised("a", "b", 20)
    held = sessions("a")
    t.switch("a", "b")
    run.wait_synchronised("b", "a", 20)
    tasks.wait_ready("b")
    recovers("b", 2)
    same("b", held, "after the switchover")
    run.wait_synchronised("b", "a", 20)
    t.takeover("b", "a")
    same("a", held, "SR-03: the chassis is gone")
    run.flowing(60, LIVE)
    t.check(not run.traffic.broken, "SR-03: every transfer goes on", run.traffic.broken[:3])


# --- without a peer -----------------------------------------------------------------------------

def lost(chassis):
    """Sessions that the log of a chassis says are lost."""
    return sum(int(m[1]) for m in (re.search(r"recovery: (\d+) sessions? (?:is|are) lost", x)
                                   for x in tasks.log(chassis)) if m)


def alone():
    t.say("without a peer")
    tasks.wait_ready("a")
    before = measured("a")
    flowing()
    for i in (1, 2):
        recovers("a", i)
    tasks.kill("a", ("aaamgr", 3))
    recovers("a", 3)
    judge("without a peer", before, "a")
    t.say("without a peer, both at once: what cannot be read is counted")
    flowing()
    held, counted = sessions("a"), lost("a")
    tasks.kill("a", ("sessmgr", 3), ("aaamgr", 3))
    t.becomes(lambda: len(held - sessions("a")) - (lost("a") - counted), 0,
                "SR-10: there, or counted as lost", 20)
    t.say(f"   {len(held - sessions('a'))} of {len(held)} are lost")


def statistics():
    t.say("statistics of a manager, and accounting")
    before = {r["name"]: r["hits"] for r in t.bed.show(
        "a", "show active-charging ruledef statistics", "name", "hits")}
    volumes = t.volumes("a", "session")[""]
    tasks.wait_ready("a")
    wait_for("statistics of some age", 20,
             lambda: min(tasks.row("a", "sessmgr", i)["statistics_age_s"] for i in (1, 2)) >= 2)
    old = tasks.row("a", "sessmgr", 2)["statistics_age_s"]
    recovers("a", 2)
    row = tasks.row("a", "sessmgr", 2)
    t.check(row["statistics_age_s"] < old, "SR-11: statistics of the manager say since when they count",
            old, row["statistics_age_s"])
    t.check(tasks.row("a", "sessmgr", 1)["statistics_age_s"] >= 2, "SR-11: those of the others go on")
    t.check(all(x >= y for x, y in zip(t.volumes("a", "session")[""], volumes)),
            "SR-12: volumes go on")
    t.check(before, "SR-11: rules were counted")


def without():
    """SR-01, SR-14, SR-15: the key is there, the command is not."""
    t.say("without session recovery")
    run.traffic.hold()
    for c in "ab":
        t.kill(c)
    shutil.copy(t.bed.path("alone/no.cfg"), t.bed.path("a.cfg"))
    t.start("a")
    wait_for("chassis a", 20, lambda: any("role Active" in x for x in tasks.log("a")[-20:]))
    wait_for("its tasks", 20, lambda: len(answering()) >= 7)
    t.ctl("a", f"session load {t.bed.path('subscribers.csv')}")
    t.equal(tasks.status("a")[0], "Session Recovery Is Not Enabled", "SR-01: the status says so")
    t.equal([x for x in tasks.pids("a").values() if re.match(r"aaamgr|.*standby", x)], [],
            "SR-01: no aaamgr and no standby runs")
    one, two = of_instance("a", 1), of_instance("a", 2)
    t.check(len(one) > 100 and len(two) > 100, "both session managers have sessions")
    other = next(int(s[1][-10:]) for s in two if int(s[1][-10:]) <= SUBSCRIBERS)
    server, user = t.listen("srv", "198.51.100.70", 7101), None
    user, served = t.connect(server, "ue", sub4(other))
    number = len(tasks.log("a"))
    tasks.kill("a", ("sessmgr", 1))
    t.becomes(lambda: tasks.row("a", "sessmgr", 1)["starts"], 2, "SR-15: it is started again")
    wait_for("answers", 20, lambda: len(answering()) >= 7)
    t.becomes(lambda: len(of_instance("a", 1)), 0, "SR-15: empty")
    said = [x for x in tasks.log("a")[number:] if "sessmgr:1" in x]
    t.check(any(str(len(one)) in x for x in said), f"SR-15: {len(one)} sessions are said to be lost",
            *said)
    t.check(not any("recovery completed" in x for x in tasks.log("a")[number:]),
            "SR-14: nothing was recovered from a mirror")
    t.equal(of_instance("a", 2), two, "SR-15: sessmgr:2 has its sessions")
    user.sendall(b"still there")
    t.equal(served.recv(64), b"still there", "SR-15: and its connections")


def answering():
    try:
        return tasks.rows("a")
    except BedError:
        return []


def main():
    start()
    for step in (signals, aaamgrs, half_loaded, switched, alone, statistics):
        began = time.monotonic()
        step()
        t.say(f"   ({time.monotonic() - began:.1f} s)")
    run.go_on()
    wait_for("transfers to end", 60, lambda: run.traffic.check_long() == 0, 0.2)
    t.check(not run.traffic.broken, "SR-02: every transfer came to its end, unchanged",
            run.traffic.broken[:3])
    without()
    t.end()


main()
END
