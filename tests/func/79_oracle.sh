#!/bin/bash
# An oracle that classifies the same packets by itself: random rulebases (addresses, ports, pools, HTTP, TLS,
# DNS; groups, priorities, multi-line-or), random conversations packet by packet through the pair, before and
# after random switchovers and deaths of session managers. The oracle reads what a tap outside has seen, and
# gives each packet a rule. After every round, which is a packet each of 8 to 24 conversations, its sums are
# compared with those of the chassis: packets and bytes of each rule of each session, both directions apart.
# Then, in the same way, with what ecsreplay makes of the packets of a rulebase.
#   ORACLE_SEED   the first seed; else 41, so that a run says the same twice: take `date +%s` to search
#   ORACLE_SEEDS  how many, one after the other; else 2
export BED_SR=yes
. "${0%/*}/lib/traffic.sh"
seed=${ORACLE_SEED:-41}
if [ "${ORACLE_SEEDS:-2}" -gt 1 ]; then
	for ((i = 0; i < ${ORACLE_SEEDS:-2}; i++)); do
		ORACLE_SEEDS=1 ORACLE_SEED=$((seed + i)) "$0" || exit
	done
	exit 0
fi
t_begin
echo "ORACLE_SEED=$seed"
bed_config_charging() {
	PYTHONDONTWRITEBYTECODE=1 python3 "$T_LIB/oracle_talk.py" "$seed"
}
t_pair
ORACLE_SEED=$seed t_python <<'END'
import ipaddress
import random

from oracle import NO_RULE, Oracle
from oracle_talk import BASES, FIRST_SUB, LASTS, Talk, World
from traffic import *

SEED = int(os.environ["ORACLE_SEED"])
world, r = World(SEED), random.Random(SEED + 1)
active = "a"
SERVERS = {f(n) for n in LASTS for f in (v4, v6)}
calls, bases = {}, {}
for k, base in enumerate(world.bases):
    calls[base.name] = t.add("a", FIRST_SUB + k, more=f"rulebase {base.name}")
    for a in (sub4(FIRST_SUB + k), sub6(FIRST_SUB + k)):
        bases[ipaddress.ip_address(a)] = base
oracle = Oracle(bases, world.eligible)


class Watch:
    """The packets between the subscribers and the servers that a device sees, in their order."""

    def __init__(self, ns, device):
        self.tap, self.read, self.packets = t.tap(ns, device), 0, []

    def new(self):
        frames = self.tap.read()
        found = []
        for frame, _ in frames[self.read:]:
            p = parse(frame)
            if p and (p.src in SERVERS or p.dst in SERVERS):
                found.append((p.dst in SERVERS, p.data[:p.size]))
        self.read = len(frames)
        self.packets += found
        return found


ue, far = Watch("ue", "ue0"), Watch("srv", "srv0")
raw = {(ns, six): t.socket(ns, "::" if six else "0.0.0.0", 0, socket.SOCK_RAW, socket.IPPROTO_RAW)
       for ns in ("ue", "srv") for six in (False, True)}
sent = {True: 0, False: 0}
talks, flow_of, said_of = [], {}, {}


def send(up, data):
    six = data[0] >> 4 == 6
    dst = socket.inet_ntop(socket.AF_INET6, data[24:40]) if six else socket.inet_ntop(socket.AF_INET, data[16:20])
    raw["ue" if up else "srv", six].sendto(data, (dst, 0))
    sent[up] += 1


def through():
    """Waits until everything that was sent has arrived; lets the oracle judge what the tap at the
    subscribers has seen."""
    seen, there = [], 0

    def arrived():
        seen.extend(ue.new())
        far.new()
        return len(ue.packets) == sent[True] + sent[False] and \
            sum(up for up, _ in far.packets) == sent[True]
    wait_for("every packet to come through", 10, arrived, 0.002,
             lambda: f"{len(ue.packets)} and {len(far.packets)} of {sent}")
    return [(up, data, *oracle.packet(data)) for up, data in seen]


