#!/bin/bash
# Flows of UDP, ICMP and TCP that were not recovered: by what the active chassis has told, whoever takes over
# knows that they are old, and why they have no checkpoint: ineligible, beyond the limit of the call, in the
# delay, or held back by the rate limit. They never get a rule of L7; new flows do. After the loss of a chassis,
# the death of a session manager, and a planned switchover; and until the longest idle timeout has passed that
# the flow can have had.
export BED_SR=yes
. "${0%/*}/lib/traffic.sh"
t_begin
t_srp 'checkpoint rate-limit 1 burst 1'

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    idle-timeout tcp 600
		    idle-timeout udp 600
		    idle-timeout icmp 8
		    system-limit flow-chkpt-per-call 4
		    ruledef video
		      p2p app-identifier quic-sni ends-with video.test
		    #exit
		    ruledef names
		      dns query-name = first.test
		    #exit
		    ruledef slow
		      http host = slow.test
		    #exit
		    ruledef voice
		      udp either-port = 7001
		    #exit
		    ruledef late
		      udp either-port = 7002
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    ruledef to-dns
		      rule-application routing
		      udp either-port = 53
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action patient
		      flow idle-timeout 600
		    #exit
		    rulebase gold
		      action priority 1 ruledef video charging-action count
		      action priority 2 ruledef names charging-action count
		      action priority 3 ruledef slow charging-action count
		      action priority 4 ruledef voice charging-action count
		      action priority 5 ruledef late charging-action count
		      action priority 9 ruledef any charging-action count
		      route priority 1 ruledef to-dns analyzer dns
		      flow control-handshaking charge-to-application all-packets
		    #exit
		    rulebase silver
		      action priority 1 ruledef video charging-action count
		      action priority 9 ruledef any charging-action patient
		    #exit
		    trigger-action recover
		      flow-recovery
		    #exit
		    trigger-condition now
		      rule-name = voice
		    #exit
		    trigger-condition later
		      rule-name = slow
		      rule-name = late
		      delay = 300
		    #exit
		    service-scheme scheme
		      trigger flow-create
		        priority 1 trigger-condition now trigger-action recover
		        priority 2 trigger-condition later trigger-action recover
		      #exit
		    #exit
		    subs-class everybody
		      rulebase = gold
		    #exit
		    subscriber-base default
		      priority 1 subs-class everybody bind service-scheme scheme
		    #exit
		  #exit
		end
	CONF
}
t_pair
t_python <<'END'
from recovery import Tasks
from ruletable import hello, question
from traffic import *
import quic

tasks = Tasks(t.bed)
ONE, TWO, SILVER = sub4(1), sub4(2), sub4(3)
call = t.add("a", 1)
t.add("a", 2)
t.add("a", 3, more="rulebase silver")
VIDEO = quic.initial(b"8 octets", hello("www.video.test")[5:])
servers = {p: t.socket("srv", v4(20), p) for p in (53, 443, 7001, 7002)}
web = t.listen("srv", v4(10), 80)
users = {}


def send(sub, sport, port, data=b"no protocol that is known"):
    if (sub, sport) not in users:
        users[sub, sport] = t.socket("ue", sub, sport)
    users[sub, sport].sendto(data, (v4(20), port))
    servers[port].recv(4000)


def checksum(data):
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff


pings = {sub: t.socket("ue", sub, 0, socket.SOCK_RAW, socket.IPPROTO_ICMP) for sub in (ONE, SILVER)}


def ping(ident, sub=ONE):
    """An echo request, and the answer of the server's host."""
    head = struct.pack("!BBHHH", 8, 0, 0, ident, 1)
    pings[sub].sendto(struct.pack("!BBHHH", 8, 0, checksum(head), ident, 1), (v4(20), 0))
    while True:
        got = pings[sub].recv(4000)[20:]
        if got[0] == 0 and struct.unpack("!H", got[4:6])[0] == ident:
            return


def on(chassis, sub, sport, proto=17):
    found = t.flows(chassis, subscriber=sub, subscriber_port=sport, protocol=proto)
    return (found[0]["rule"], found[0]["recovered"]) if len(found) == 1 else f"{len(found)} flows"


def why(chassis):
    return [t.counter(chassis, "flows_mid_stream" + x) for x in ("", "_ineligible", "_limit", "_unacknowledged")]


def counted(chassis, act, reason, text, n=1):
    """What is done is counted under one reason, or none."""
    was = why(chassis)
    act()
    want = list(was)
    if reason:
        want[0] += n
        want[("ineligible", "limit", "unacknowledged").index(reason) + 1] += n
    t.equal(why(chassis), want, text)


def known(chassis):
    return t.checkpoints(chassis, "received").get("ACS_CALL_INFO", {"received": 0})["received"]


t.say("flows without a checkpoint, on A")
for port in (20001, 20002, 20003, 20004):
    send(ONE, port, 443)
    t.equal(on("a", ONE, port), ("any", False), f"UDP port {port} has said nothing that is known")
for ident in (301, 302):
    ping(ident)
ping(401, SILVER)
for port in range(21001, 21006):
    send(ONE, port, 7001)
