#!/usr/bin/env python3
"""mainjob: real traffic through a pair of chassis, the death of its session managers, both switchovers,
and what they cost.

Called by quickstart.sh on a bed whose network, servers and certificates are there. Every figure of
the chassis is compared with counts taken outside, at the subscribers' interface and the servers':

  offered    IP bytes that the sender of a direction put on the wire, by server
  forwarded  IP bytes that came out on the other side
  charged    bytes in the volumes of the sessions on the active chassis, by rule; these are what is
             replicated and billed. Counters of rules belong to one chassis and die with it.

  mischarged bytes that a rule was charged beyond what its server was offered, and bytes on flows
             that stand on another rule than their server's
  uncharged  bytes forwarded and in no rule

Counts are read while the senders stand still and everything sent has been acknowledged, so that
they are equal to the byte or something is wrong.

New connections are opened all the time, in the moment of a switchover as well. One that has not sent
anything yet has only its L3/L4 rule; its record says so, and the chassis that takes over matches it by
its request. What is left is the request that went through so shortly before an unplanned switchover
that no record of it had been sent: that connection stays on its L3/L4 rule, and its bytes are counted
as mischarged here."""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/func/lib"))
from bed import Bed, BedError, CONT, STOP, send_queues, signal_all, wait_for  # noqa: E402
from clients import SERVER, Probes, Traffic, v4, v6  # noqa: E402
from recovery import Tasks  # noqa: E402

L7 = ("web", "files", "secure", "streams")
DEFAULT = "any"          # the rule of everything else, and of handshakes before the first payload
LINGER_S = 2.3           # a closed TCP flow is remembered for two seconds
LIMIT_S = 300            # of the whole run

began = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - began:6.1f}] {text}", flush=True)