def charged():
    """By rulebase and rule: packets up, bytes up, packets down, bytes down; of all sessions."""
    got, names = {}, {c: b for b, c in calls.items()}
    for x in t.bed.show(active, "show active-charging sessions all", "callid", "of", "name", "bytes_up"):
        v = [x["packets_up"], x["bytes_up"], x["packets_down"], x["bytes_down"]]
        if x["of"] == "rule" and any(v):
            old = got.get((names[x["callid"]], x["name"]), [0] * 4)
            got[names[x["callid"]], x["name"]] = [a + b for a, b in zip(old, v)]
    return got


def parsed(data):
    return parse(bytes(12) + (b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00") + data)


def told(up, data, flow, rule):
    """A packet and what the oracle knows, for the reader of a failure."""
    p = parsed(data)
    about = {k: v for k, v in vars(flow).items() if k in ("said", "begun", "final", "kept", "rests", "held")}
    about["verdict"] = {k: v and v.name for k, v in flow.verdict.items()}
    return ("up" if up else "down", p.src, p.sport, p.dst, p.dport, f"protocol {p.proto} flags {p.flags:#x}",
            f"payload {p.payload}: oracle {rule}", about)


wrong, rounds, judged, since = 0, 0, 0, 0


def agree(last, text):
    global wrong, judged
    judged += len(last)
    got = charged()
    if got == oracle.charged:
        return True
    wrong += 1
    if wrong <= 3:
        for key in sorted(set(got) | set(oracle.charged)):
            if got.get(key) != oracle.charged.get(key):
                print(f"     {key}: chassis {got.get(key)}, oracle {oracle.charged.get(key)}")
        differ = {k[0] for k in set(got) | set(oracle.charged) if got.get(k) != oracle.charged.get(k)}
        for up, data, flow, rule in last:
            if bases[ipaddress.ip_address(parsed(data)[1 if up else 2])].name in differ:
                print("     " + " ".join(map(str, told(up, data, flow, rule))))
                ends = {*parsed(data)[1:6]}
                print(f"       {data[len(data) - parsed(data).payload:]} its flow: " + ", ".join(
                    f"{'up' if u else 'down'} {p.flags:#x} {struct.unpack_from('!I', d, 24)[0] if p.proto == 6 else ''} {p.payload}"
                    for u, d in ue.packets for p in [parsed(d)] if {*p[1:6]} == ends)
                    + f"; before the last recovery {sum({*parsed(d)[1:6]} == ends for _, d in ue.packets[:since])}")
    t.check(False, f"{text}, round {rounds}: oracle and chassis charge the same")
    oracle.charged = got  # what comes next is judged by itself
    return False


def one_round(which):
    """A packet of each of these conversations."""
    global rounds
    rounds += 1
    over = []
    for talk in which:
        step = next(talk.steps, None)
        if step is None:
            over.append(talk)
        else:
            send(*step)
    for talk in over:
        talks.remove(talk)
    last = through()
    for up, data, flow, _ in last:
        p = parsed(data)
        flow_of[p.sport if up else p.dport, p.src if up else p.dst] = flow
    return last


def safe(talk):
    """What would happen to a connection that has said half of what decides is nobody's promise."""
    f = flow_of.get((talk.sport, talk.sub))
    return f is None or f.kept is not None or f.final or not (f.data or f.held or f.closing)


port = 20000


def traffic(text, packets):
    """Conversations begin and go on; all of them stop where they are."""
    global port, wrong
    before, good = judged, wrong
    while judged - before < packets:
        while len(talks) < 24:
            port += 1
            talk = Talk(random.Random(r.getrandbits(64)), r.randrange(BASES), port)
            talk.steps = talk.packets()
            talks.append(talk)
        agree(one_round(r.sample(talks, r.randint(8, len(talks)))), text)
    while not all(safe(x) for x in talks):
        agree(one_round([x for x in talks if not safe(x)]), text)
    t.check(wrong == good, f"{text}: {judged - before} packets, oracle and chassis agree after each round")


def session_manager_dies():
    n = r.choice([1, 2])

    def pid():
        return next((x["pid"] for x in t.bed.show(active, "show task resources", "task", "pid")
                     if x["task"] == "sessmgr" and x["instance"] == n), 0)
    old = pid()
    os.kill(old, 9)
    t.becomes(pid, lambda p: p not in (0, old), f"sessmgr {n} lives again", 10)
    t.becomes(lambda: {s["callid"] for s in t.sessions(active)}, set(calls.values()), "with its sessions", 10)
    return {c for b, c in calls.items() if t.sessions(active, callid=c)[0]["instance"] == n}


def event(what):
    """Recovery of one kind; the sessions that it was for."""
    global active, since
    since = len(ue.packets)
    other = "b" if active == "a" else "a"
    t.quiet(active, other)
    t.say(what)
    if what == "death of a session manager":
        hit = session_manager_dies()
        t.synchronised(active, other)
        return hit
    if what == "planned switchover":
        t.switch(active, other)
    else:
        t.takeover(active, other)
        t.start(active)
    active, other = other, active
    t.synchronised(active, other)
    return set(calls.values())


def recovered(what, hit):
    """Who is recovered, and by which rule."""
    names = {calls[b.name]: b for b in world.bases}
    of = {key: f for key, f in oracle.flows.items() if calls[bases[key[1]].name] in hit}
    rest = {key: f for key, f in oracle.flows.items() if key not in of}
    oracle.flows = dict(of)
    n = oracle.recovery()
    known = oracle.flows
    oracle.flows = {**known, **rest}
    t.check(0 < n <= len(of), f"{n} of {len(of)} flows are known still")
    # ends that are waited for come when they come
    want = {(*map(str, key), f.verdict[f.first_up].name) for key, f in known.items()
            if not f.closing or f.kept and key[0] != 6}
    ends = {tuple(map(str, key)) for key, f in of.items() if f.closing}
    got = {tuple(str(x[c]) for c in ("protocol", "subscriber", "subscriber_port", "server", "server_port", "rule"))
           for x in t.flows(active, recovered=True) if x["callid"] in hit}
    got = {x for x in got if x[:5] not in ends}
    t.check(got == {x for x in want if x[:5] not in ends}, "the chassis has recovered them by the same rules",
            f"chassis alone {sorted(got - want)[:5]}, oracle alone {sorted(want - got)[:5]}")
    agree([], f"volumes after {what}")


traffic("before", 260)
events = ["planned switchover", "death of a session manager", "kill -9 of the active chassis"]
r.shuffle(events)
for what in events + [r.choice(events[:2])]:
    hit = event(what)
    recovered(what, hit)
    traffic(f"after {what}", 160)
t.check(len({n for _, n in oracle.charged}) > 12 and judged > 700,
        f"{judged} packets were charged to {len({n for _, n in oracle.charged})} rules, in {rounds} rounds")

# --- the same packets through ecsreplay: nothing recovers there ------------------------------------
t.say("ecsreplay of what the tap has seen")
if not os.access(os.path.join(t.bed.build, "ecsreplay"), os.X_OK):
    t.say("it is not built")
else:
    for k, base in enumerate(world.bases):
        alone = Oracle({a: b for a, b in bases.items() if b is base}, world.eligible)
        path = t.bed.path("oracle.pcap")
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
            for i, (up, data) in enumerate(ue.packets):
                if alone.packet(data)[0]:
                    f.write(struct.pack("<IIII", 1700000000 + i // 10000, i % 10000 * 100, len(data), len(data))
                            + data)
        p = subprocess.run([os.path.join(t.bed.build, "ecsreplay"), "-c", t.bed.path("a.cfg"), "--rulebase",
                            base.name, "--subscriber", "10.45.0.0/16", "--subscriber", "2001:db8:45::/48",
                            "--rules", "--json", path], capture_output=True, text=True, check=False, timeout=30)
        got = {x["rule"]: [x["packets_up"], x["bytes_up"], x["packets_down"], x["bytes_down"]]
               for x in json.loads(p.stdout)["rules"] if x["hits"]} if p.returncode == 0 else p.stderr
        held = {id(f) for f in alone.flows.values() if f.held}
        want = {n: v for (_, n), v in alone.charged.items()}
        t.equal(got, want, f"rulebase {base.name}: as the oracle")
t.end()
END
