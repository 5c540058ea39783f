#!/bin/bash
# Which flows are checkpointed: by the name of their rule, under the scheme of their subscriber,
# after the delay, within the limit of the call; and what `show srp checkpoint statistics` says of
# it.
. "${0%/*}/lib/traffic.sh"
t_begin

rule() { # NAME PORT...
	local name=$1 port
	shift
	echo "    ruledef $name"
	for port; do echo "      udp either-port = $port"; done
	printf '      multi-line-or all-lines\n    #exit\n'
}
bed_config_charging() {
	echo "  active-charging service ecs"
	echo "    system-limit flow-chkpt-per-call 5"
	echo "    idle-timeout udp 600"
	rule exact 7001
	rule exact-not 7002
	rule voice-1 7003
	rule my-video 7004
	rule a-mid-b 7005
	rule member 7006
	rule late 7007
	rule brief 7008
	rule other 7009
	cat <<-CONF
		    group-of-ruledefs group
		      add-ruledef priority 1 ruledef member
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action brief
		      flow idle-timeout 1
		    #exit
	CONF
	for base in gold plain; do
		echo "    rulebase $base"
		n=0
		for name in exact exact-not voice-1 my-video a-mid-b late other; do
			echo "      action priority $((n += 1)) ruledef $name charging-action count"
		done
		echo "      action priority 20 ruledef brief charging-action brief"
		echo "      action priority 30 group-of-ruledefs group charging-action count"
		echo "    #exit"
	done
	cat <<-CONF
		    trigger-action recover
		      flow-recovery
		    #exit
		    trigger-action nothing
		    #exit
		    trigger-condition now
		      rule-name = exact
		      rule-name starts-with voice
		      rule-name ends-with video
		      rule-name contains mid
		      rule-name = group
		      rule-name = brief
		    #exit
		    trigger-condition later
		      rule-name = late
		      delay = 2
		    #exit
		    trigger-condition without
		      rule-name = other
		    #exit
		    service-scheme scheme
		      trigger flow-create
		        priority 1 trigger-condition now trigger-action recover
		        priority 2 trigger-condition later trigger-action recover
		        priority 3 trigger-condition without trigger-action nothing
		      #exit
		    #exit
		    subs-class golden
		      rulebase = gold
		    #exit
		    subscriber-base default
		      priority 1 subs-class golden bind service-scheme scheme
		    #exit
		  #exit
		end
	CONF
}
t_pair
t_python <<'END'
from traffic import *

servers, users = {}, {}


def flow(i, port, sport=0):
    """One packet of a flow of subscriber i to a port."""
    if port not in servers:
        servers[port] = t.socket("srv", v4(20), port)
    users[i, port, sport] = t.socket("ue", sub4(i), sport)
    echo(users[i, port, sport], servers[port], b"packet", (v4(20), port))
    return users[i, port, sport]


def at(chassis, i):
    """Rules of the flows of a subscriber."""
    return sorted(f["rule"] for f in t.flows(chassis, subscriber=sub4(i)))


def rows():
    return {k: t.checkpoints("a").get(k, {}).get("sent")
            for k in ("ACS_FLOW_INFO", "DEL_ACS_FLOW_INFO")}


t.say("before the first flow checkpoint there is no row for it")
calls = {i: t.add("a", i) for i in range(1, 6)}
plain = t.add("a", 9, more="rulebase plain")
t.quiet()
t.equal(rows(), {"ACS_FLOW_INFO": None, "DEL_ACS_FLOW_INFO": None}, "FR-156: sessions alone: neither row")
for kind in ("Full Checkpoint", "ACS_CALL_INFO", "ACS_SESS_INFO"):
    t.check(t.sent("a", kind) >= 6, f"FR-183: {kind} was sent for the six sessions")
flow(1, 7002)
flow(1, 7009)
flow(9, 7001)
t.quiet()
t.equal(rows(), {"ACS_FLOW_INFO": None, "DEL_ACS_FLOW_INFO": None},
        "FR-002, FR-089, FR-103: a rule not named, an action without flow-recovery, a subscriber without "
        "scheme: still neither")
t.equal(at("b", 1) + at("b", 9), [], "the standby has none of these flows")

t.say("by name")
flow(1, 7001)
t.becomes(lambda: at("b", 1), ["exact"], "FR-105, FR-106: the standby has the flow of the rule named exactly")
t.equal(rows(), {"ACS_FLOW_INFO": 1, "DEL_ACS_FLOW_INFO": None},
        "FR-157: now there is the one row, with 1 sent")
for port in (7003, 7004, 7005, 7006):
    flow(1, port)
t.becomes(lambda: at("b", 1), ["a-mid-b", "exact", "group", "my-video", "voice-1"],
          "FR-102, FR-107: starts-with, ends-with, contains; FR-006, FR-095: a group under its own name, though "
          "its member is not listed")
t.equal({f["checkpointed"] for f in t.flows("a", rule="exact")}, {True, False},
        "flows on A say whether they are checkpointed: not that of the subscriber without scheme")
