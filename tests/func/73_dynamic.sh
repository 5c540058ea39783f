#!/bin/bash
# Rules and bearers that a control plane gives a call at run time: dynamic and predefined rules, flow
# status, TFT and QoS, control transactions and handoffs; after the death of a session manager, a
# switchover, and kill -9 of the active chassis.
export BED_SR=yes
. "${0%/*}/lib/traffic.sh"
t_begin
t_srp 'control-pending timeout 600'

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    idle-timeout udp 600
		    system-limit flow-chkpt-per-call 6
		    ruledef static
		      udp either-port = 7010
		    #exit
		    ruledef pre1
		      udp either-port = 7020
		    #exit
		    ruledef dyn2
		      udp either-port = 7030
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    ruledef pre3
		      udp either-port = 7060
		    #exit
		    ruledef pre2
		      udp either-port = 7050
		    #exit
		    packet-filter media
		      ip remote-port range 7050 to 7051
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action voice
		      content-id 2
		      qos-class-identifier 2
		      tft packet-filter media
		    #exit
		    rulebase gold
		      action priority 5 dynamic-only ruledef pre1 charging-action count
		      action priority 4 dynamic-only ruledef pre2 charging-action voice
		      action priority 3 dynamic-only ruledef pre3 charging-action count
		      action priority 6 ruledef static charging-action count
		      action priority 7 ruledef dyn2 charging-action count
		      action priority 9 ruledef any charging-action count
		    #exit
	CONF
	t_recover "rule-name = d1" "rule-name = pre1" "rule-name = static" "rule-name contains dyn"
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import re

from traffic import *

call = {i: t.add("a", i) for i in (1, 2, 3)}
server = {p: t.socket("srv", v4(20), p) for p in (7000, 7001, 7010, 7020, 7030, 7040, 7050, 7051, 7060)}
ue = {}


def talk(i, port, n=1, local=0):
    """Both ways; the local port tells flows of one port apart."""
    key = (i, port, local)
    if key not in ue:
        ue[key] = t.socket("ue", sub4(i), 20000 + port + local)
    for _ in range(n):
        to = echo(ue[key], server[port], b"up" * 50, (v4(20), port))
        server[port].sendto(b"down" * 50, to)
        ue[key].recv(1000)


def flow(c, i, port, local=0):
    return t.flow(c, subscriber=sub4(i), subscriber_port=20000 + port + local)


def charged(c, i, port, local=0):
    """The rules that a round of traffic is charged to."""
    was = t.volumes(c, callid=call[i])
    talk(i, port, 1, local)
    now = t.volumes(c, callid=call[i])
    return {n for n in now if now[n] != was.get(n, (0,) * 4)}


def rules(c, i):
    return {r["rule"]: r for r in t.bed.show(c, f"show active-charging dynamic-rules callid {call[i]}",
            "rule", "filters")}


def bearers(c, i):
    return [(b["bearer"], b["qci"], b["arp"], b["mbr_uplink"], b["mbr_downlink"], b["filters"], b["rat"])
            for b in t.bed.show(c, f"show active-charging bearers callid {call[i]}", "bearer", "rat")]


def give(c, i, what, text):
    t.ctl(c, f"session {what} callid {call[i]} {text}")


def kill_sessmgr(c, i):
    n = t.callid(c, v4=sub4(i)) and t.sessions(c, callid=call[i])[0]["instance"]

    def pid():
        return next((r["pid"] for r in t.bed.show(c, "show task resources", "task", "pid")
                     if r["task"] == "sessmgr" and r["instance"] == n), 0)
    old = pid()
    os.kill(old, 9)
    t.becomes(pid, lambda p: p not in (0, old), "the session manager lives again", 10)
    t.becomes(lambda: [s["callid"] for s in t.sessions(c, callid=call[i])], [call[i]], "with its call",
              10)


