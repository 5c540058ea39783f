#!/bin/bash
# The two chassis define a rule differently: a flow of it that is recovered is charged by the L3/L4
# rule, with the reason, and never by what the name means here. Rules that are equal are bound.
. "${0%/*}/lib/traffic.sh"
t_begin

# shellcheck disable=SC2154 # me is of bed_config
bed_config_charging() { # of chassis $me, of bed_config
	local host=x.test content=5 gone=gone
	[ "$me" = a ] || { host=y.test content=6 gone=moved; }
	cat <<-CONF
		  active-charging service ecs
		    ruledef same
		      udp either-port = 7001
		    #exit
		    ruledef lines
		      udp either-port = 7002
		      http host = $host
		      multi-line-or all-lines
		    #exit
		    ruledef action
		      udp either-port = 7003
		    #exit
		    ruledef $gone
		      udp either-port = 7004
		    #exit
		    ruledef member
		      udp either-port = 7005
		      http host = $host
		      multi-line-or all-lines
		    #exit
		    group-of-ruledefs group
		      add-ruledef priority 1 ruledef member
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action differs
		      content-id $content
		    #exit
		    rulebase gold
		      action priority 1 ruledef same charging-action count
		      action priority 2 ruledef lines charging-action count
		      action priority 3 ruledef action charging-action differs
		      action priority 4 ruledef $gone charging-action count
		      action priority 5 group-of-ruledefs group charging-action count
		      action priority 9 ruledef any charging-action count
		    #exit
	CONF
	t_recover "rule-name = same" "rule-name = lines" "rule-name = action" "rule-name = gone" "rule-name = group" \
		"rule-name = moved"
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
from traffic import *

call = t.add("a", 1)
WHY = {7001: ("same", "ok"), 7002: ("lines", "rule differs"),
       7003: ("action", "charging-action differs"),
       7004: ("gone", "no such rule"), 7005: ("group", "rule differs")}
ends = {}
for port in WHY:
    s, c = t.socket("srv", v4(20), port), t.socket("ue", sub4(1), 20000 + port)
    ends[port] = c, s
    echo(c, s, b"x" * 100, (v4(20), port))
t.quiet()
for port, (name, why) in WHY.items():
    t.equal(t.flow("a", server_port=port)["rule"], name, f"A: port {port} is on rule {name}")
    f = t.flow("b", server_port=port)
    t.equal((f["rule"], f["bind"]), (name, why), f"B: the flow names it, and says: {why}")
t.check("equal" not in str(t.info("a").get("config_validation", "")).lower(),
        "show srp info does not call the configurations equal",
        t.info("a").get("config_validation"))
said = t.refused("a", "srp initiate-switchover -noconfirm")
t.check(said and "onfiguration" in said, "a planned switchover is refused for it", said)

t.say("kill -9 of A")
before = t.volumes("b", callid=call)
t.equal(before, t.volumes("a", callid=call), "volumes are kept by name, whatever the definition")
t.takeover("a", "b")
LOCAL = {"same": {"same"}, "lines": {"any"}, "action": {"action"}, "gone": {"moved"},
         "group": {"any"}}
ZERO = (0,) * 4


def round_of_all(text):
    """Traffic on every flow: each is charged by the L3/L4 rule of its packets, as they match here."""
    for port, (name, why) in WHY.items():
        c, s = ends[port]
        was = t.volumes("b", callid=call)
        echo(c, s, b"y" * 1000, (v4(20), port))
        echo(s, c, b"z" * 500, (sub4(1), 20000 + port))
        now = t.volumes("b", callid=call)
        t.equal({n for n in now if now[n] != was.get(n, ZERO)}, LOCAL[name],
                f"{text}, {name} ({why}): charged by {'its rule' if why == 'ok' else 'the L3/L4 rule of the packet'}")
        f = t.flow("b", server_port=port)
        t.equal((f["rule"], f["recovered"], f["bind"]), (name, True, why),
                f"{name}: its verdict and the reason stay")


t.equal(t.sessions("b", callid=call)[0]["pending"], 2,
        "the session is pending: not all that its records name is here")
c = t.counters("b")
round_of_all("pending")
now = t.counters("b")
t.equal((now["pending_packets"] - c["pending_packets"],
         now["unbound_packets"] - c["unbound_packets"]), (10, 0),
        "its ten packets are counted as charged while pending")
t.ctl("b", f"session control end callid {call}")
t.equal(t.sessions("b", callid=call)[0]["pending"], 0, "the control plane has spoken")
round_of_all("settled")
after = t.counters("b")
t.equal((after["pending_packets"] - now["pending_packets"],
         after["unbound_packets"] - now["unbound_packets"]), (0, 8),
        "now the eight of the four flows without their rule are counted as such")
t.end()
END