send(ONE, 22001, 7002)
send(ONE, 23001, 53, question("first.test"))
t.equal(on("a", ONE, 23001), ("names", False), "a question of DNS")
t.becomes(lambda: len(t.flows("b")), 4, "of the first call four flows are checkpointed: it may have no more", 20)
t.quiet()
t.grace(1.2)  # nothing was told of the call for a second
t.say("and some at once, just before A is lost")
has = known("b")
c, s = t.connect(web, "ue", ONE, 25001)
push(c, s, b"GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n")
t.equal(on("a", ONE, 25001, 6), ("slow", False), "one of TCP, of a rule of L7 that is eligible")
t.becomes(lambda: known("b") > has, True, "the peer is told of it before its turn comes", 0.5)
has = known("b")
for port in range(24001, 24005):
    send(TWO, port, 7001)
t.becomes(lambda: known("b") >= has + 2, True, "and of the other call: that it has flows, and which wait")
t.takeover("a", "b")
held = [port for port in range(24001, 24005) if on("b", TWO, port) == "0 flows"]
t.check(held, "the rate limit has held some back", held)

t.say("after the loss of A")
counted("b", lambda: send(ONE, 20001, 443, VIDEO), "ineligible", "FR-011: a flow of UDP is known to be old, and ineligible")
t.equal(on("b", ONE, 20001), ("any", False), "FR-011: no rule of L7 in mid-stream")
counted("b", lambda: send(ONE, 20001, 443, VIDEO), None, "FR-011: counted once")
t.equal(on("b", ONE, 20001), ("any", False), "FR-011: nor later")
counted("b", lambda: send(ONE, 20009, 443, VIDEO), None, "FR-011: a new one is none of them")
t.equal(on("b", ONE, 20009), ("video", False), "FR-011: it gets the rule of L7")
counted("b", lambda: ping(301), "ineligible", "FR-011: so is one of ICMP")
counted("b", lambda: ping(303), None, "FR-011: but not a new one")
counted("b", lambda: send(ONE, 21005, 7001), "limit", "FR-011: the fifth eligible one was beyond the limit")
counted("b", lambda: send(ONE, 21001, 7001), None, "the first was recovered")
t.equal(on("b", ONE, 21001), ("voice", True), "on its rule")
counted("b", lambda: send(ONE, 22001, 7002), "unacknowledged", "FR-011: one was in its delay: not acknowledged")
counted("b", lambda: [send(TWO, port, 7001) for port in held], "unacknowledged",
        "FR-011: so are those that the rate limit has held back", len(held))
counted("b", lambda: push(c, s, b"GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n"), "unacknowledged",
        "FR-011: and the one of TCP of the last second, which has a rule of L7")
t.equal(on("b", ONE, 25001, 6), ("any", False), "FR-011: no rule of L7 for it either")
counted("b", lambda: send(ONE, 23001, 53, question("first.test")), None, "a question of DNS stands for itself")
t.equal(on("b", ONE, 23001), ("names", False), "and is matched as ever")

t.say("a session manager of B dies: who was silent since is known still")
n = t.sessions("b", callid=call)[0]["instance"]
t.grace(1.2)  # a turn of what is told
old = tasks.pid("b", "sessmgr", n)
os.kill(old, 9)
t.becomes(lambda: tasks.pid("b", "sessmgr", n), lambda p: p not in (0, old), "it lives again", 10)
t.becomes(lambda: on("b", ONE, 21001), ("voice", True), "with what was recovered", 10)
recovered = time.monotonic()
for port, text in ((20001, "the flow of UDP is old again"), (20002, "so is one that has been silent all the time")):
    counted("b", lambda port=port: send(ONE, port, 443, VIDEO), "ineligible", f"FR-011: {text}")
    t.equal(on("b", ONE, port), ("any", False), "FR-011: no rule of L7")
t.equal(on("b", ONE, 20009), "0 flows", "the one that was new before is not known")
counted("b", lambda: send(ONE, 20009, 443, VIDEO), "ineligible", "FR-011: but that it was there")
t.equal(on("b", ONE, 20009), ("any", False), "FR-011: no rule of L7 for it now")
elapse(max(0, recovered + 8.5 - time.monotonic()))  # the idle timeout of ICMP, since the recovery
counted("b", lambda: ping(302), None, "FR-011: then an echo request of before is of a new flow")
counted("b", lambda: ping(401, SILVER), "ineligible", "FR-011: but where an action lets flows be silent for longer")

t.say("A comes back, and takes over as planned")
t.start("a")
t.synchronised("b", "a", 40)
t.switch("b", "a")
counted("a", lambda: send(ONE, 20003, 443, VIDEO), "ineligible", "FR-011: silent for two recoveries, and known")
t.equal(on("a", ONE, 20003), ("any", False), "FR-011: no rule of L7")
counted("a", lambda: send(ONE, 20001, 443, VIDEO), "ineligible", "FR-011: the one that goes on all the time too")
counted("a", lambda: send(ONE, 20010, 443, VIDEO), None, "FR-011: a new one is new")
t.equal(on("a", ONE, 20010), ("video", False), "FR-011: with the rule of L7")
t.synchronised("a", "b", 40)
t.balanced("a", "b")
t.end()
END
