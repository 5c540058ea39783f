#!/bin/bash
# What keeps a change from being sent at once, each reason provoked: a call that ends, an audit, a peer that does
# not read or does not know flows, or asks for a call too late, a session manager that is being filled. It is
# counted in its column of `show srp checkpoint statistics`, and all is at the peer when the reason is over.
export BED_DEAD_MS=20000 BED_SR=yes
. "${0%/*}/lib/traffic.sh"
t_begin
bed_config_charging() { t_recover_all; }
t_pair
t_python <<'END'
import ast
import signal

from bed import LIB, Tool
from recovery import Tasks
from traffic import *

CALLS = range(1, 7)
FULL, USAGE, FLOW = 240, 212, 210
# what the peer that is no chassis never knows
server = t.socket("srv", v4(20), 7001)
users = {}
tasks = Tasks(t.bed)


def packets(i, n=1, base=21000):
    """One of each of n flows of a subscriber."""
    for k in range(base, base + n):
        if (i, k) not in users:
            users[i, k] = t.socket("ue", sub4(i), k)
        users[i, k].sendto(b"packet", (v4(20), 7001))


def row(kind):
    return t.checkpoints("a").get(kind, collections.defaultdict(int))


def grows(kind, column, was, text, seconds=PATIENCE, again=lambda: None):
    """A column rises, while something is done again and again."""
    def look():
        again()
        return row(kind)[column]
    return t.becomes(look, lambda n: n > was, text, seconds)


def same(text):
    t.becomes(lambda: {c: len(t.flows(c)) for c in "ab"}, lambda n: n["a"] == n["b"] > 0, text, 15)
    t.quiet()
    t.equal(t.volumes("a"), t.volumes("b"), "and all volumes")
    t.balanced("a", "b")


