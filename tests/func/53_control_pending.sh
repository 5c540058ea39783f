#!/bin/bash
# While the control plane of a recovered session is pending its recovered flows are charged by the
# L3/L4 rule; then by their own again. The state survives a switchover, and ends by command or
# timeout.
. "${0%/*}/lib/traffic.sh"
t_begin
t_srp 'control-pending timeout 6'

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    ruledef web
		      http host = www.test
		    #exit
		    ruledef names
		      dns query-name ends-with test
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    rulebase gold
		      action priority 1 ruledef web charging-action count
		      action priority 2 ruledef names charging-action count
		      action priority 9 ruledef any charging-action count
		      flow control-handshaking charge-to-application mid-session-packets tear-down-packets
		    #exit
	CONF
	t_recover "rule-name = web" "rule-name = names"
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
from ruletable import question
from traffic import *

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
calls = {i: t.add("a", i) for i in (1, 2)}
web = t.listen("srv", v4(10), 80)
dns = t.socket("srv", v4(50), 53)
conns = {i: t.connect(web, "ue", sub4(i), 20001) for i in (1, 2)}
users = {i: t.socket("ue", sub4(i), 20002) for i in (1, 2)}


def talk(i):
    c, s = conns[i]
    push(c, s, b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n")
    push(s, c, OK)
    echo(users[i], dns, question("a.test"), (v4(50), 53))


def charged(chassis, i):
    """Rules that a round of traffic is charged to."""
    t.delivered()
    was = t.volumes(chassis, callid=calls[i])
    talk(i)
    now = t.volumes(chassis, callid=calls[i])
    return {n for n in now if now[n] != was.get(n, (0,) * 4)}


def pending(chassis, i):
    return t.sessions(chassis, callid=calls[i])[0]["pending"]


OWN, L34 = {"web", "names"}, {"any"}
for i in (1, 2):
    talk(i)
    t.equal(charged("a", i), OWN, f"session {i}, on A: by its own rules")
t.say("flows that were not recovered are not touched by it")
t.ctl("a", f"session control begin callid {calls[1]}")
t.equal(pending("a", 1), 1, "pending on A")
t.becomes(lambda: pending("b", 1), 1, "B knows")
t.equal(charged("a", 1), OWN, "A: still by their own rules")
t.quiet()

t.say("kill -9 of A in the middle of the transaction")
t.takeover("a", "b")
began = time.monotonic()
row = t.rule_row("b", "any")
packets = t.counter("b", "pending_packets")
t.equal(charged("b", 1), L34, "the session in it: by the L3/L4 rule")
t.equal(charged("b", 2), OWN, "another session: by its own rules")
for f in t.flows("b", subscriber=sub4(1)):
    t.equal((f["rule"] in OWN, f["recovered"]), (True, True),
            f"the verdict of the flow is not touched: {f['rule']}")
t.check(t.counter("b", "pending_packets") > packets, "those packets are counted")
now = t.rule_row("b", "any")
t.check(now["pending_packets"] > row["pending_packets"]
        and now["pending_bytes"] > row["pending_bytes"], "per rule too", now)
t.equal(now["pending_bytes"] - row["pending_bytes"],
        now["bytes_up"] + now["bytes_down"] - row["bytes_up"] - row["bytes_down"],
        "each byte of them")
if time.monotonic() - began < 5:
    t.ctl("b", f"session control end callid {calls[1]}")
t.equal(pending("b", 1), 0, "it ends")
t.equal(charged("b", 1), OWN, "by their own rules again")

t.say("begun and ended on B")
t.ctl("b", f"session control begin callid {calls[2]}")
t.equal(charged("b", 2), L34, "by the L3/L4 rule")
t.ctl("b", f"session control end callid {calls[2]}")
t.equal(charged("b", 2), OWN, "by their own again")

t.say("a transaction that nobody ends")
timeouts = t.counter("b", "pending_timeouts")
t.ctl("b", f"session control begin callid {calls[1]}")
t.equal(charged("b", 1), L34, "by the L3/L4 rule")
t.becomes(lambda: pending("b", 1), 0, "ends by its timeout of 6 s")
t.equal(t.counter("b", "pending_timeouts"), timeouts + 1, "counted")
t.equal(charged("b", 1), OWN, "by their own rules again")
said = t.refused("b", "session control begin callid 12345678")
t.check(said and "Failure:" in said, "a call-id that is not there is refused", said)
t.end()
END