f = t.flow("b", subscriber=sub4(1), rule="exact")
t.equal((f["server"], f["server_port"], f["protocol"], f["bind"]), (v4(20), 7001, 17, "ok"),
        "with its key, bound to its rule")

t.say("the limit of a call: five")
flow(1, 7001, 31001)
flow(1, 7001, 31002)
t.quiet()
t.equal(len(at("b", 1)), 5, "FR-015: the sixth and seventh of a call are not checkpointed")
t.equal((t.counter("a", "limit_call"), t.counter("a", "limit_sessmgr")), (2, 0),
        "FR-101: counted, under the limit that it was")
flow(2, 7001)
t.becomes(lambda: at("b", 2), ["exact"], "FR-121: another call has its own")
t.ctl("a", f"clear active-charging flows callid {calls[1]}")
t.becomes(lambda: at("b", 1), [], "cleared flows are deleted on the standby")
t.equal(rows()["DEL_ACS_FLOW_INFO"], rows()["ACS_FLOW_INFO"] - 1,
        "DEL_ACS_FLOW_INFO: one for each that was there")
for sport in range(31010, 31017):
    flow(1, 7008 if sport == 31011 else 7001, sport)
t.becomes(lambda: len(at("b", 1)), 5, "again five of seven")
t.becomes(lambda: sorted(f["subscriber_port"] for f in t.flows("b", subscriber=sub4(1))),
          [31010, 31012, 31013, 31014, 31015],
          "FR-050: when one idles out, its slot goes to the oldest that waits")

t.say("deleted when idle")
sent = rows()
flow(3, 7008)
t.becomes(lambda: at("b", 3), ["brief"], "a flow with an idle timeout of a second")
t.becomes(lambda: at("b", 3), [], "FR-158: is deleted on the standby when it has been idle")
t.equal({k: v - sent[k] for k, v in rows().items()}, {"ACS_FLOW_INFO": 1, "DEL_ACS_FLOW_INFO": 1},
        "one record each")

t.say("the delay of two seconds")
sent = rows()
began = time.monotonic()
flow(4, 7007)
t.equal((at("a", 4), at("b", 4)), (["late"], []), "it lives on A, and is not on B")
t.becomes(lambda: at("b", 4), ["late"], "then it is")
t.check(time.monotonic() - began > 1.8, "not before the delay", time.monotonic() - began)
flow(5, 7007)
t.ctl("a", f"clear active-charging flows callid {calls[5]}")
flow(4, 7007, 31018)
t.becomes(lambda: at("b", 4), ["late", "late"], "one that came after it has had its delay")
t.quiet()
t.equal({k: v - sent[k] for k, v in rows().items()}, {"ACS_FLOW_INFO": 2, "DEL_ACS_FLOW_INFO": 0},
        "FR-097: a flow that ended before its delay: neither a checkpoint nor a deletion")

t.say("within its delay a flow holds no place")
flow(3, 7007, 31020)
for sport in range(31021, 31026):
    flow(3, 7008 if sport == 31021 else 7001, sport)
t.equal(t.flow("a", subscriber=sub4(3), rule="late")["checkpointed"], False, "FR-013: it is not checkpointed yet")
t.becomes(lambda: at("b", 3), ["brief"] + ["exact"] * 4, "FR-015: five others of the call are")
t.becomes(lambda: at("b", 3), ["exact"] * 4 + ["late"], "FR-050: it takes the place of one that has ended by then")

t.say("the other kinds")
t.becomes(lambda: echo(users[2, 7001, 0], servers[7001], b"again", (v4(20), 7001))
          and t.sent("a", "UPDATE_CLPSTATS"),
          lambda n: n >= 1, "FR-179: UPDATE_CLPSTATS for a call with traffic, now and then", 30)
t.check("INVALIDATE_CRR" not in t.checkpoints("a"),
        "no call was deleted yet: no row INVALIDATE_CRR")
t.ctl("a", f"session delete callid {calls[3]}")
t.becomes(lambda: t.sent("a", "INVALIDATE_CRR"), 1, "one INVALIDATE_CRR for a call that ends")
t.becomes(lambda: len(t.sessions("b", callid=calls[3])), 0, "it is gone on the standby")
t.quiet()

t.say("both sides say the same")
sent, received = t.checkpoints("a"), t.checkpoints("b", "received")
for kind in ("ACS_FLOW_INFO", "DEL_ACS_FLOW_INFO", "ACS_CALL_INFO", "ACS_SESS_INFO",
             "Full Checkpoint", "ACS_USAGE_INFO",
             "UPDATE_CLPSTATS", "INVALIDATE_CRR"):
    t.equal(received.get(kind, {}).get("received"), sent[kind]["sent"],
            f"FR-155, FR-164: {kind}: received on B = sent by A")
    t.equal(sent[kind]["attempted"],
            sent[kind]["sent"] + sent[kind]["rate_limited"] + sent[kind]["encode_failed"]
            + sent[kind]["encode_ignored"], f"FR-165: {kind}: attempted is accounted for")
t.balanced("a", "b")
t.end()
END
