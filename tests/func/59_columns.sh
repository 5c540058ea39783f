#!/bin/bash
# Columns of `show srp checkpoint statistics` that need their cause: rates, and reasons for which a change is not
# sent at once (the others: 5a_gates.sh); whatever it was, all is at the peer when the reason is over.
export BED_DEAD_MS=20000
. "${0%/*}/lib/traffic.sh"
t_begin
bed_config_charging() { t_recover_all; }
eval "$(declare -f bed_config | sed '1s/bed_config/bed_config_plain/')"
bed_config() {
	bed_config_plain "$1" && sed -i 's/checkpoint session duration 0/checkpoint session duration 2/' "$BED/$1.cfg"
}
t_pair
t_python <<'END'
from traffic import *

server = t.socket("srv", v4(20), 7001)
users = {}


def packets(i, n, base=21000):
    """One of each of n flows of a subscriber."""
    for k in range(base, base + n):
        if (i, k) not in users:
            users[i, k] = t.socket("ue", sub4(i), k)
        users[i, k].sendto(b"packet", (v4(20), 7001))


def row(kind):
    return t.checkpoints("a").get(kind, {})


def grows(kind, column, was, text):
    t.becomes(lambda: row(kind).get(column, 0), lambda n: n > was, text)


def same(text):
    t.becomes(lambda: {c: len(t.flows(c)) for c in "ab"}, lambda n: n["a"] == n["b"], text)
    t.quiet()
    t.balanced("a", "b")


t.say("a call that is young")
calls = {i: t.add("a", i) for i in range(1, 6)}
packets(1, 1)
grows("ACS_FLOW_INFO", "gate_first_fc", 0, "FR-168: the flow of a call whose Full Checkpoint has not gone")
grows("Full Checkpoint", "gate_not_ready", 0, "FR-172: which is not ready for recovery")
t.equal(t.sessions("b"), [], "the standby has neither")
t.becomes(lambda: len(t.flows("b")), 1, "FR-168: the flow goes right after the Full Checkpoint")
t.becomes(lambda: len(t.sessions("b")), 5, "FR-172: the calls when they are ready")

t.say("rates")
for n in paced(0.1, 9):  # 100 a second
    for i in calls:
        packets(i, 2, 22000 + 2 * n)
    if n == 85:
        seen = row("ACS_FLOW_INFO")
t.check(90 <= seen["rate_now"] <= 110, "FR-166: 100 a second: within 10 %", seen["rate_now"])
busy = row("ACS_FLOW_INFO")["rate_30min"]
t.becomes(lambda: row("ACS_FLOW_INFO")["rate_now"], 0, "FR-166: 0 soon after the load ended")
quiet = row("ACS_FLOW_INFO")["rate_30min"]
t.check(0 < quiet < busy, "FR-167: the rate of the last 30 minutes falls as time goes by", busy, quiet)

t.say("no peer")
was = row("ACS_FLOW_INFO")["gate_gr_state"]
t.kill("b")
wait_for("the connections to be closed", PATIENCE, lambda: not t.settled("a"))
packets(3, 10, 23000)
grows("ACS_FLOW_INFO", "gate_gr_state", was, "FR-173: without a link it is counted")
t.start("b")
t.synchronised("a", "b")
same("FR-173: and sent when there is one")

t.end()
END
