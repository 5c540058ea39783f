#!/bin/bash
# The life of the checkpoint of a flow: who has one and when, what ends it before and after recoveries, which
# rule the flow has afterwards. Each check bears the number of what it shows: chassis-requirements(7).
export BED_SR=yes
. "${0%/*}/lib/traffic.sh"
t_begin

MANY=$(seq 1 30)
rule() { printf '    ruledef %s\n      %s\n    #exit\n' "$1" "$2"; }
scheme() { # RULEBASE CONDITION...
	local base=$1 n=0 c
	shift
	printf '    service-scheme %s\n      trigger flow-create\n' "$base"
	for c; do printf '        priority %d trigger-condition %s trigger-action recover\n' $((n += 1)) "$c"; done
	printf '      #exit\n    #exit\n    subs-class %s\n      rulebase = %s\n    #exit\n' "$base" "$base"
}
bed_config_charging() {
	local n base k
	cat <<-CONF
		  active-charging service ecs
		    idle-timeout tcp 600
		    idle-timeout udp 600
		    system-limit flow-chkpt-per-call 40
		    charging-action count
		      content-id 1
		    #exit
		    charging-action brief
		      flow idle-timeout 5
		    #exit
	CONF
	rule one 'udp either-port = 7001'
	rule two 'udp either-port = 7001'
	rule abc 'udp either-port = 7011'
	rule xabc 'udp either-port = 7012'
	rule abcx 'udp either-port = 7013'
	rule xabcx 'udp either-port = 7014'
	for n in $MANY; do rule "many-$n-" "udp either-port = $((7100 + n))"; done
	rule twice 'udp either-port = 7201'
	rule web 'http host = www.test'
	rule other 'http host = other.test'
	rule late 'http host = late.test'
	rule plain 'http host = plain.test'
	rule short 'http host = short.test'
	rule voice 'udp either-port = 7301'
	rule silent 'udp either-port = 7302'
	rule control 'tcp either-port = 554'
	rule media 'udp either-port = 6970'
	rule any 'ip any-match = TRUE'
	cat <<-CONF
		    rulebase first
		      action priority 1 ruledef one charging-action count
		    #exit
		    rulebase second
		      action priority 1 ruledef two charging-action count
		    #exit
	CONF
	for base in equals contains starts ends; do
		echo "    rulebase $base"
		k=0
		for n in abc xabc abcx xabcx; do
			echo "      action priority $((k += 1)) ruledef $n charging-action count"
		done
		echo "    #exit"
	done
	echo "    rulebase many"
	for n in $MANY; do echo "      action priority $n ruledef many-$n- charging-action count"; done
	cat <<-CONF
		    #exit
		    rulebase gold
		      action priority 1 ruledef web charging-action count
		      action priority 2 ruledef other charging-action count
		      action priority 3 ruledef late charging-action count
		      action priority 4 ruledef plain charging-action count
		      action priority 5 ruledef short charging-action brief
		      action priority 6 ruledef voice charging-action count
		      action priority 7 ruledef silent charging-action brief
		      action priority 8 ruledef twice charging-action count
		      action priority 9 ruledef control charging-action count
		      action priority 10 ruledef media charging-action count
		      action priority 11 ruledef any charging-action count
		      flow control-handshaking charge-to-application all-packets
		      tcp 2msl-timeout 2
		    #exit
		    rulebase after
		      action priority 1 ruledef voice charging-action count
		    #exit
		    trigger-action recover
		      flow-recovery
		    #exit
		    trigger-condition same
		      rule-name = two
		    #exit
		    trigger-condition equals
		      rule-name = abc
		    #exit
		    trigger-condition contains
		      rule-name contains abc
		    #exit
		    trigger-condition starts
		      rule-name starts-with abc
		    #exit
		    trigger-condition ends
		      rule-name ends-with abc
		    #exit
		    trigger-condition now
		      rule-name = web
		      rule-name = other
		      rule-name = short
		      rule-name = voice
		      rule-name = silent
		      rule-name = control
		      rule-name = media
		    #exit
		    trigger-condition delayed
		      rule-name = late
		      delay = 10
		    #exit
		    trigger-condition slow
		      rule-name = twice
		      delay = 6
		    #exit
		    trigger-condition fast
		      rule-name = twice
		    #exit
	CONF
	for n in 1 2; do
		echo "    trigger-condition many-$n"
		for base in $(seq $((n * 15 - 14)) $((n * 15))); do echo "      rule-name = many-$base-"; done
		[ $n = 1 ] || echo "      delay = 6"
		echo "    #exit"
	done
	scheme first same
	scheme second same
	for base in equals contains starts ends; do scheme $base $base; done
	scheme many many-1 many-2
	scheme gold now delayed slow fast
	echo "    subscriber-base default"
	n=0
	for base in first second equals contains starts ends many gold; do
		echo "      priority $((n += 1)) subs-class $base bind service-scheme $base"
	done
	printf '    #exit\n  #exit\nend\n'
}
t_pair
t_python <<'END'
from traffic import *

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
web = t.listen("srv", v4(10), 80)
servers, users, conns = {}, {}, {}
active = "a"