# --- rules: installed before their traffic and after, predefined ones, names
t.say("rules")
talk(1, 7001)
t.equal(flow("a", 1, 7001)["rule"], "any", "without a rule: the line for all")
was = t.sent("a", "DYNAMIC_RULE_INFO")
give("a", 1, "rule install", 'name d1 precedence 10 content-id 77 filters "udp 198.51.100.20 port 7000-7001"')
t.becomes(lambda: t.sent("a", "DYNAMIC_RULE_INFO"), was + 1, "FR-007: DYNAMIC_RULE_INFO is sent")
t.equal(charged("a", 1, 7000), {"d1"}, "FR-007: new traffic is charged to d1")
t.equal(charged("a", 1, 7001), {"d1"}, "FR-109: traffic of before as well")
give("a", 1, "rule install", 'name dyn1 precedence 20 filters "udp any port 7040"')
t.equal(charged("a", 1, 7040), {"dyn1"}, "FR-108: dyn1 is charged")
t.equal(charged("a", 1, 7030), {"dyn2"}, "FR-108: dyn2, a static rule, too")
t.equal((flow("a", 1, 7040)["checkpointed"], flow("a", 1, 7030)["checkpointed"]), (False, True),
        "FR-108: `contains dyn` is for the static one only")
t.equal(charged("a", 1, 7020), {"any"}, "FR-005: a dynamic-only line does not match")
def identities(c):
    return {s["session_id"]: s["callid"] for s in t.json(c, "show active-charging sessions full")["sessions"]}


give("a", 1, "rule activate", "name pre1")
t.equal(charged("a", 1, 7020), {"pre1"}, "FR-005: until it is activated")
talk(1, 7010)
t.check(all(flow("a", 1, p)["checkpointed"] for p in (7000, 7001, 7010, 7020)),
        "FR-005, FR-007, FR-109: all of them are checkpointed")
full = t.bed.show("a", f"show active-charging sessions full callid {call[1]}", "service", "created")[0]
t.equal((full["service"], full["bearers"], full["dynamic_rules"], full["predefined_rules"]), ("ecs", 1, 2, 1),
        "show active-charging sessions full: what the call was given")
given = {r["rule"]: (r["type"], r["precedence"], r["charging_action"], r["content_id"], r["definition"])
         for r in full["definitions"]}
t.equal((given["d1"], given["pre1"]), (
    ("dynamic", 10, "", 77, rules("a", 1)["d1"]["filters"]),
    ("predefined", 5, "count", 1, "udp either-port = 7020")), "with the definitions of rules that it was given")
of_rules = {}
for r in full["rules"]:
    one = (r["packets_up"], r["bytes_up"], r["packets_down"], r["bytes_down"])
    of_rules[r["name"]] = tuple(a + b for a, b in zip(of_rules.get(r["name"], (0,) * 4), one))
t.equal(of_rules, t.volumes("a", callid=call[1]), "and the volumes of its rules")
known = identities("a")
t.equal((len(known), set(known.values())), (len(t.sessions("a")), {s["callid"] for s in t.sessions("a")}),
        "each session has a session-id of its own")
