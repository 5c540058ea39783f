#!/bin/bash
# What a matched rule does: priority order, groups, discard of either direction, idle timeouts,
# volumes by rule, content-id and session, and what no rule matches.
. "${0%/*}/lib/traffic.sh"
t_begin

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    idle-timeout udp 2
		    ruledef one
		      udp dst-port = 7001
		      udp src-port = 7001
		      multi-line-or all-lines
		    #exit
		    ruledef all-udp
		      udp any-match = TRUE
		    #exit
		    ruledef no-up
		      udp either-port = 7010
		    #exit
		    ruledef no-down
		      udp either-port = 7011
		    #exit
		    ruledef no-both
		      udp either-port = 7012
		    #exit
		    ruledef short
		      udp either-port = 7020
		    #exit
		    ruledef ever
		      udp either-port = 7021
		    #exit
		    ruledef member-a
		      udp either-port range 7030 to 7034
		    #exit
		    ruledef member-b
		      udp either-port = 7035
		    #exit
		    group-of-ruledefs group
		      add-ruledef priority 1 ruledef member-a
		      add-ruledef priority 2 ruledef member-b
		    #exit
		    charging-action c1
		      content-id 101
		      cca charging credit rating-group 11
		    #exit
		    charging-action c2
		      content-id 102
		    #exit
		    charging-action free
		      service-identifier 5
		    #exit
		    charging-action no-up
		      flow action discard uplink
		      content-id 103
		    #exit
		    charging-action no-down
		      flow action discard downlink
		      content-id 104
		    #exit
		    charging-action no-both
		      flow action discard
		      content-id 105
		    #exit
		    charging-action short
		      flow idle-timeout 1
		    #exit
		    charging-action ever
		      flow idle-timeout 0
		    #exit
		    rulebase gold
		      action priority 200 ruledef all-udp charging-action c2
		      action priority 100 ruledef one charging-action c1
		    #exit
		    rulebase swapped
		      action priority 200 ruledef one charging-action c1
		      action priority 100 ruledef all-udp charging-action c2
		    #exit
		    rulebase limits
		      action priority 1 ruledef no-up charging-action no-up
		      action priority 2 ruledef no-down charging-action no-down
		      action priority 3 ruledef no-both charging-action no-both
		      action priority 4 ruledef short charging-action short
		      action priority 5 ruledef ever charging-action ever
		      action priority 6 ruledef all-udp charging-action free
		    #exit
		    rulebase groups
		      action priority 1 group-of-ruledefs group charging-action c1
		      action priority 2 ruledef member-a charging-action c2
		      action priority 3 ruledef all-udp charging-action c2
		    #exit
		    rulebase loose
		      action priority 1 ruledef one charging-action no-such-action
		      action priority 2 ruledef no-such-ruledef charging-action c1
		      action priority 3 ruledef member-b charging-action c2
		    #exit
		  #exit
		end
	CONF
}
t_pair
t_python <<'END'
from traffic import *

tap = t.tap("ue", "ue0")
servers = {}


def server(port):
    if port not in servers:
        servers[port] = t.socket("srv", v4(20), port)
    return servers[port]


def user(i, port):
    return t.socket("ue", sub4(i), port)


def outside(sub, *ports):
    return volume([p for p in tap.packets(peer=sub4(sub)) if {p.sport, p.dport} & set(ports)],
                  v4(20))


calls = {name: t.add("a", i, more=f"rulebase {name}")
         for i, name in enumerate(("gold", "swapped", "limits", "groups", "loose"), 1)}

t.say("the lowest priority that matches decides, whatever the order in the file")
for i, (name, want) in enumerate((("gold", "one"), ("swapped", "all-udp")), 1):
    for port in (7001, 7002):
        c, s = user(i, 20000 + port), server(port)
        echo(c, s, b"x" * 100, (v4(20), port))
        echo(s, c, b"y" * 200, (sub4(i), 20000 + port))
        t.equal(t.flow("a", subscriber=sub4(i), server_port=port)["rule"], want if port == 7001
                else "all-udp",
                f"rulebase {name}, port {port}")
t.equal(t.volumes("a", callid=calls["gold"]), {"one": outside(1, 7001),
                                               "all-udp": outside(1, 7002)}, "volumes by rule")
t.equal(t.volumes("a", "content-id", calls["gold"]),
        {"101": outside(1, 7001), "102": outside(1, 7002)},
        "volumes by content-id")
t.equal(t.volumes("a", "content-id", calls["swapped"]), {"102": outside(2, 7001, 7002)},
        "two flows of one content-id")
t.equal(t.volumes("a", "session", calls["gold"])[""], outside(1, 7001, 7002),
        "the session's is their sum")
t.becomes(lambda: t.volumes("b", callid=calls["gold"]), t.volumes("a", callid=calls["gold"]),
          "the standby has them too")
row = t.sessions("a", callid=calls["gold"])[0]
t.equal((row["packets_up"], row["bytes_up"], row["packets_down"], row["bytes_down"]),
        outside(1, 7001, 7002),
        "show subscribers says the same")