def standby():
    return "b" if active == "a" else "a"


def udp(i, port, sport):
    """A datagram both ways of a flow of subscriber i."""
    if port not in servers:
        servers[port] = t.socket("srv", v4(20), port)
    if (i, sport) not in users:
        users[i, sport] = t.socket("ue", sub4(i), sport)
    to = echo(users[i, sport], servers[port], b"up" * 20, (v4(20), port))
    servers[port].sendto(b"down" * 20, to)
    users[i, sport].recv(1000)


def request(i, sport, host):
    c, s = conns[i, sport]
    push(c, s, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    push(s, c, OK)


def http(i, sport, host=None):
    conns[i, sport] = t.connect(web, "ue", sub4(i), sport)
    if host:
        request(i, sport, host)


def at(chassis, i, sport):
    """Rule of a flow, and whether it is recovered; None: it is not there."""
    got = t.flows(chassis, subscriber=sub4(i), subscriber_port=sport)
    return (got[0]["rule"], got[0]["recovered"]) if len(got) == 1 else None


def on(chassis, i):
    return sorted(f["rule"] for f in t.flows(chassis, subscriber=sub4(i)))


def deleted():
    return t.sent(active, "DEL_ACS_FLOW_INFO")


def taken_over():
    """kill -9 of the active chassis, and it comes back as the standby."""
    global active
    t.takeover(active, standby())
    t.start(active)
    active = standby()
    t.synchronised(active, standby())


def kpi(rule):
    got = t.json(active, "show active-charging flow-kpi all")["flow_kpi"]
    return next(r for r in got if r["rule_name"] == rule)


BASES = ["first", "second", "equals", "contains", "starts", "ends", "many", "gold", "after"]
N = {b: i for i, b in enumerate(BASES, 1)}
calls = {b: t.add("a", i, more=f"rulebase {b}") for b, i in N.items()}
GOLD = N["gold"]

t.say("delays; they run while other things are looked at")
http(GOLD, 20001)
http(GOLD, 20002)
began = time.monotonic()
udp(GOLD, 7201, 21001)
for n in range(1, 31):
    udp(N["many"], 7100 + n, 22000 + n)

t.say("names")
for b in ("first", "second"):
    udp(N[b], 7001, 20100)
t.becomes(lambda: (on("b", N["first"]), on("b", N["second"])), ([], ["two"]),
          "FR-003: of two rules with the same lines the one that is named")
ABC = {"equals": ["abc"], "contains": ["abc", "abcx", "xabc", "xabcx"], "starts": ["abc", "abcx"],
       "ends": ["abc", "xabc"]}
for b, want in ABC.items():
    for n in range(4):
        udp(N[b], 7011 + n, 20200 + n)
for b, want in ABC.items():
    t.becomes(lambda: on("b", N[b]), want, f"FR-106, FR-107: {b}")
t.equal(len(on("b", N["many"])), 15, "FR-112: of two conditions of fifteen the one without delay")
wait_for("some of the delay to pass", PATIENCE, lambda: time.monotonic() - began > 3)
request(GOLD, 20001, "late.test")
matched = time.monotonic() - began
t.check(time.monotonic() - began < 5.8 and at("b", GOLD, 21001) is None and at("b", GOLD, 20001) is None,
        "FR-117, FR-013: flows with a delay are not there", time.monotonic() - began)
t.becomes(lambda: at("b", GOLD, 21001), ("twice", False), "FR-117: then the one that two conditions name")
t.check(5.8 < time.monotonic() - began < 9.5, "FR-117: after the delay of the lower number", time.monotonic() - began)
t.becomes(lambda: len(on("b", N["many"])), 30, "FR-112: all thirty are there")
t.becomes(lambda: at("b", GOLD, 20001), ("late", False), "FR-013: then that whose rule was matched meanwhile")
t.check(9.8 < time.monotonic() - began < 10 + matched, "FR-013: the delay counts from the beginning of the flow",
        time.monotonic() - began)
request(GOLD, 20002, "late.test")
t.becomes(lambda: at("b", GOLD, 20002), ("late", False), "FR-013: a rule that is matched later: at once", 5)

t.say("both replicas")
was = kpi("voice")
udp(GOLD, 7301, 21002)
t.becomes(lambda: (kpi("voice")["sr_sent"], kpi("voice")["gr_sent"]), (was["sr_sent"] + 1, was["gr_sent"] + 1),
          "FR-014: the checkpoint goes to aaamgr and to the peer")

t.say("the limit of a session manager")


def limits(chassis):
    return t.bed.show(chassis, "show active-charging service all", "flow_chkpt_per_call",
                      "flow_chkpt_per_sessmgr")[0]


seen = limits("a")
t.equal((seen["flow_chkpt_per_call"], seen["flow_chkpt_per_sessmgr"]), (40, 1 << 20), "FR-017: it is shown")
t.check(seen["flow_chkpt_held"] > 30 and seen["flow_chkpt_refused_sessmgr"] == 0,
        "FR-017: its refusals are counted apart", seen)
for words in ("system-limit flow-chkpt-per-sessmgr 5", "system-limit flow-chkpt-per-instance 5",
              "no system-limit flow-chkpt-per-sessmgr"):
    t.check("Failure:" in t.charging("a", words)[0], f"FR-018: there is no command {words}")
for c in "ab":
    t.check(t.charging(c, "system-limit flow-chkpt-per-call 50")[1], f"another limit of calls, {c}")
t.becomes(lambda: [limits(c)["flow_chkpt_per_sessmgr"] for c in "ab"], [1 << 20] * 2,
          "FR-018: under another configuration it is the same")

t.say("a flow that was not recovered ends with its FINs")
http(GOLD, 20003, "web.none")
http(GOLD, 20004, "www.test")
t.becomes(lambda: at("b", GOLD, 20004), ("web", False), "it is checkpointed")
t.synchronised("a", "b")
before, waiting = deleted(), len(t.flows("b", subscriber=sub4(GOLD)))
c, s = conns.pop((GOLD, 20004))
c.close()
s.close()
t.becomes(lambda: (at("a", GOLD, 20004), at("b", GOLD, 20004)), (None, None), "FR-025: gone after 2MSL")
t.equal(deleted(), before + 1, "FR-025: its checkpoint is deleted")
t.equal(len(t.flows("b", subscriber=sub4(GOLD))), waiting - 1, "FR-025: its place is free")

t.say("a scheme that comes later")
udp(N["after"], 7301, 20300)
said = [t.charging(x, "subs-class after", "rulebase = after", "exit", "subscriber-base default",
                   "priority 20 subs-class after bind service-scheme gold") for x in "ab"]
t.check(all(good for _, good in said), "it is bound to these subscribers", said)
udp(N["after"], 7301, 20301)
t.becomes(lambda: at("b", N["after"], 20301), ("voice", False), "FR-118: a new flow is checkpointed")
t.quiet()
t.equal(at("b", N["after"], 20300), None, "FR-118: that of before is not looked at")

t.say("which rule a flow has that has moved")
http(GOLD, 20010, "www.test")
http(GOLD, 20011, "www.test")
for sport in (20012, 20013, 20014):
    http(GOLD, sport, "www.test")
http(GOLD, 20015, "short.test")
udp(GOLD, 7302, 21003)
rtsp = t.connect(t.listen("srv", v4(10), 554), "ue", sub4(GOLD), 20018)
push(*rtsp, b"SETUP rtsp://media.test/1 RTSP/1.0\r\nCSeq: 1\r\n"
            b"Transport: RTP/AVP;unicast;client_port=21018-21019\r\n\r\n")
push(*reversed(rtsp), b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"
                      b"Transport: RTP/AVP;unicast;client_port=21018-21019;server_port=6970-6971\r\n\r\n")
udp(GOLD, 6970, 21018)
request(GOLD, 20010, "other.test")
t.becomes(lambda: at("b", GOLD, 20010), ("other", False), "the standby has its second rule")
t.quiet()
held = {(f["subscriber"], f["subscriber_port"]): f["rule"] for f in t.flows("b")}
taken_over()
t.equal({(f["subscriber"], f["subscriber_port"]): f["rule"] for f in t.flows(active, recovered=True)
         if f["rule"] not in ("short", "silent")},
        {k: v for k, v in held.items() if v not in ("short", "silent")},
        "FR-001, FR-015: after kill -9 all that were checkpointed are recovered, by their rules")
t.equal(at(active, GOLD, 20010), ("other", True), "FR-053: the rule that was matched last")
request(GOLD, 20010, "www.test")
t.equal(at(active, GOLD, 20010), ("other", True), "FR-019: which it keeps")

was = t.volumes(active, callid=calls["gold"])
push(*rtsp, b"PLAY rtsp://media.test/1 RTSP/1.0\r\nCSeq: 2\r\n\r\n")
udp(GOLD, 6970, 21018)
now = t.volumes(active, callid=calls["gold"])
t.equal((at(active, GOLD, 20018), at(active, GOLD, 21018)), (("control", True), ("media", True)),
        "FR-086: an RTSP session and its RTP are both recovered")
t.check(now["control"][1] > was["control"][1] and now["media"][1] > was["media"][1] and
        now["media"][3] > was["media"][3], "FR-086: each goes on on its own rule")

t.say("what ends recovered flows")
udp(GOLD, 7302, 21003)
request(GOLD, 20015, "short.test")
idle_from = time.monotonic()
c, s = conns.pop((GOLD, 20015))
c.close()
s.close()
t.quiet(active, standby())
before = deleted()
reset(conns.pop((GOLD, 20012))[0])
t.becomes(lambda: (at(active, GOLD, 20012), deleted()), (None, before + 1), "FR-023: RST of the client: gone, deleted")
reset(conns.pop((GOLD, 20013))[1])
t.becomes(lambda: (at(active, GOLD, 20013), deleted()), (None, before + 2), "FR-023: RST of the server: gone, deleted")
alive = []


def idle():
    when, got = time.monotonic() - idle_from, (at(active, GOLD, 20015), at(active, GOLD, 21003))
    if got == (("short", True), ("silent", True)):
        alive.append(when)
    return got


t.becomes(idle, (None, None), "FR-024, FR-049: gone after the idle timeout")
t.check(time.monotonic() - idle_from > 4.8, "FR-049: not before", time.monotonic() - idle_from)
t.check(alive and alive[-1] > 2.2, "FR-024, FR-049: before that, after 2MSL: both FINs have not ended it, nor silence",
        alive[-1:])
t.becomes(lambda: (at(standby(), GOLD, 20015), at(standby(), GOLD, 21003), deleted()), (None, None, before + 4),
          "FR-022, FR-024: their checkpoints are deleted at the peer")

t.say("its rule leaves the rulebase and comes back")


def gold(*lines):
    return all([t.charging(x, "rulebase gold", *lines)[1] for x in "ab"])


was = t.volumes(active, callid=calls["gold"])
t.check(gold("no action priority 6"), "FR-021: the rule of a recovered flow is taken out")
t.becomes(lambda: (at(standby(), GOLD, 21002), deleted()), (None, before + 5), "FR-021: its checkpoint is deleted")
udp(GOLD, 7301, 21002)
now = t.volumes(active, callid=calls["gold"])
t.equal(now["voice"], was["voice"], "FR-021: it goes on, and not by that rule")
t.check(gold("action priority 6 ruledef voice charging-action count"), "FR-021: the rule comes back")
t.becomes(lambda: at(standby(), GOLD, 21002), ("voice", False), "FR-021: and with it the checkpoint")
udp(GOLD, 7301, 21002)
t.check(t.volumes(active, callid=calls["gold"])["voice"][1] > now["voice"][1] and
        at(active, GOLD, 21002) == ("voice", True), "FR-021: and the recovered flow is on it")

t.say("a second failure, without a packet")
t.quiet(active, standby())
held = {(f["subscriber"], f["subscriber_port"]): f["rule"] for f in t.flows(active, recovered=True)}
taken_over()
t.equal({(f["subscriber"], f["subscriber_port"]): f["rule"] for f in t.flows(active, recovered=True)}, held,
        "FR-020: every recovered flow is recovered again, by its rule")
t.equal(at(active, GOLD, 20010), ("other", True), "FR-020: among them the one that had moved")

t.say("the death of a session manager")
request(GOLD, 20011, "other.test")
http(GOLD, 20016, "www.test")
request(GOLD, 20016, "other.test")
t.quiet(active, standby())
n = t.sessions(active, callid=calls["gold"])[0]["instance"]


def pid():
    return next((x["pid"] for x in t.bed.show(active, "show task resources", "task", "pid")
                 if x["task"] == "sessmgr" and x["instance"] == n), 0)


old = pid()
volumes = t.volumes(active, callid=calls["gold"])
os.kill(old, 9)
t.becomes(pid, lambda p: p not in (0, old), "it lives again")
t.becomes(lambda: at(active, GOLD, 20016), ("other", True), "FR-054: the rule that was matched last")
t.equal(at(active, GOLD, 20011), ("web", True), "FR-054: a recovered flow keeps its own")
t.equal(t.volumes(active, callid=calls["gold"]), volumes, "FR-001: with every volume")
request(GOLD, 20016, "www.test")
t.check(t.volumes(active, callid=calls["gold"])["other"][1] > volumes["other"][1], "FR-001: and goes on on it")

t.say("the link is cut before the second rule's checkpoint")
http(GOLD, 20017, "www.test")
http(GOLD, 20019, "www.test")
t.check(gold("tcp 2msl-timeout 6"), "2MSL is 6 seconds")
t.quiet(active, standby())
for end in conns.pop((GOLD, 20019)):
    end.close()
t.quiet(active, standby())
t.sh(active, "ip", "link", "set", "srp0", "down")
request(GOLD, 20017, "other.test")
t.equal(at(active, GOLD, 20017), ("other", False), "the active has moved it")
t.takeover(active, standby(), 20)
active = standby()
t.equal(at(active, GOLD, 20017), ("web", True), "FR-053: it has the rule whose checkpoint was successful")
t.becomes(lambda: at(active, GOLD, 20019), None, "FR-025: one that was closed before the recovery ends with 2MSL")
t.check(t.counter(active, "flows_fin") >= 1, "FR-025: by its FINs")
t.end()
END