t.check(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", full["created"]), "and when it was created", full["created"])
t.check("no line" in (t.refused("a", f"session rule activate callid {call[1]} name static") or ""),
        "a static line cannot be activated")
t.check(t.refused("a", f'session rule install callid {call[1]} name x precedence 1 filters "udp nowhere"'),
        "a wrong filter is refused")

# --- bearers
t.say("bearers")
sess, ubr = t.sent("a", "ACS_SESS_INFO"), t.sent("a", "PGW_UBR_MBR_INFO")
give("a", 2, "bearer create", 'id 6 qci 1 arp 3 mbr-uplink 6400 mbr-downlink 64000 tft "udp any port 7010"')
t.becomes(lambda: t.sent("a", "ACS_SESS_INFO"), sess + 1, "FR-180: create a bearer: +1")
t.equal(t.sent("a", "PGW_UBR_MBR_INFO"), ubr, "FR-182: create a bearer: +0")
refused = t.refused("a", f"session bearer create callid {call[2]} id 6 qci 1")
t.check("the call has a bearer 6 already" in (refused or ""), "it is not created twice")
t.equal(bearers("a", 2)[1], (6, 1, 3, 6400, 64000, "udp any port 7010", "unknown"), "and it is as it was")
give("a", 2, "bearer update", "id 6 mbr-uplink 12800")
t.becomes(lambda: t.sent("a", "PGW_UBR_MBR_INFO"), ubr + 1, "FR-182: its QoS is changed: +1")
talk(2, 7010)
t.equal((flow("a", 2, 7010)["rule"], flow("a", 2, 7010)["bearer"]), ("static", 6),
        "the TFT takes the flow of a static rule")
for n in range(3):
    talk(2, 7010, 1, 100 + n)
give("a", 2, "rule install", 'name d1 precedence 1 filters "udp any port 7000"')
for n in range(3):
    talk(2, 7000, 1, 200 + n)
kept = [f for f in t.flows("a", callid=call[2]) if f["checkpointed"]]
t.equal((len(kept), {f["bearer"] for f in kept}), (6, {5, 6}),
        "FR-016: the limit of 6 counts over two rules and two bearers")
held = bearers("a", 2)
t.equal(held[1], (6, 1, 3, 12800, 64000, "udp any port 7010", "unknown"), "FR-010: shown")
give("a", 3, "bearer create", "id 7 qci 2")
talk(3, 7051)
t.equal(flow("a", 3, 7051)["bearer"], 5, "a bearer without a TFT carries what its rules are bound to")
give("a", 3, "rule activate", "name pre2")
talk(3, 7050)
talk(3, 7051)
t.equal((flow("a", 3, 7050)["bearer"], flow("a", 3, 7051)["bearer"]), (7, 7),
        "with the rule its charging-action's packet filters are of its TFT")
t.equal(rules("a", 3)["pre2"]["filters"], "packet-filter media", "they are shown")
give("a", 3, "rule deactivate", "name pre2")
talk(3, 7051)
t.equal(flow("a", 3, 7051)["bearer"], 5, "without it they are not")
give("a", 3, "bearer delete", "id 7")
t.quiet()  # which flows are not checkpointed is told in it, too
call_info = t.sent("a", "ACS_CALL_INFO")
t.ctl("a", f"session handoff callid {call[3]} rat-type eutran")
t.becomes(lambda: t.sent("a", "ACS_CALL_INFO"), call_info + 1, "FR-181: a call's data are changed: +1")

# --- activated by the service-scheme, in calls that are set up from here on
t.say("a rule that a trigger activates")
t.both_charge("ab", "trigger-condition always", "any-match = TRUE", "exit", "trigger-action give",
              "activate-predef-rule pre3", "exit", "service-scheme scheme", "trigger sess-setup",
              "priority 1 trigger-condition always trigger-action give", "exit", "exit")
t.equal(charged("a", 3, 7060), {"any"}, "a call that was there has it not")
call[4] = t.add("a", 4)
before, known = known, identities("a")
t.equal({i: known.get(i) for i in before}, before, "a further session changes the session-id of none")
t.equal(charged("a", 4, 7060), {"pre3"}, "one that is set up has")
t.equal(list(rules("a", 4)), ["pre3"], "it is shown as one that was activated")
t.equal(t.counter("a", "triggers_activated"), 1, "and counted")
t.check("activate-predef-rule" not in t.ctl("a", "show configuration errors"), "the command has an effect")

# --- the death of a session manager
t.say("session recovery")
t.quiet()
kill_sessmgr("a", 1)
kill_sessmgr("a", 2) if t.sessions("a", callid=call[2])[0]["instance"] != \
    t.sessions("a", callid=call[1])[0]["instance"] else None
t.equal((charged("a", 1, 7000), charged("a", 1, 7020)), ({"d1"}, {"pre1"}), "FR-005, FR-007: after it")
t.check(flow("a", 1, 7000)["recovered"] and flow("a", 1, 7020)["recovered"], "FR-005, FR-007: recovered")
t.equal(bearers("a", 2), held, "FR-010: bearers and filters are the same")
t.equal(identities("a"), known, "each session has the session-id that it had")

# --- a planned switchover, and kill
t.say("switchover")
t.synchronised("a", "b")
t.balanced("a", "b")
t.switch("a", "b")
t.synchronised("b", "a")
t.equal((charged("b", 1, 7000), charged("b", 1, 7020)), ({"d1"}, {"pre1"}), "FR-005, FR-007: on B")
t.equal(charged("b", 4, 7060), {"pre3"}, "what the trigger has activated is there")
t.equal(t.rule("b", "any") or (0, 0, 0, 0), (0, 0, 0, 0), "FR-029: no byte was on the default rule")
t.equal(bearers("b", 2), held, "FR-010: on B")
t.equal(identities("b"), known, "and on B the same session-ids")

t.say("kill -9")
t.quiet("b", "a")
t.ctl("a", f"debug session unsettled callid {call[1]}")
t.takeover("b", "a")
t.equal(charged("a", 1, 7000), {"any"}, "FR-028: the unsettled call: L3/L4 line")
t.equal(bearers("a", 2), held, "FR-010: after the kill")
t.equal(identities("a"), known, "each session has the session-id that it had")
t.equal(charged("a", 2, 7010), {"static"}, "FR-028: another call: its own rule")
t.ctl("a", f"session control end callid {call[1]}")
t.equal(charged("a", 1, 7000), {"d1"}, "FR-029: settled: its own rule again")
t.ctl("a", f"session control begin callid {call[1]}")
was = t.volumes("a", "session", call[1]), t.rule_row("a", "any")["pending_bytes"]
t.equal(charged("a", 1, 7000), {"any"}, "FR-026: in a transaction: the L3/L4 line")
now = t.volumes("a", "session", call[1]), t.rule_row("a", "any")["pending_bytes"]
t.equal(now[1] - was[1], sum(now[0][""][k] - was[0][""][k] for k in (1, 3)), "FR-026: each byte is counted so")
t.ctl("a", f"session control end callid {call[1]}")
t.equal(charged("a", 1, 7000), {"d1"}, "FR-027: at its end by d1 again")

# --- flow status of a recovered flow
t.say("flow status")
give("a", 1, "rule modify", "name d1 flow-status enabled-uplink")
sock = ue[(1, 7000, 0)]
to = echo(sock, server[7000], b"up", (v4(20), 7000))
server[7000].sendto(b"down", to)
t.equal(arrives(sock), None, "FR-061: enabled-uplink: nothing comes down")
give("a", 1, "rule modify", "name d1 flow-status disabled")
sock.sendto(b"up", (v4(20), 7000))
t.equal(arrives(server[7000]), None, "FR-061: disabled: nothing goes up")
give("a", 1, "rule modify", "name d1 flow-status enabled")
t.equal(charged("a", 1, 7000), {"d1"}, "FR-061: enabled: it goes on")
t.check(flow("a", 1, 7000)["recovered"], "FR-061: of the recovered flow")

# --- its rule is taken
t.say("the rule is uninstalled")
was = t.counter("a", "flows_created")
give("a", 1, "rule remove", "name d1")
t.equal(charged("a", 1, 7000), {"any"}, "FR-021: the flow goes on by the L3/L4 line")
f = flow("a", 1, 7000)
t.equal((f["recovered"], f["checkpointed"]), (True, False), "FR-021: its checkpoint is deleted, not the flow")
t.equal(t.counter("a", "flows_created"), was, "FR-021: it is the same flow")

# --- a bearer for a recovered flow of a static rule, and the handoff to WLAN
t.say("bearers of recovered flows")
t.equal(charged("a", 1, 7010), {"static"}, "FR-082: the static rule")
t.equal(flow("a", 1, 7010)["bearer"], 5, "FR-082: on the default bearer")
give("a", 1, "bearer create", 'id 7 qci 2 tft "udp any port 7010"')
t.equal(charged("a", 1, 7010), {"static"}, "FR-082: the same rule when there is a TFT")
t.equal(flow("a", 1, 7010)["bearer"], 7, "FR-082: on the dedicated bearer")
t.check(any(v["bearer"] == 7 and v["of"] == "rule" and v["name"] == "static" and v["bytes_up"] for v in
            t.bed.show("a", f"show active-charging sessions callid {call[1]}", "of", "bearer")),
        "FR-083: its volume is that of the dedicated bearer")
t.ctl("a", f"session control begin callid {call[1]}")
t.ctl("a", f"session bearer delete callid {call[1]} id 7")
t.ctl("a", f"session handoff callid {call[1]} rat-type wlan")
t.ctl("a", f"session control end callid {call[1]}")
t.equal(charged("a", 1, 7010) and flow("a", 1, 7010)["bearer"], 5, "FR-080, FR-081: on the default bearer")
talk(3, 7000)
give("a", 3, "bearer create", 'id 6 qci 1 tft "udp any"')
give("a", 3, "rule install", 'name d1 precedence 1 bearer 6 filters "udp any"')
t.equal(charged("a", 3, 7000), {"d1"}, "FR-080: a rule of the dedicated bearer")
t.ctl("a", f"session handoff callid {call[3]} rat-type wlan")
t.equal(charged("a", 3, 7000), {"any"}, "FR-080: after the handoff by the L3/L4 line")
t.equal(bearers("a", 3)[-1][0], 5, "FR-080: dedicated bearers did not go along")
t.check(any(r["name"] == "d1" and r["bytes_up"] for r in
            t.json("a", "show active-charging ruledef statistics")["dynamic_rules"]),
        "dynamic rules are counted by name")
t.end()
END