t.say("discard")
for port, up, down, name in ((7010, False, True, "no-up"), (7011, True, False, "no-down"),
                             (7012, False, False, "no-both")):
    c, s = user(3, 20000 + port), server(port)
    before, drops = t.rule_row("a", name), t.counter("a", "drop_discard")
    for _ in range(3):
        c.sendto(b"up", (v4(20), port))
        s.sendto(b"down", (sub4(3), 20000 + port))
    t.becomes(lambda: t.rule_row("a", name)["hits"] - before["hits"], 6, f"{name}: all six were hits")
    got_up, got_down = [arrives(s, 0.3) for _ in range(3)], [arrives(c, 0.3) for _ in range(3)]
    t.equal(got_up, [b"up" if up else None] * 3,
            f"{name}: uplink {'passes' if up else 'is dropped'}")
    t.equal(got_down, [b"down" if down else None] * 3,
            f"{name}: downlink {'passes' if down else 'is dropped'}")
    row = t.rule_row("a", name)
    t.equal((row["packets_up"], row["packets_down"]), (3 * up, 3 * down),
            f"{name}: what is dropped is not charged")
    t.equal(t.counter("a", "drop_discard") - drops, 6 - 3 * up - 3 * down,
            f"{name}: and is counted as dropped")
t.equal({n: v[0::2] for n, v in t.volumes("a", "content-id", calls["limits"]).items()},
        {"103": (0, 3), "104": (3, 0)}, "content-ids have what passed")

t.say("idle timeouts")
idle = t.counter("a", "flows_idle")
for port, what in ((7020, "the action's: 1 s"), (7021, "the action's: never"),
                   (7022, "the service's: 2 s")):
    echo(user(3, 20000 + port), server(port), b"one packet", (v4(20), port))
started = time.monotonic()


def lives(port):
    return bool(t.flows("a", subscriber=sub4(3), server_port=port))


t.equal({t.flow("a", subscriber=sub4(3), server_port=p)["idle_timeout_s"]
         for p in (7020, 7021, 7022)}, {1, 0, 2},
        "flows show the timeout of their rule")
gone, again = {}, user(3, 27023)
for _ in turns(PATIENCE, 0.1):
    if len(gone) == 2:
        break
    echo(again, server(7023), b"keeps on", (v4(20), 7023))
    for port in (7020, 7022):
        if port not in gone and not lives(port):
            gone[port] = time.monotonic() - started
t.check(0.8 < gone.get(7020, 0) < gone.get(7022, 0),
        "first the action's, then the service's ended their flows", gone)
t.check(gone.get(7022, 0) > 1.8, "none of them early", gone)
t.check(lives(7021), "the one without a timeout lives")
t.check(lives(7023), "so does the one with traffic")
t.check(t.counter("a", "flows_idle") - idle >= 2, "counted")
t.equal(len(t.sessions("a", callid=calls["limits"])), 1, "the session is still there")

t.say("groups")
for port, want in ((7030, "group"), (7035, "group"), (7036, "all-udp")):
    echo(user(4, 20000 + port), server(port), b"member", (v4(20), port))
    t.equal(t.flow("a", subscriber=sub4(4), server_port=port)["rule"], want,
            f"port {port}: rule {want}")
t.equal(t.rule("a", "group"), outside(4, 7030, 7035), "counted under the group's name")
t.equal(t.rule("a", "member-a"), (0, 0, 0, 0), "not under the member's")
t.equal(t.volumes("a", "content-id", calls["groups"])["101"], outside(4, 7030, 7035),
        "with the group's action")

t.say("what no rule matches, and lines without effect")
before = t.counter("a", "no_rule_packets")
for port in (7001, 7040):
    c, s = user(5, 20000 + port), server(port)
    echo(c, s, b"forwarded", (v4(20), port))
    echo(s, c, b"forwarded too", (sub4(5), 20000 + port))
t.equal(t.counter("a", "no_rule_packets") - before, 4, "forwarded by no rule, and counted")
t.equal(t.rule("a", "(no rule)"), outside(5, 7001, 7040), "with their bytes")
t.equal(t.volumes("a", callid=calls["loose"]), {"(no rule)": outside(5, 7001, 7040)},
        "in the session as well")
t.equal(t.flow("a", subscriber=sub4(5), server_port=7001)["rule"], "(no rule)",
        "a line whose charging-action is not there has no effect")
echo(user(5, 27035), server(7035), b"still", (v4(20), 7035))
t.equal(t.flow("a", subscriber=sub4(5), server_port=7035)["rule"], "member-b",
        "the lines behind it have")
errors = t.ctl("a", "show configuration errors")
for name in ("no-such-action", "no-such-ruledef"):
    t.check(name in errors, f"show configuration errors names {name}")
text = t.ctl("a", "show active-charging ruledef statistics")
t.check("Forwarded by no rule" in text, "show active-charging ruledef statistics says it", text)
t.quiet()
t.balanced("a", "b")
t.end()
END