class Run:
    def __init__(self, bed, args):
        self.bed = bed
        self.args = args
        self.traffic = Traffic(bed, args.subscribers, args.walkins)
        specs = []
        for name in SERVER:
            specs.append(f"{name}{'/l7' if name in L7 else ''}={v4(name)},{v6(name)}")
        self.outside = {"ue": bed.tool("ue", "outside", "ue0", *specs),
                        "srv": bed.tool("srv", "outside", "srv0", *specs)}
        self.probes = Probes(bed)
        self.paused = []
        self.report = []
        self.recovery = None
        self.tasks = Tasks(bed)
        self.long_from = self.phase_from = 0.0  # when the long transfers began, and the last phase

    # --- pausing and reading ---

    def counts(self):
        both = {}
        for side, tool in self.outside.items():
            got = tool.read()
            if got["lost"]:
                raise BedError(f"the outside count at {side} lost {got['lost']} packets")
            both[side] = got["count"]
        return both

    def drained(self):
        """The counts of both sides, when nothing is under way any more."""
        seen = {}

        def quiet():
            seen["unsent"] = [send_queues(self.bed, ns) for ns in ("ue", "srv")]
            if any(seen["unsent"]):
                return None
            first = self.counts()
            time.sleep(0.06)
            last = self.counts()
            seen["moving"] = [n for n in first["ue"]
                              if any(first[s][n] != last[s][n] for s in first)]
            return first if last == first else None
        return wait_for("traffic to stand still", 30, quiet, 0.01, lambda: str(seen))

    def pause(self):
        self.traffic.hold()
        time.sleep(LINGER_S)
        self.probes.stop()
        # The senders alone: a receiver that stands still would hold back what is under way.
        self.paused = self.bed.pids("srv", "nginx") + self.bed.pids("ue", "iperf3", "5201") + \
            self.bed.pids("srv", "iperf3", "5202")
        signal_all(self.paused, STOP)
        return self.drained()

    def go_on(self):
        signal_all(self.paused, CONT)
        self.paused = []
        self.probes.go()

    def measure(self, chassis):
        outside = self.pause()
        m = {"outside": outside, "charged": {}, "flows": {}, "sessions": set(), "probe": None}
        if chassis:
            m.update(self.inside(chassis))
            if self.counts() != outside:
                raise BedError("something was sent while the counts were read")
        m["probe"] = self.probes.read()
        return m

    def inside(self, chassis):
        charged, flows, sessions = {}, {}, set()
        for r in self.bed.show(chassis, "show active-charging sessions all", "of", "name",
                               "bytes_up"):
            if r["of"] == "rule":
                up, down = charged.get(r["name"], (0, 0))
                charged[r["name"]] = (up + r["bytes_up"], down + r["bytes_down"])
        for r in self.bed.show(chassis, "show active-charging flows all", "subscriber", "server",
                               "rule"):
            flows[(r["protocol"], r["subscriber"], r["subscriber_port"], r["server"],
                   r["server_port"])] = r["rule"]
        for r in self.bed.show(chassis, "show subscribers all", "callid", "imsi"):
            sessions.add((r["callid"], r["imsi"], r.get("v4"), r.get("v6")))
        return {"charged": charged, "flows": flows, "sessions": sessions}

    # --- chassis ---

    def info(self, chassis):
        try:
            return self.bed.show(chassis, "show srp info", "chassis_state")[0]
        except (BedError, IndexError):
            return {}

    def state(self, chassis):
        return str(self.info(chassis).get("chassis_state", "")).lower()

    def wait_state(self, chassis, state, seconds):
        wait_for(f"chassis {chassis} to be {state}", seconds,
                 lambda: self.state(chassis) == state, 0.02)

    def synchronised(self, active, standby):
        i = self.info(active)
        return i.get("chassis_state", "").lower() == "active" and \
            self.state(standby) == "standby" and \
            i.get("sessmgrs_connected") == i.get("sessmgrs") and \
            self.bed.ctl(active, "srp validate-switchover") is not None and self.settled(active)

    def settled(self, chassis):
        """Everything that changed has been acknowledged by the peer."""
        r = self.bed.show(chassis, "show srp replica", "dirty", "inflight")
        return r and all(x["dirty"] == 0 and x["inflight"] == 0 for x in r)

    def wait_synchronised(self, active, standby, seconds):
        def ready():
            try:
                return self.synchronised(active, standby)
            except BedError:
                return False
        wait_for(f"chassis {standby} to be synchronised", seconds, ready, 0.1)

    # --- a switchover ---

    def flowing(self, seconds, names=("probe", "files", "streams")):
        """Waits until traffic of these names arrives again, in both directions."""
        first, still = self.counts(), {}

        def moved():
            now = self.counts()
            still.clear()
            still.update({f"{n} {d}": more for s, d in (("srv", "up"), ("ue", "down")) for n in names
                          if (more := now[s][n][f"packets_{d}"] - first[s][n][f"packets_{d}"]) <= 20})
            return not still
        wait_for("traffic to flow", seconds, moved, 0.05,
                 lambda: f"packets since: {still}; under way: {self.traffic.under_way()}")

    def begin_long(self):
        self.traffic.start_long(self.args.long_seconds)
        self.long_from = self.phase_from = time.monotonic()

    def last_through(self):
        """Sees to long transfers that last through what comes, which takes about as long as what came before: on
        a slow machine those of the beginning do not."""
        now = time.monotonic()
        took, age, self.phase_from = now - self.phase_from, now - self.long_from, now
        if age + 1.2 * took < self.args.long_seconds and self.traffic.check_long():
            return
        say("  this machine is slow: the long transfers come to their end, others begin")
        wait_for("downloads", 2 * self.args.long_seconds, lambda: self.traffic.check_long() == 0, 0.2)
        self.begin_long()
        self.flowing(30)

    def switch(self, kind, old, new):
        say(f"{kind} switchover, chassis {old} to chassis {new}")
        self.last_through()
        before = self.measure(old)
        wait_for("acknowledgements", 10, lambda: self.settled(old), 0.05)
        self.go_on()
        self.traffic.resume()
        self.flowing(30)
        time.sleep(1.0)
        broken = len(self.traffic.broken)
        running = self.traffic.check_long()
        at = time.monotonic()
        if kind == "planned":
            self.bed.ctl(old, "srp initiate-switchover -noconfirm")
        else:
            pids = self.bed.chassis_pids(old)
            at = time.monotonic()
            signal_all(pids, signal.SIGKILL)
        self.wait_state(new, "active", 15)
        took = time.monotonic() - at
        self.flowing(30)
        time.sleep(1.0)
        self.traffic.check_long()
        after = self.measure(new)
        self.traffic.check_long()
        row = self.judge(kind, before, after)
        row.update({"from": old, "to": new, "command_to_active_ms": round(took * 1000, 1),
                    "transfers_broken": len(self.traffic.broken) - broken,
                    "long_transfers_through": running})
        self.report.append(row)
        if self.traffic.check_long() != running:
            say("  a long transfer ended between: it did not last through the switchover")
            row["long_transfers_through"] = self.traffic.check_long()
        self.go_on()
        self.traffic.resume()
        return row

    # --- session recovery ---

    def recover(self, chassis):
        """kill -9 of each session manager in turn, in the middle of everything."""
        say(f"session recovery on chassis {chassis}: kill -9 of each session manager")
        self.tasks.wait_ready(chassis)
        before = self.measure(chassis)
        self.go_on()
        self.traffic.resume()
        self.flowing(30)
        time.sleep(1.0)
        broken, running = len(self.traffic.broken), self.traffic.check_long()
        deaths = []
        for i in range(1, self.info(chassis)["sessmgrs"] + 1):
            self.tasks.wait_ready(chassis)
            deaths.append(self.death(chassis, i))
        self.flowing(30)
        self.tasks.wait_ready(chassis)
        time.sleep(1.0)
        self.traffic.check_long()
        after = self.measure(chassis)
        self.recovery = self.judge("session recovery", before, after)
        self.recovery.update({"chassis": chassis, "deaths": deaths,
                              "transfers_broken": len(self.traffic.broken) - broken,
                              "long_transfers_through": min(running, self.traffic.check_long()),
                              "still_active": self.state(chassis) == "active"})
        self.go_on()
        self.traffic.resume()

    def death(self, chassis, instance):
        number, standby = len(self.tasks.events(chassis)), self.tasks.pid(chassis, "sessmgr")
        pid = self.tasks.kill(chassis, ("sessmgr", instance))[0]
        e = self.tasks.wait_event(chassis, number)
        say(f"  sessmgr:{instance} (pid {pid}) is dead, {standby} took its place: "
            f"{e.recovered} sessions in {e.ms} ms")
        return {**e._asdict(), "instance": instance, "pid": pid, "standby_pid": standby,
                "new_pid": self.tasks.pid(chassis, "sessmgr", instance)}

    def judge(self, kind, before, after):
        rules, mis, short = {}, 0, 0
        names = {"start": DEFAULT, "other": DEFAULT}
        for d, (sender, receiver) in {"up": ("ue", "srv"), "down": ("srv", "ue")}.items():
            table = {}
            for counter in after["outside"]["ue"]:
                rule = names.get(counter, counter)
                t = table.setdefault(rule, [0, 0])
                for k, side in enumerate((sender, receiver)):
                    t[k] += after["outside"][side][counter]["bytes_" + d] - \
                        before["outside"][side][counter]["bytes_" + d]
            for rule in set(table) | set(after["charged"]) | set(before["charged"]):
                offered, forwarded = table.get(rule, [0, 0])
                i = 0 if d == "up" else 1
                charged = after["charged"].get(rule, (0, 0))[i] - \
                    before["charged"].get(rule, (0, 0))[i]
                rules.setdefault(rule, {}).update(
                    {f"offered_{d}": offered, f"forwarded_{d}": forwarded, f"charged_{d}": charged})
                mis += max(0, charged - offered)
                short += max(0, forwarded - charged)
        wrong = self.wrong_rules(after["flows"])
        kept = [k for k, rule in before["flows"].items() if after["flows"].get(k) == rule]
        gone = [f"{k[1]} {k[2]} -> {k[3]} {k[4]} protocol {k[0]}: {rule}, then "
                f"{after['flows'].get(k, 'gone')}"
                for k, rule in before["flows"].items() if after["flows"].get(k) != rule]
        p = after["probe"]
        return {
            "kind": kind,
            "lost_up": p["lost_up"], "lost_down": p["lost_down"],
            "gap_ms": round(max(p["gap_up_ms"], p["gap_down_ms"]), 3),
            "gap_up_ms": p["gap_up_ms"], "gap_down_ms": p["gap_down_ms"],
            "probe_sent_up": p["sent_up"], "probe_sent_down": p["sent_down"],
            "probe_twice": p["twice"], "probe_send_gap_ms": p["send_gap_ms"],
            "sessions_before": len(before["sessions"]),
            "sessions_after": len(before["sessions"] & after["sessions"]),
            "flows_before": len(before["flows"]), "flows_after": len(kept),
            "mischarged_bytes": mis, "uncharged_bytes": max(0, short - mis),
            "flows_on_another_rule": len(wrong), "flows_not_kept": gone[:20],
            "rules": rules,
        }

    @staticmethod
    def wrong_rules(flows):
        """Flows that do not stand on the rule of their server."""
        rule_of = {}
        for name in SERVER:
            rule_of[v4(name)] = rule_of[v6(name)] = name
        return [(k, rule) for k, rule in flows.items() if rule_of.get(k[3], DEFAULT) != rule]

    # --- the run ---

    def sessions_up(self, active):
        out = self.bed.ctl(active, f"session load {self.bed.path('subscribers.csv')}")
        say(f"  {' '.join(out.split())}")
        n = len(self.bed.show(active, "show subscribers all", "callid", "imsi"))
        if n != self.args.subscribers:
            raise BedError(f"{n} sessions of {self.args.subscribers} after the load")

    def dry(self):
        """A kernel router stands where a chassis would: both outside counts must agree."""
        self.bed.call("bed_router_up", "a")
        self.traffic.start_long(20)
        self.traffic.start()
        self.probes.go()
        time.sleep(8)
        m = self.measure(None)
        bad = 0
        for name, ue in m["outside"]["ue"].items():
            srv = m["outside"]["srv"][name]
            say(f"  {name:8} up {ue['bytes_up']:>9} {srv['bytes_up']:>9}  "
                f"down {srv['bytes_down']:>9} {ue['bytes_down']:>9}")
            bad += ue != srv
            if name not in ("other",) and ue["bytes_up"] == 0:
                bad += 1
        say(f"  probe: {m['probe']}")
        p = m["probe"]
        bad += p["lost_up"] + p["lost_down"] + p["twice"] + (p["sent_up"] < 5000)
        self.go_on()
        wait_for("downloads", 60, lambda: self.traffic.check_long() == 0, 0.2)
        bad += len(self.traffic.broken)
        for b in self.traffic.broken:
            say("  broken: " + b)
        return bad == 0

    def main(self):
        for c in "ab":
            self.bed.call("bed_config", c)
            self.bed.call("bed_chassis_start", c)
        self.wait_state("a", "active", 30)
        self.wait_state("b", "standby", 30)
        say("chassis a is active, chassis b is standby")
        self.sessions_up("a")
        self.begin_long()
        self.traffic.start()
        self.probes.go()
        self.wait_synchronised("a", "b", 20)
        self.flowing(30)
        say("traffic flows: downloads over HTTP and TLS, iperf3 both ways, DNS, ping, the probe")
        self.recover("a")
        self.switch("planned", "a", "b")
        self.wait_synchronised("b", "a", 20)
        self.switch("unplanned", "b", "a")
        say("chassis b returns")
        self.bed.call("bed_chassis_start", "b")
        self.wait_state("b", "standby", 30)
        self.wait_synchronised("a", "b", 30)
        self.switch("planned", "a", "b")
        self.finish()

    def finish(self):
        say("downloads run to their end")
        wait_for("downloads", 60, lambda: self.traffic.check_long() == 0, 0.2)
        self.traffic.hold()
        with open(self.bed.path("nginx-error.log"), encoding="utf-8", errors="replace") as f:
            for line in f:
                if any(w in line for w in ("[error]", "[crit]", "[alert]", "[emerg]")):
                    self.traffic.note("nginx", 0, line)


