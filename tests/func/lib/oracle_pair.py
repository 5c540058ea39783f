"""oracle_pair: the pair under the traffic of the oracle's test: packets are sent from both sides, watched by taps
on both, and what the active chassis says of them is compared with what the oracle says."""
import ipaddress
import os
import random
import socket

from traffic import PATIENCE, parse, t, turns, v4, v6
from oracle import Oracle, name_of
from oracle_rows import Rows, by_rule, compare, differs, replay, write_capture
from oracle_rules import Call
from oracle_talk import Talk
from oracle_world import BASES, FIRST_SUB, LASTS, sub4, sub6


class Watch:
    """The packets between the subscribers and the servers that come out of the chassis at a device."""

    def __init__(self, ns, device, comes):
        self.tap, self.comes, self.count = t.tap(ns, device), comes, 0

    def new(self):
        """How many have come so far."""
        for frame, _ in self.tap.read():
            p = parse(frame)
            self.count += bool(p and self.comes(p))
        self.tap.frames = []
        return self.count


class Pair:
    def __init__(self, world, seed):
        self.world, self.r, self.active = world, random.Random(seed), "a"
        servers = {f(n) for n in LASTS for f in (v4, v6)}
        self.calls, self.callids, by_address = {}, {}, {}
        for k, base in enumerate(world.bases):
            call = self.calls[base.name] = Call(base)
            self.callids[base.name] = t.add("a", FIRST_SUB + k, more=f"rulebase {base.name}")
            for a in (sub4(k), sub6(k)):
                by_address[ipaddress.ip_address(a)] = call
        self.oracle = Oracle(by_address, world.eligible)
        self.watches = {False: Watch("ue", "ue0", lambda p: p.src in servers),
                        True: Watch("srv", "srv0", lambda p: p.dst in servers)}
        self.raw = {(ns, six): t.socket(ns, "::" if six else "0.0.0.0", 0, socket.SOCK_RAW, socket.IPPROTO_RAW)
                    for ns in ("ue", "srv") for six in (False, True)}
        self.talks, self.port = [], 20000
        self.sent = []               # every packet: (up, data, what was judged)
        self.through = {True: 0, False: 0}
        self.wrong = self.rounds = self.changes = self.mark = 0
        self.seen, self.rows = {}, Rows()    # numbers of the last rows read
        for chassis in "ab":
            self.trace(chassis)

    # --- packets ---

    def send(self, up, data):
        six = data[0] >> 4 == 6
        dst = socket.inet_ntop(socket.AF_INET6, data[24:40]) if six else \
            socket.inet_ntop(socket.AF_INET, data[16:20])
        self.raw["ue" if up else "srv", six].sendto(data, (dst, 0))
        j = self.oracle.packet(data)
        self.through[up] += j.fate != "stopped"
        for side in j.resets:
            self.through[side] += 1
        self.sent.append((up, data, j))

    def arrive(self):
        """Waits until what is not stopped has come out on the other side."""
        for _ in turns(PATIENCE, 0.002):
            if all(w.new() >= self.through[up] for up, w in self.watches.items()):
                break

    def judged(self):
        return len(self.sent)

    def one_round(self, which):
        """A packet of each of these conversations."""
        self.rounds += 1
        at = len(self.sent)
        for talk in which:
            step = next(talk.steps, None)
            if step is None:
                self.talks.remove(talk)
            else:
                self.send(*step)
        self.arrive()
        return self.sent[at:]

    def change(self):
        """Gives a call a rule or a bearer, or takes one. Those whose rulebase asks nDPI are left alone: what is
        decided there depends on when that has nothing more to say."""
        base = self.world.bases[self.r.randrange(BASES - 2)]
        call = self.calls[base.name]
        if self.r.random() < 0.04:
            command = "clear active-charging flows callid {}"
            self.oracle.cleared(call)
        else:
            command = "session " + self.world.give(self.r, call, [a.priority for a in base.actions])
            if "control" not in command:
                self.oracle.changed(call)
        t.ctl(self.active, command.format(self.callids[base.name]))
        self.changes += 1
        self.sent.append((None, command.format(base.name), None))

    def traffic(self, text, packets):
        """Conversations begin and go on; all of them stop where they are."""
        before, good = self.judged(), self.wrong
        while self.judged() - before < packets:
            while len(self.talks) < 30:
                self.port += 1
                talk = Talk(random.Random(self.r.getrandbits(64)), self.r.randrange(BASES), self.port)
                talk.steps = talk.packets()
                self.talks.append(talk)
            if self.r.random() < 0.4:
                self.change()
            self.agree(self.one_round(self.r.sample(self.talks, self.r.randint(10, len(self.talks)))), text)
        t.check(self.wrong == good, f"{text}: {self.judged() - before} packets, oracle and chassis agree on each")

    # --- what the chassis says ---

    def trace(self, chassis):
        """Has every packet written down."""
        t.ctl(chassis, "active-charging packet-trace all")
        self.seen = {k: v for k, v in self.seen.items() if k[0] != chassis}

    def new_rows(self, chassis):
        """What was written since the last look."""
        found = []
        for n in (1, 2):
            last = self.seen.get((chassis, n), 0)
            rows = t.json(chassis, f"show active-charging packet-trace instance {n} after {last}")["packets"]
            found += rows
            if rows:
                self.seen[chassis, n] = rows[-1]["seq"]
        return found

    def read_rows(self, chassis, last):
        """A row of each of these packets, and of each that has waited until now: (packet, row); rows of neither, and
        packets without."""
        late, self.oracle.released = self.oracle.released, []
        pairs, others = [], []
        for _, _, j in last:
            self.rows.expect(j)

        def complete():
            for x in self.new_rows(chassis):
                j = self.rows.find(x, (chassis, x["instance"]))
                if j is None:
                    others.append(x)
                else:
                    pairs.append((j, x))
            came = {id(j) for j, x in pairs if x["late"]}
            return not self.rows.missing() and all(id(j) in came for j in late)
        for _ in turns(PATIENCE, 0.01):
            if complete():
                break
        missing = self.rows.missing() + [j for j in late if not any(j is q and x["late"] for q, x in pairs)]
        self.rows.want.clear()
        return pairs, others, missing

    def charged(self):
        """By rulebase and rule: packets up, bytes up, packets down, bytes down; of all sessions."""
        got, names = {}, {c: b for b, c in self.callids.items()}
        for x in t.bed.show(self.active, "show active-charging sessions all", "callid", "of", "name", "bytes_up"):
            v = [x["packets_up"], x["bytes_up"], x["packets_down"], x["bytes_down"]]
            if x["of"] == "rule" and any(v):
                old = got.get((names[x["callid"]], x["name"]), [0] * 4)
                got[names[x["callid"]], x["name"]] = [a + b for a, b in zip(old, v)]
        return got

    def agree(self, last, text, chassis=None):
        """Each packet, and the sums."""
        pairs, others, missing = self.read_rows(chassis or self.active, last)
        bad = [(j, f"chassis: {', '.join(w)}: {x}") for j, x in pairs for w in [differs(j, x)] if w]
        bad += [(j, "chassis: nothing") for j in missing]
        for j, x in pairs:
            if x["rule"] in map(name_of, j.others) and j.charged:
                self.oracle.settle(j, x["rule"])
        got, want = self.charged(), self.oracle.charged
        came = {up: w.new() for up, w in self.watches.items()}
        if not bad and not others and got == want and came == self.through:
            return
        self.wrong += 1
        if self.wrong <= 4:
            for j, seen in bad[:3]:
                self.tell(j, seen)
            for x in others[:3]:
                print(f"     the chassis alone: {x}")
            for key in sorted(set(got) | set(want)):
                if got.get(key) != want.get(key):
                    print(f"     {key}: chassis {got.get(key)}, oracle {want.get(key)}")
        if came != self.through:
            print(f"     came through, by whether it is uplink: {came} packets, oracle {self.through}")
            self.through = came
        t.check(False, f"{text}, round {self.rounds}: oracle and chassis say the same of each packet")
        self.oracle.charged = got  # what comes next is judged by itself

    def tell(self, j, seen="", sent=None):
        """A packet and what the oracle knows, for the reader of a failure."""
        p, f = j.p, j.flow
        print(f"     {'up' if p.up else 'down'} {p.src} {p.sport} {p.dst} {p.dport} protocol {p.proto} {p.frag} flags "
              f"{p.flags:#x} seq {p.seq} payload {len(p.payload)} {p.payload[:60]}: oracle {name_of(j.rule)} "
              f"{j.fate} bearer {j.bearer} {seen}")
        if f is None:
            return
        print("       " + ", ".join(f"{k} {v}" for k, v in vars(f).items() if k in (
            "said", "may", "ears", "begun", "state", "final", "kept", "l34", "fresh", "rests", "taken_up", "mode")),
            {("up" if k else "down"): name_of(v) for k, v in f.verdict.items()}, f"held {len(f.held)}")
        for i, (up, data, q) in enumerate(sent or self.sent):
            if q is None and f" {j.call.base.name}" in data + " " or i == self.mark and not sent:
                print(f"       - {data if q is None else 'the last recovery'}")
            if q and q.flow is f or q is j:
                print(f"       - {'up' if up else 'down'} {q.p.flags:#x} seq {q.p.seq} {len(q.p.payload)}"
                      f" {q.p.payload[:50]} {q.p.frag}: {name_of(q.rule)} {q.fate} {'' if q is not j else '<--'}")

    # --- recoveries ---

    def session_manager_dies(self):
        n = self.r.choice([1, 2])

        def pid():
            return next((x["pid"] for x in t.bed.show(self.active, "show task resources", "task", "pid")
                         if x["task"] == "sessmgr" and x["instance"] == n), 0)
        old = pid()
        os.kill(old, 9)
        t.becomes(pid, lambda p: p not in (0, old), f"sessmgr {n} lives again", 10)
        t.becomes(lambda: {s["callid"] for s in t.sessions(self.active)}, set(self.callids.values()),
                  "with its sessions", 10)
        return {b for b, c in self.callids.items() if t.sessions(self.active, callid=c)[0]["instance"] == n}

    def settle(self):
        """Of what is permitted that is true which the chassis has."""
        names = {(x["subscriber"], x["subscriber_port"]): x["rule"] for x in t.flows(self.active, protocol=6)}
        for f in self.oracle.undecided():
            f.verdict[f.first_up] = next((x for x in f.permitted[f.first_up] if name_of(x) == names.get(
                (str(f.key[1]), f.key[2]))), f.verdict[f.first_up])

    def event(self, what):
        """Recovery of one kind; the rulebases of the sessions that it was for."""
        self.settle()
        self.mark = len(self.sent)
        other = "b" if self.active == "a" else "a"
        t.quiet(self.active, other)
        t.say(what)
        if what == "death of a session manager":
            hit = self.session_manager_dies()
            t.synchronised(self.active, other)
            return hit
        if what == "planned switchover":
            t.switch(self.active, other)
        else:
            t.takeover(self.active, other)
            t.start(self.active)
        self.active, other = other, self.active
        t.synchronised(self.active, other)
        if what != "planned switchover":
            self.trace(other)
        return set(self.callids)

    def recovered(self, what, hit):
        """Who is recovered, and by which rule."""
        calls = [self.calls[b] for b in hit]
        of = {f.key: f for f in self.oracle.flows.values() if f.call in calls}
        planned, other = what == "planned switchover", "b" if self.active == "a" else "a"
        old = self.active if what == "death of a session manager" else other
        known = self.oracle.recovery(calls, planned, old, self.active)
        t.check(0 < len(known) <= len(of), f"{len(known)} of {len(of)} flows are known still")
        # ends that are waited for come when they come
        want = {(*map(str, f.key), name_of(f.verdict[f.first_up])) for f in known if not f.fins}
        ends = {tuple(map(str, key)) for key, f in of.items() if f.fins}
        got = {tuple(str(x[c]) for c in ("protocol", "subscriber", "subscriber_port", "server", "server_port", "rule"))
               for x in t.flows(self.active, recovered=True) if x["callid"] in {self.callids[b] for b in hit}}
        got = {x for x in got if x[:5] not in ends}
        t.check(got == want, "the chassis has recovered them by the same rules",
                f"chassis alone {sorted(got - want)[:5]}, oracle alone {sorted(want - got)[:5]}")
        # what has waited was charged by who was active, or is by who goes on, a session after the other
        for _ in turns(PATIENCE, 0.05):
            if self.charged() == self.oracle.charged:
                break
        self.agree([], f"volumes after {what}", old if planned else None)
        self.rows.waits = {k: j for k, j in self.rows.waits.items() if j.call not in calls}

    # --- the same packets through ecsreplay ---

    def replay(self):
        """Of what each rulebase was sent, without anything that calls were given: nothing recovers there."""
        exe, path = os.path.join(t.bed.build, "ecsreplay"), t.bed.path("oracle.pcap")
        for base in self.world.bases:
            alone = Oracle({a: base for a, c in self.oracle.calls.items() if c.base is base}, set())
            judged = [j for _, data, q in self.sent if q for j in [alone.packet(data)] if j]
            write_capture(path, [data for _, data, q in self.sent if q and q.call.base is base])
            how = ["-c", t.bed.path("a.cfg"), "--rulebase", base.name, "--subscriber", "10.45.0.0/16", "--subscriber",
                   "2001:db8:45::/48", path]
            got = replay(exe, *how, "--packets")
            bad = compare(alone, judged, got["packets"])
            t.check(not bad and judged, f"ecsreplay, rulebase {base.name}: {len(judged)} packets as the oracle",
                    *[x for _, x in bad[:3]], got.get("error", ""))
            for j, seen in bad[:2]:
                if j:
                    self.tell(j, seen, [(q.p.up, b"", q) for q in judged])
            t.equal(by_rule(replay(exe, *how, "--rules")["rules"]), {n: v for (_, n), v in alone.charged.items()},
                    f"ecsreplay, rulebase {base.name}: and by rule")