def memory():
    """KiB of the session managers of A."""
    total = 0
    for i in (1, 2):
        with open(f"/proc/{tasks.pid('a', 'sessmgr', i)}/status", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
    return total


def everyone(n=1, base=21000):
    for i in CALLS:
        packets(i, n, base)


def stop(on):
    for p in stopped:
        os.kill(p, signal.SIGSTOP if on else signal.SIGCONT)


# --- the pair ------------------------------------------------------------------------------------

def call_ends():
    t.say("calls that end while something of them is to be sent")
    was = row("ACS_USAGE_INFO")["gate_invalidate"]

    def end():
        callid = t.add("a", 10)
        packets(10, 3)
        t.becomes(lambda: len(t.flows("a", callid=callid)), 3, "it has flows")
        t.ctl("a", f"session delete callid {callid}")
    grows("ACS_USAGE_INFO", "gate_invalidate", was, "FR-169: what had not been sent is counted", again=end)
    same("FR-169: the call is gone on both")


def audit():
    t.say("an audit, with a peer that is slow")
    stop(True)
    t.ctl("a", "srp initiate-audit manual-with-sync")
    was = row("ACS_USAGE_INFO")
    grows("ACS_USAGE_INFO", "gate_audit", was["gate_audit"], "FR-176: changes meanwhile are counted",
          again=everyone)
    now = row("ACS_USAGE_INFO")
    t.equal(now["attempted"], was["attempted"], "FR-185: and nothing is attempted")
    t.equal(sum(v[0] for v in t.volumes("a").values()) > 0, True, "they are charged")
    stop(False)
    same("FR-176: all of it arrives when the audit has ended")
    t.check(row("ACS_USAGE_INFO")["attempted"] > now["attempted"], "FR-185: it was attempted then")


def congestion():
    t.say("a peer that does not read")
    stop(True)
    was, seen = row("ACS_FLOW_INFO")["gate_congested"], []

    def churn():
        t.ctl("a", "clear active-charging flows all")
        everyone(150, 22000)
        seen.append((sum(r["inflight"] for r in t.checkpoints("a").values()), memory()))
        return seen[-3:]
    grows("ACS_FLOW_INFO", "gate_congested", was, "FR-174: the column rises", 20, churn)
    t.say(f"   after {len(seen)} rounds of 900 flows that end and begin")
    t.becomes(churn, lambda last: last[0][0] == last[-1][0], "FR-174: nothing more is put on the way", 20)
    t.check(seen[-1][1] - seen[0][1] < 16384, "FR-174: memory is bounded", seen)
    stop(False)
    same("FR-174: all of it arrives")


# --- a peer that is no chassis -------------------------------------------------------------------

def liar(**hello):
    t.kill("b")
    wait_for("the connections to be closed", 5, lambda: not t.settled("a"))
    argv = ["python3", "-S", LIB + "/peer.py", "10.3.0.3", "10.3.0.2", "4711"]
    argv += [t.bed.path(x) for x in ("b.pem", "b.key", "pair.pem")]
    return Tool(t.bed.argv("b", *argv, *(f"{k}={v}" for k, v in hello.items())))


def took(peer, *links):
    """Records that have come, by kind."""
    total = collections.Counter()
    for n in links:
        total.update(dict(ast.literal_eval(peer.ask(f"took {n}"))))
    return total


def unknown_kinds():
    """Kinds that the peer has not named."""
    return {k for r in t.replicas("a") for k in r["unknown_kinds"].split(", ")}


def no_flows(peer):
    t.say("a peer that does not know flows")
    was, n, calls = row("ACS_FLOW_INFO"), len(t.flows("a")), len(t.sessions("a"))
    peer.ask(f"kinds {FLOW}")
    for i in (0, 1, 2):
        t.equal(peer.ask(f"open {i} hello").strip(), "open", f"connection {i}")
    t.becomes(lambda: took(peer, 1, 2)[FULL], calls, "FR-088: it has the sessions")
    t.becomes(lambda: [r["link"] for r in t.replicas("a") if r["replica"] == "GR"], ["Ready"] * 2,
              "FR-088: it is level")
    unknown = unknown_kinds()
    t.check("ACS_FLOW_INFO" in unknown and "Full Checkpoint" not in unknown,
            "FR-088: and what it does not know is shown", unknown)
    grows("ACS_FLOW_INFO", "gate_gr_state", was["gate_gr_state"], "FR-088: which counts changes of that",
          again=lambda: packets(1, 5, 23000))
    t.becomes(lambda: took(peer, 1, 2)[USAGE], lambda k: k > 0, "FR-088: other kinds are sent")
    t.equal((took(peer, 1, 2)[FLOW], row("ACS_FLOW_INFO")["sent"]), (0, was["sent"]), "FR-088: no flow is")
    n = len(t.flows("a"))
    peer.ask("kinds")
    for i in (1, 2):
        t.equal(peer.ask(f"open {i} hello").strip(), "open", f"connection {i}, of one that knows them")
    t.becomes(lambda: took(peer, 1, 2)[FLOW], n, f"FR-088: the {n} flows that there are follow")
    t.equal(unknown - unknown_kinds(), {"ACS_FLOW_INFO"}, "FR-088: and they are known now")


def gone(peer):
    t.say("a call that ends before the peer asks for it")
    was, call = row("Full Checkpoint"), t.sessions("a", v4=sub4(2))[0]
    key = int(call["callid"], 16)
    named = ast.literal_eval(peer.ask(f"differ {call['instance']} {FULL}"))
    t.check(key in named, "it is among what the peer can ask for", key, named)
    t.ctl("a", f"session delete callid {call['callid']}")
    peer.ask(f"want {call['instance']} {key}")
    grows("Full Checkpoint", "encode_ignored", was["encode_ignored"], "FR-171: it is counted")
    now = row("Full Checkpoint")
    t.equal([now[k] - was[k] for k in ("attempted", "sent", "encode_ignored")], [1, 0, 1],
            "FR-171: as an attempt of which nothing came")
    t.balanced("a")


def filling(peer):
    t.say("a session manager that is being filled")
    n = len(tasks.events("a"))
    tasks.kill("a", ("sessmgr", 1))
    tasks.wait_event("a", n)
    peer.ask("ends 1")
    t.equal(peer.ask("open 1 hello").strip(), "open", "the peer may hold more than its mirror did")
    was = row("ACS_FLOW_INFO")
    grows("ACS_FLOW_INFO", "gate_recovery", was["gate_recovery"], "FR-175: changes meanwhile are counted",
          again=lambda: everyone(2, 24000))
    t.equal(took(peer, 1)[FLOW], 0, "FR-175: and not sent")
    peer.ask("say 1 filled")
    here = [f for f in t.flows("a") if f["callid"] in {s["callid"] for s in t.sessions("a", instance=1)}]
    t.becomes(lambda: took(peer, 1)[FLOW], len(here), f"FR-175: all {len(here)} flows are when it has ended")


for i in CALLS:
    t.add("a", i)
everyone(3)
stopped = t.bed.chassis_pids("b")
call_ends()
audit()
congestion()
b = liar(role=1, term=0, complete=1, objects=0)
no_flows(b)
gone(b)
filling(b)
t.end()
END