def promises(row, total):
    """What was promised of a switchover, or of the death of session managers, and was not kept."""
    bad = []

    def want(name, value):
        if row[name] != value:
            bad.append(f"{name} is {row[name]}, promised {value}")
    want("transfers_broken", 0)
    want("mischarged_bytes", 0)
    want("flows_on_another_rule", 0)
    want("sessions_after", row["sessions_before"])
    want("flows_after", row["flows_before"])
    if row["kind"] == "planned":
        for name in ("lost_up", "lost_down", "uncharged_bytes"):
            want(name, 0)
    elif row["kind"] == "session recovery":
        want("uncharged_bytes", 0)
        want("still_active", True)
        for d in row["deaths"]:
            if d["new_pid"] != d["standby_pid"]:
                bad.append(f"sessmgr:{d['instance']} is {d['new_pid']}, not {d['standby_pid']}, "
                           "which was the standby")
        # What a process has in its hands when it is killed: a packet each at most.
        if row["lost_up"] + row["lost_down"] > len(row["deaths"]):
            bad.append(f"{row['lost_up']} packets up and {row['lost_down']} down were lost")
    if row["long_transfers_through"] == 0:
        bad.append("no long transfer lasted through it")
    if row["sessions_before"] < total:
        bad.append(f"{row['sessions_before']} sessions of {total}")
    return bad


