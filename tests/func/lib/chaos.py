#!/usr/bin/env python3
"""chaos: storms of faults over a pair that works all the time, and after each storm a calm in which
everything must be right again.

chaos.py DIRECTORY BUILD SEED SECONDS [FAULT...]     on a bed of topology.sh whose chassis run

All that is drawn by lot comes from the seed; what the processes make of it is theirs. Nothing is
asserted in a storm but that operators are answered. In a calm: one active and one standby, every
instance level, the same sessions and checkpointed flows on both, digests equal on both and to what
is recomputed, the equations, every address with one owner, service for every subscriber, and no
task that ended by itself."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bed import Bed, BedError, elapse, rows, turns, wait_for  # noqa: E402
from crowd import SUBSCRIBERS, v4, v6  # noqa: E402

CROWD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crowd.py")
CALM_S = 40.0        # in which everything must be right again; most of it is for a busy machine
CTL_S = 20           # in which an operator must be answered, whatever happens
DEATHS_MAX = 3       # of one task in the time below; the chassis gives up after five in a minute
DEATHS_S = 61


# --- the run ----------------------------------------------------------------------------------


class Wrong(Exception):
    """What must hold does not."""


class Helper:
    def __init__(self, bed, ns, *args):
        self.proc = bed.spawn_pipe(ns, sys.executable, "-S", CROWD, *args)
        if self.proc.stdout.readline() != "ready\n":
            raise BedError(f"{args[0]}: did not start")

    def ask(self, text):
        self.proc.stdin.write(text + "\n")
        self.proc.stdin.flush()
        return json.loads(self.proc.stdout.readline())


class ChaosBed(Bed):
    def spawn_pipe(self, ns, *argv):
        return subprocess.Popen(self.argv(ns, *argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)


class Chaos:
    def __init__(self, directory, build, seed, only):
        self.bed = ChaosBed(directory, build)
        self.rnd = random.Random(seed)
        self.only = only
        self.serve = Helper(self.bed, "srv", "serve")
        self.talk = Helper(self.bed, "ue", "traffic", str(seed))
        self.deaths = {}          # (chassis, task, instance): times
        self.stopped = set()      # pids that we have stopped
        self.down = {}            # chassis: when it is started again
        self.cut = False
        self.done = []            # faults of this storm
        self.churning = threading.Event()
        self.hung = None
        self.later = []           # (time, function): the ends of faults
        self.count = {}
        self.lock = threading.Lock()
        with open(self.bed.path("all.csv"), "w", encoding="ascii") as f:
            for i in range(1, SUBSCRIBERS + 1):
                f.write(f"00101{i:010d},user{i},internet,{v4(i)},{v6(i)},\n")

    # --- what a chassis says ---

    def ask(self, chassis, command):
        """(whether it went well, output); an operator who is not answered at all ends the run."""
        ctl = os.environ.get("BED_CHASSISCTL", os.path.join(self.bed.build, "chassisctl"))
        try:
            p = subprocess.run([ctl, "-s", self.bed.path(chassis + ".sock"), "-c", command],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, check=False, timeout=CTL_S)
        except subprocess.TimeoutExpired as e:
            raise Wrong(f"chassis {chassis}: '{command}' was not answered in {CTL_S} s") from e
        return p.returncode == 0, p.stdout

    def load(self, chassis):
        """Loads all sessions; again where sct ended meanwhile, which a busy machine may do to it."""
        for _ in turns(2, 0.5):
            out = self.ask(chassis, f"session load {self.bed.path('all.csv')}")[1]
            if "Lines refused" in out:
                break
        return out

    def ctl(self, chassis, command):
        """Output, or None where the command fails."""
        well, out = self.ask(chassis, command)
        return out if well else None

    def show(self, chassis, command, *needed):
        text = self.ctl(chassis, command + " | json")
        try:
            return list(rows(json.loads(text), needed)) if text else []
        except ValueError as e:
            raise Wrong(f"chassis {chassis}: {command}: no JSON: {text!r}") from e

    def info(self, chassis):
        got = self.show(chassis, "show srp info", "chassis_state")
        return got[0] if got else {"chassis_state": "none", "peer_state": "none"}

    def active(self):
        for c in "ab":
            if c not in self.down and self.info(c)["chassis_state"] == "Active":
                return c
        return None

    def tasks(self, chassis):
        return self.show(chassis, "show task resources", "task", "pid", "starts")

    # --- faults; each remembers how it ends ---

    def say(self, text):
        self.done.append(f"{time.monotonic() - self.began:6.2f} {text}")

    def at(self, seconds, function):
        with self.lock:
            self.later.append((time.monotonic() + seconds, function))

    def may_die(self, chassis, task, instance):
        key, now = (chassis, task, instance), time.monotonic()
        old = [t for t in self.deaths.get(key, []) if now - t < DEATHS_S]
        self.deaths[key] = old
        return len(old) < DEATHS_MAX

    def dies(self, chassis, task, instance):
        self.deaths.setdefault((chassis, task, instance), []).append(time.monotonic())

    def pick_task(self):
        """A task of a chassis that runs: (chassis, task, instance, pid); None: there is none."""
        c = self.rnd.choice("ab")
        number = self.rnd.randrange(1 << 16)
        if c in self.down:
            return None
        # What titles say can be read even where nobody answers.
        found = []
        for pid in self.bed.chassis_pids(c):
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                    title = f.read().rstrip("\0").strip()
            except OSError:
                continue
            m = re.match(r"chassisd: (sct|vpnmgr|demuxmgr|sessmgr)(?::(\d+))?$", title)
            if m and self.may_die(c, m[1], int(m[2] or 0)):
                found.append((c, m[1], int(m[2] or 0), pid))
        found.sort()
        return found[number % len(found)] if found else None

    def fault_planned(self):
        c = self.active()
        if not c:
            return
        self.say(f"planned switchover from {c}")
        threading.Thread(target=self.guarded, daemon=True,
                         args=(c, "srp initiate-switchover -noconfirm timeout 5")).start()

    def fault_task(self):
        t = self.pick_task()
        if t:
            self.say(f"kill {t[0]} {t[1]}:{t[2]}")
            self.dies(*t[:3])
            self.signal([t[3]], signal.SIGKILL)

    def fault_stop_task(self):
        t, seconds = self.pick_task(), self.rnd.choice((0.05, 0.3, 1.0, 1.6, 2.5))
        if t:
            self.say(f"stop {t[0]} {t[1]}:{t[2]} for {seconds} s")
            if seconds > 0.5: # the supervisor may find it stuck
                self.dies(*t[:3])
            self.stop([t[3]], seconds)

    def fault_stop_chassis(self):
        c, seconds = self.rnd.choice("ab"), self.rnd.choice((0.2, 1.0, 1.8, 3.0))
        if c not in self.down:
            self.say(f"stop chassis {c} for {seconds} s")
            self.stop(self.bed.chassis_pids(c), seconds)

    def fault_chassis(self):
        c, seconds = self.rnd.choice("ab"), self.rnd.choice((0.0, 0.3, 1.0, 2.5))
        if self.down:
            return # one at least stays
        self.say(f"kill chassis {c} for {seconds} s")
        self.bed.call("bed_chassis_kill", c)
        self.down[c] = True
        for key in list(self.deaths):
            if key[0] == c:
                del self.deaths[key]
        self.at(seconds, lambda: self.start(c))

    def fault_term(self):
        c, seconds = self.rnd.choice("ab"), self.rnd.choice((0.0, 1.0))
        if self.down:
            return
        self.say(f"end chassis {c} in order, for {seconds} s")
        self.bed.call("bed_chassis_stop", c)
        self.down[c] = True
        self.at(seconds, lambda: self.start(c))

    def fault_link(self):
        seconds = self.rnd.choice((0.1, 0.7, 1.2, 2.0, 4.0))
        if self.cut:
            return
        both = self.rnd.random() < 0.7
        self.say(f"cut the link {'' if both else 'from a '}for {seconds} s")
        self.cut = True
        # A neighbour that is not there swallows all, and no interface goes down.
        for ns, to in (("a", "10.3.0.3"), ("b", "10.3.0.2")):
            if both or ns == "a":
                self.bed.run(ns, "ip", "neigh", "replace", to, "lladdr", "02:00:00:00:00:01",
                             "dev", "srp0", "nud", "permanent")
        self.at(seconds, self.heal)

    FAULTS = [("planned", 5), ("task", 5), ("stop_task", 3), ("stop_chassis", 1), ("chassis", 2),
              ("term", 1), ("link", 2)]

    def fault(self):
        names = [(n, w) for n, w in self.FAULTS if not self.only or n in self.only]
        name = self.rnd.choices([n for n, _ in names], [w for _, w in names])[0]
        self.count[name] = self.count.get(name, 0) + 1
        getattr(self, "fault_" + name)()

    def guarded(self, chassis, command):
        try:
            self.ctl(chassis, command)
        except Wrong as e:
            self.hung = e

    @staticmethod
    def signal(pids, sig):
        for pid in pids:
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass

    def stop(self, pids, seconds):
        self.signal(pids, signal.SIGSTOP)
        self.stopped.update(pids)
        self.at(seconds, lambda: self.cont(pids))

    def cont(self, pids):
        mine = [p for p in pids if p in self.stopped]
        self.signal(mine, signal.SIGCONT)
        self.stopped.difference_update(mine)

    def start(self, c):
        if c in self.down:
            self.bed.call("bed_chassis_start", c)
            del self.down[c]

    def heal(self):
        for ns, to in (("a", "10.3.0.3"), ("b", "10.3.0.2")):
            self.bed.run(ns, "ip", "neigh", "del", to, "dev", "srp0", stderr=subprocess.DEVNULL)
        self.cut = False

    def end_faults(self):
        """A thread of its own: who waits for a stopped process must not be who lets it go on."""
        for _ in turns(float("inf"), 0.01):
            with self.lock:
                due = sorted((x for x in self.later if x[0] <= time.monotonic()),
                             key=lambda x: x[0])
            for x in due:
                x[1]()
                with self.lock:
                    self.later.remove(x)

    # --- sessions come and go ---

    def churn(self, seed):
        rnd = random.Random(seed)
        while True:
            self.churning.wait()
            try:
                self.churn_one(rnd)
            except Wrong as e:
                self.hung = e
                return
            except BedError:
                pass
            elapse(rnd.random() * 0.1)

    def churn_one(self, rnd):
        c, i = rnd.choice("ab"), rnd.randint(1, SUBSCRIBERS)
        if c in self.down:
            return
        what = rnd.random()
        if what < 0.5:
            six = f" ipv6-address {v6(i)}" if rnd.random() < 0.8 else ""
            self.ctl(c, f"session add imsi 00101{i:010d} username user{i} apn internet "
                        f"ip-address {v4(i)}{six}")
        elif what < 0.8:
            found = self.show(c, "show subscribers all", "callid")
            if found:
                self.ctl(c, f"session delete callid {rnd.choice(found)['callid']}")
        elif what < 0.97:
            self.ctl(c, f"session load {self.bed.path('all.csv')}")
        else:
            self.ctl(c, "session delete all")

    # --- storm and calm ---

    def storm(self, seconds):
        self.began = time.monotonic()
        self.done = []
        end = self.began + seconds
        self.talk.ask("run")
        self.churning.set()
        while time.monotonic() < end:
            self.fault()
            # Often two at once: a fault in the middle of another is what is thought of least.
            pause = self.rnd.choice((0.0, 0.002, 0.01, 0.05, 0.2, 0.6, 1.2))
            elapse(pause)
            if self.hung:
                raise self.hung
        self.churning.clear()
        wait_for("faults to end", float("inf"), lambda: not self.later, 0.02)
        self.talk.ask("pause")

    def calm(self):
        why = []

        def level():
            why[:] = [self.not_level()]
            return not why[0]

        try:
            wait_for("calm", CALM_S, level, every=0.1, why=lambda: why[0])
        except BedError as e:
            raise Wrong(str(e)) from e
        active = self.active()
        self.check_addresses(active)
        self.check_demuxmgr(active)
        missing = self.talk.ask("probe 8")
        if missing:
            raise Wrong(f"no service for {missing}")
        try:
            wait_for("calm after service", CALM_S, level, every=0.1, why=lambda: why[0])
        except BedError as e:
            raise Wrong(str(e)) from e
        self.check_log()

    def not_level(self):
        """What is not as it should be, or None."""
        state = {c: self.info(c) for c in "ab"}
        roles = sorted(state[c]["chassis_state"] for c in "ab")
        if roles != ["Active", "Standby"]:
            return f"roles {roles}"
        for c, o in ("ab", "ba"):
            if state[c]["peer_state"] != state[o]["chassis_state"]:
                return f"{c} thinks its peer is {state[c]['peer_state']}"
            if state[c]["sessmgrs_connected"] != state[c]["sessmgrs"]:
                return f"{c}: {state[c]['sessmgrs_connected']} session managers are connected"
        for c in "ab":
            for t in self.tasks(c):
                if t["status"] != "good":
                    return f"{c}: {t['task']}:{t['instance']} is {t['status']}"
        replica = {c: self.show(c, "show srp replica", "instance", "digest") for c in "ab"}
        for c in "ab":
            if len(replica[c]) != state[c]["sessmgrs"]:
                return f"{c}: {len(replica[c])} replicas"
            for r in replica[c]:
                name = f"{c} instance {r['instance']}"
                if r["link"] != "Ready" or not r["complete"]:
                    return f"{name}: link {r['link']}, complete {r['complete']}"
                if r["role"] != state[c]["chassis_state"]:
                    return f"{name}: {r['role']}, its chassis {state[c]['chassis_state']}"
                if r["equations"] != "hold":
                    return f"{name}: equations: {r['equations']}"
                if r["digest"] != r["recomputed_digest"]:
                    return f"{name}: digest {r['digest']}, recomputed {r['recomputed_digest']}"
                if r["role"] == "Active" and any(
                        r[k] for k in ("dirty", "inflight", "unknown", "refused", "tombstones")):
                    return f"{name}: {r}"
        for x, y in zip(*(sorted(replica[c], key=lambda r: r["instance"]) for c in "ab")):
            if x["digest"] != y["digest"] or x["objects"] != y["objects"]:
                return f"instance {x['instance']}: a {x}\n b {y}"
        return self.not_equal()

    def not_equal(self):
        session = ("instance", "callid", "imsi", "username", "apn", "v4", "v6", "rulebase")
        flow = ("instance", "callid", "flow_id", "protocol", "subscriber", "subscriber_port",
                "server", "server_port", "rule", "bind")
        for what, command, keys in (("sessions", "show subscribers all", session),
                                    ("flows", "show active-charging flows all", flow)):
            got = {}
            for c in "ab":
                got[c] = {tuple(r[k] for k in keys) for r in self.show(c, command, *keys)
                          if what == "sessions" or r["checkpointed"]}
            if got["a"] != got["b"]:
                return (f"{what} differ: a alone {sorted(got['a'] - got['b'])[:4]}, "
                        f"b alone {sorted(got['b'] - got['a'])[:4]}")
        return None

    def check_addresses(self, active):
        for ns, device, own, want, iface in (("acc", "lan", "10.1.0.254", "10.1.0.1", "acc0"),
                                             ("srv", "srv0", "10.2.0.254", "10.2.0.1", "core0")):
            out = self.bed.run(ns, sys.executable, "-S", CROWD, "owners", device, own,
                               want, stdout=subprocess.PIPE, text=True).stdout
            link = self.bed.run(active, "cat", f"/sys/class/net/{iface}/address",
                                stdout=subprocess.PIPE, text=True).stdout
            if json.loads(out) != [link.strip()]:
                raise Wrong(f"{want} is answered for by {out.strip()}, {active} is {link.strip()}")
        for c in "ab":
            out = self.bed.run(c, "ip", "-o", "addr", stdout=subprocess.PIPE, text=True).stdout
            has = {a for a in ("10.1.0.1", "10.2.0.1", "fd01::1", "fd02::1")
                   if re.search(rf"inet6? {re.escape(a)}[/ ]", out)}
            if len(has) != (4 if c == active else 0):
                raise Wrong(f"{c} has {sorted(has)}, {active} is active")

    def check_demuxmgr(self, active):
        """Its idea of who holds which address: all that is free can be taken, nothing twice."""
        wanted = {v4(i) for i in range(1, SUBSCRIBERS + 1)}
        before = {r["v4"] for r in self.show(active, "show subscribers all", "v4")}
        out = self.load(active)
        found = self.show(active, "show subscribers all", "callid", "v4", "v6")
        for key in ("v4", "v6", "callid"):
            values = [r[key] for r in found if r[key]]
            if len(values) != len(set(values)):
                raise Wrong(f"{key} is there twice: {sorted(values)}")
        lost = wanted - {r["v4"] for r in found}
        if lost:
            raise Wrong(f"addresses that nobody holds cannot be taken: {sorted(lost)}: {out}")
        if f"Sessions added: {len(wanted - before)}\n" not in out:
            raise Wrong(f"{len(wanted - before)} addresses were free: {out}")
        # What has lost its IPv6 address to nobody must be able to have it again.
        for r in found:
            if not r["v6"]:
                gone = self.ctl(active, f"session delete callid {r['callid']}")
                if gone is None:
                    raise Wrong(f"session {r['callid']} is shown and cannot be deleted")
        out = self.load(active)
        bare = [r for r in self.show(active, "show subscribers all", "v6") if not r["v6"]]
        if bare:
            raise Wrong(f"IPv6 addresses that nobody holds cannot be taken: {bare[:2]}: {out}")

    def check_log(self):
        """No task ends but by the signal that we send, or the supervisor to who stood still."""
        bad = re.compile(r"was ended by signal (\d+)|has ended with status (\d+)|runtime error|"
                         r"AddressSanitizer|does not read its orders|broke the protocol|"
                         r"frame 0x.. refused|gives up")
        for c in "ab":
            with open(self.bed.path(c + ".log"), encoding="utf-8", errors="replace") as f:
                for line in f:
                    m = bad.search(line)
                    if m and not (m[1] == "9" or m[2] == "0" or " info: " in line):
                        raise Wrong(f"log of {c}: {line.strip()}")

    def run(self, seconds):
        threading.Thread(target=self.end_faults, daemon=True).start()
        threading.Thread(target=self.churn, args=(self.rnd.random(),), daemon=True).start()
        end, storms = time.monotonic() + seconds, 0
        self.began = time.monotonic()
        self.calm()
        while not storms or time.monotonic() < end:
            storms += 1
            try:
                self.storm(self.rnd.choice((1.0, 3.0, 6.0)))
                at = time.monotonic()
                self.calm()
            except Wrong:
                print("the last storm:", *self.done, sep="\n  ")
                raise
            print(f"storm {storms}: {len(self.done)} faults, "
                  f"calm after {time.monotonic() - at:.1f} s", flush=True)
        print("faults:", ", ".join(f"{n} {name}" for name, n in sorted(self.count.items())))


def main():
    directory, build, seed, seconds = sys.argv[1:5]
    chaos = Chaos(directory, build, int(seed), sys.argv[5:])
    try:
        chaos.run(float(seconds))
    except Wrong as e:
        print(f"FAIL: seed {seed}: {e}", flush=True)
        chaos.heal()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