def table(row):
    lines = [f"  {'rule':9} {'offered up':>12} {'forwarded':>12} {'charged':>12}  "
             f"{'offered down':>12} {'forwarded':>12} {'charged':>12}"]
    for name in [*SERVER, DEFAULT]:
        r = row["rules"].get(name, {})
        lines.append(f"  {name:9} " + "  ".join(
            " ".join(f"{r.get(k + d, 0):>12}" for k in ("offered_", "forwarded_", "charged_"))
            for d in ("up", "down")))
    return lines


def figures(r):
    """What a switchover or a recovery cost, in lines."""
    return [f"  packets lost: {r['lost_up']} up of {r['probe_sent_up']}, "
            f"{r['lost_down']} down of {r['probe_sent_down']}; "
            f"longest gap: {r['gap_up_ms']} ms up, {r['gap_down_ms']} ms down",
            f"  sessions {r['sessions_before']} -> {r['sessions_after']}, "
            f"flows {r['flows_before']} -> {r['flows_after']}, "
            f"transfers broken: {r['transfers_broken']} of {r['long_transfers_through']}",
            f"  mischarged {r['mischarged_bytes']} bytes, "
            f"uncharged {r['uncharged_bytes']} bytes",
            *(f"  not kept: {f}" for f in r["flows_not_kept"]),
            *table(r), ""]


def recovery_lines(r):
    lines = [f"Session recovery, chassis {r['chassis']}: kill -9 of each session manager",
             f"  {'task':10} {'pid':>8} {'standby':>8} {'fetched':>8} {'recovered':>9} "
             f"{'call lines':>10} {'ms':>5}"]
    for d in r["deaths"]:
        lines.append(f"  sessmgr:{d['instance']:<2} {d['pid']:>8} {d['standby_pid']:>8} "
                     f"{d['fetched']:>8} {d['recovered']:>9} {d['lines']:>10} {d['ms']:>5}")
    return lines + figures(r)


def summary(run, bad):
    lines = ["", "The main job: a pair of chassis, real traffic, session recovery, three switchovers", ""]
    lines += recovery_lines(run.recovery) if run.recovery else []
    for i, r in enumerate(run.report):
        lines += [f"{i + 1}. {r['kind']}, chassis {r['from']} to chassis {r['to']}", *figures(r)]
    done = run.traffic.done
    lines.append("requests: " + ", ".join(f"{k} {v}" for k, v in sorted(done.items())) +
                 f"; {len(run.traffic.used)} addresses of subscribers; "
                 f"{len(run.traffic.long)} long transfers")
    lines += ["broken: " + b for b in run.traffic.broken]
    lines += ["NOT KEPT: " + b for b in bad]
    lines.append("every promise was kept" if not bad else f"{len(bad)} promises were not kept")
    return "\n".join(lines)


def too_long(signum, frame):
    raise BedError(f"the run took more than {LIMIT_S} s")


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("bed")
    p.add_argument("--build", required=True)
    p.add_argument("--json")
    p.add_argument("--text")
    p.add_argument("--dry", action="store_true")
    p.add_argument("--subscribers", type=int, default=200)
    p.add_argument("--walkins", type=int, default=20)
    p.add_argument("--long-seconds", type=int, default=75)
    return p.parse_args()


def main():
    args = arguments()
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, lambda s, f: sys.exit(1))
    signal.alarm(LIMIT_S)
    bed = Bed(args.bed, args.build)
    run = Run(bed, args)
    if args.dry:
        try:
            ok = run.dry()
        except BedError as e:
            say(f"  {e}")
            ok = False
        finally:
            signal_all(run.paused, CONT)
        print("the bed counts the same on both sides" if ok else "the bed is wrong")
        return 0 if ok else 1
    bad = []
    try:
        run.main()
    except BedError as e:
        bad.append(f"the run ended early: {e}")
    finally:
        signal_all(run.paused, CONT)
    total = args.subscribers
    bad += [f"session recovery: {b}" for b in promises(run.recovery, total)] if run.recovery \
        else ["the session managers were not killed"]
    for i, row in enumerate(run.report):
        bad += [f"switchover {i + 1}: {b}" for b in promises(row, total)]
    if len(run.report) < 3:
        bad.append(f"{len(run.report)} of 3 switchovers were made")
    if run.traffic.broken:
        bad.append(f"{len(run.traffic.broken)} transfers broken in all")
    text = summary(run, bad)
    print(text)
    if args.text:
        with open(args.text, "w", encoding="utf-8") as f:
            f.write(text + "\n")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"ok": not bad, "not_kept": bad, "switchovers": run.report,
                       "session_recovery": run.recovery,
                       "requests": run.traffic.done, "addresses": len(run.traffic.used),
                       "broken": run.traffic.broken,
                       "seconds": round(time.monotonic() - began, 1)}, f, indent=1)
            f.write("\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
