#!/bin/bash
# After kill -9 of the active chassis: recovered flows keep their rule whatever they say later, with
# their volumes; flows that were not recovered go by L3/L4 rules; FIN ends no recovered flow, RST
# does, and so does idleness. And again after the next switchovers.
. "${0%/*}/lib/traffic.sh"
t_begin

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    idle-timeout tcp 600
		    idle-timeout udp 600
		    ruledef web
		      http host = www.test
		    #exit
		    ruledef later
		      http host = later.test
		    #exit
		    ruledef secure
		      tls sni = secure.test
		    #exit
		    ruledef volatile
		      http host = volatile.test
		    #exit
		    ruledef names
		      dns query-name = first.test
		    #exit
		    ruledef names2
		      dns query-name = second.test
		    #exit
		    ruledef voice
		      udp either-port = 7001
		    #exit
		    ruledef brief
		      udp either-port = 7002
		    #exit
		    ruledef echo
		      icmp any-match = TRUE
		    #exit
		    ruledef tunnel
		      ip protocol = gre
		    #exit
		    ruledef to-dns
		      rule-application routing
		      udp either-port = 53
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action brief
		      flow idle-timeout 8
		    #exit
		    rulebase gold
		      action priority 1 ruledef web charging-action count
		      action priority 2 ruledef later charging-action count
		      action priority 3 ruledef secure charging-action count
		      action priority 4 ruledef volatile charging-action count
		      action priority 5 ruledef names charging-action count
		      action priority 6 ruledef names2 charging-action count
		      action priority 7 ruledef voice charging-action count
		      action priority 8 ruledef brief charging-action brief
		      action priority 9 ruledef echo charging-action count
		      action priority 10 ruledef tunnel charging-action count
		      action priority 20 ruledef any charging-action count
		      route priority 1 ruledef to-dns analyzer dns
		      flow control-handshaking charge-to-application mid-session-packets tear-down-packets
		    #exit
	CONF
	t_recover "rule-name = web" "rule-name = later" "rule-name = secure" "rule-name starts-with names" \
		"rule-name = voice" "rule-name = brief" "rule-name = echo" "rule-name = tunnel"
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
from traffic import *
from ruletable import hello, question

call = t.add("a", 1)
t.add("a", 2)  # whose flow ends when it is idle, and frees no place of the other call
BRIEF = 8      # seconds
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
listeners = {(f(10), p): t.listen("srv", f(10), p) for f in (v4, v6) for p in (80, 443, 8000)}
conns = {}


def request(name, host):
    c, s = conns[name]
    push(c, s, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    push(s, c, OK)


def connect(name, port, sport, six=False):
    sub, server = (sub6(1), v6(10)) if six else (sub4(1), v4(10))
    conns[name] = t.connect(listeners[server, port], "ue", sub, sport)


def on(chassis, sport, proto=6, server=None):
    found = [f for f in t.flows(chassis, subscriber_port=sport, protocol=proto)
             if server in (None, f["server"])]
    return (found[0]["rule"], found[0]["recovered"]) if len(found) == 1 else f"{len(found)} flows"


def ask(name):
    users["dns"].send(question(name))
    servers["dns"].recv(4000)


# --- flows of all kinds, on A
connect("web", 80, 20001)
request("web", "www.test")
connect("web6", 80, 20002, True)
request("web6", "www.test")
connect("tls", 443, 20003)
push(*conns["tls"], hello("secure.test"))
push(*reversed(conns["tls"]), b"\x16\x03\x03 answer")
connect("volatile", 80, 20004)
request("volatile", "volatile.test")
connect("reset", 80, 20005)
request("reset", "www.test")
connect("fin", 80, 20006)
request("fin", "www.test")
connect("plain", 8000, 20007)
push(*conns["plain"], b"no protocol that is known\n" * 100)
users, servers = {}, {}
for name, port, n, sport in (("voice", 7001, 1, 21001), ("dns", 53, 1, 21002), ("brief", 7002, 2, 21003)):
    servers[name], users[name] = t.socket("srv", v4(20), port), t.socket("ue", sub4(n), sport)
    users[name].connect((v4(20), port))
users["voice"].send(b"up")
servers["voice"].recv(100)
servers["voice"].sendto(b"down", (sub4(1), 21001))
users["voice"].recv(100)
voice2 = t.socket("ue", sub4(1), 21006)
echo(voice2, servers["voice"], b"another voice", (v4(20), 7001))
ask("first.test")
six = t.socket("ue", sub6(1), 21004)
six_server = t.socket("srv", v6(20), 7001)
echo(six, six_server, b"voice over six", (v6(20), 7001))
gre, gre_server = t.socket("ue", sub4(1), 0, socket.SOCK_RAW, 47), t.socket("srv", v4(40), 0,
        socket.SOCK_RAW, 47)
gre.sendto(bytes(40), (v4(40), 0))
gre_server.recv(4000)
connect("over", 80, 20008)  # the eleventh
request("over", "www.test")
users["dns2"] = t.socket("ue", sub4(1), 21005)
users["dns2"].connect((v4(20), 53))


def ask_over():
    users["dns2"].send(question("first.test"))
    servers["dns"].recv(4000)


ask_over()
EXPECT = {20001: "web", 20002: "web", 20003: "secure", 20005: "web", 20006: "web"}
for port, rule in EXPECT.items():
    t.equal(on("a", port), (rule, False), f"A: TCP port {port} is on rule {rule}, not recovered")
t.equal(on("a", 21002, 17), ("names", False), "A: DNS is on rule names")
t.equal((on("a", 20008), on("a", 21005, 17)), (("web", False), ("names", False)),
        "A: two eligible ones are beyond the limit of ten")
t.equal(on("a", 20004), ("volatile", False), "A: one flow is on a rule that is not eligible")
for _ in range(20):  # the kill comes long before it has been idle for so long
    silent = time.monotonic()
    echo(users["brief"], servers["brief"], b"once")
    t.quiet()
    before = t.volumes("a", callid=call)
    usage = t.sessions("a", callid=call)[0]
    sessions, flows = t.sessions("a"), len(t.flows("b", callid=call))
    if time.monotonic() - silent < BRIEF / 2:
        break

t.say("kill -9 of every process of A")
t.takeover("a", "b")
is_brief, late = on("b", 21003, 17), time.monotonic() - silent > BRIEF
t.check(is_brief == ("brief", True) or late, "B: the flow that ends when it is idle is recovered", is_brief)
t.equal(t.volumes("b", callid=call), before, "every volume of the session is as before")
now = t.sessions("b", callid=call)[0]
t.equal([now[k] for k in ("packets_up", "bytes_up", "packets_down", "bytes_down", "v4", "v6",
                          "imsi")],
        [usage[k] for k in ("packets_up", "bytes_up", "packets_down", "bytes_down", "v4", "v6",
                            "imsi")], "so is the session's")
t.equal([s["callid"] for s in t.sessions("b")], [s["callid"] for s in sessions],
        "the same sessions")
t.equal(len(t.flows("b", callid=call)), flows, "as many flows as it had")
for port, rule in EXPECT.items():
    t.equal(on("b", port), (rule, True), f"FR-001: B: TCP port {port} is on rule {rule}, recovered")
for what, sport, proto, rule in (("UDP", 21001, 17, "voice"), ("DNS", 21002, 17, "names"),
                                 ("IPv6 UDP", 21004, 17, "voice")):
    t.equal(on("b", sport, proto), (rule, True), f"B: {what} is on rule {rule}, recovered")
t.equal(on("b", 0, 47), ("tunnel", True), "B: GRE too")
text = t.ctl("b", "show active-charging flows all")
t.check("Recovered Flow: (Y) - Yes (N) - No" in text and " Y " in text.replace("Y  ", " Y "),
        "the text says Y", text[:300])

t.say("they go on")
analyzed = t.counter("b", "http_requests")
base = t.volumes("b", callid=call)
request("web", "later.test")
request("web6", "later.test")
push(*conns["tls"], b"\x17\x03\x03 data")
t.equal(on("b", 20001), ("web", True), "FR-019: a request that matches another rule does not move its flow")
t.equal(t.counter("b", "http_requests"), analyzed, "FR-051: no TCP analyzer looked at it")
t.check("later" not in t.volumes("b", callid=call), "nothing is charged to the other rule")
t.check(t.volumes("b", callid=call)["web"][1] > base["web"][1]
        and t.volumes("b", callid=call)["web"][3] > base["web"][3],
        "FR-001: its bytes are on its rule, both ways")
queries = t.counter("b", "dns_queries")
ask("second.test")
t.becomes(lambda: t.counter("b", "dns_queries"), queries + 1,
          "FR-052: a UDP analyzer looks at recovered flows that a route sends to it")
t.equal(on("b", 21002, 17), ("names", True), "but does not move them")
echo(six, six_server, b"voice goes on", (v6(20), 7001))


def why():
    return [t.counter("b", "flows_mid_stream" + x) for x in ("", "_ineligible", "_limit", "_unacknowledged")]


was = why()
request("volatile", "volatile.test")
t.equal(on("b", 20004), ("any", False),
        "FR-011: the flow that was not recovered goes by the L3/L4 rule, and is not called recovered")
t.equal(why(), [was[0] + 1, was[1] + 1, was[2], was[3]],
        "FR-011: counted as begun in mid-stream, by reason: its rule was not eligible")
push(*conns["plain"], b"goes on\n" * 100)
t.equal(on("b", 20007), ("any", False), "so does one that has no application")
t.equal(why(), [was[0] + 2, was[1] + 2, was[2], was[3]], "FR-011: which was not eligible either")
request("over", "www.test")
t.equal(on("b", 20008), ("any", False), "FR-011: and one that was beyond the limit")
t.equal(why(), [was[0] + 3, was[1] + 2, was[2] + 1, was[3]], "FR-011: counted as that")
ask_over()
t.equal(on("b", 21005, 17), ("any", False), "FR-011: so was one of UDP: no rule of L7 for what is known to go on")
t.equal(why(), [was[0] + 4, was[1] + 2, was[2] + 2, was[3]], "FR-011: counted as that")

t.say("a new connection is matched as ever")
connect("new", 80, 20010)
request("new", "later.test")
t.equal(on("b", 20010), ("later", False), "rule later, not recovered")

t.say("RST ends a recovered flow, FIN does not")
ends = t.counter("b", "flows_rst")
c, s = conns.pop("reset")
reset(c)
t.becomes(lambda: on("b", 20005), "0 flows", "after RST it is gone")
t.equal(t.counter("b", "flows_rst"), ends + 1, "counted")
connect("fresh", 8000, 20011)
push(*conns["fresh"], b"a connection that is not recovered")
for name in ("fin", "fresh"):
    for x in conns.pop(name):
        x.close()
t.becomes(lambda: on("b", 20011), "0 flows", "a fresh flow is gone some time after both FINs")
t.equal(on("b", 20006), ("web", True), "the recovered one is still there by then, on its rule")
reopened = t.counter("b", "flows_reopened")
# The subscriber's host remembers the connection; a raw SYN with a new sequence number does not ask
# it.
raw = t.socket("ue", sub4(1), 0, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.sendto(struct.pack("!HHIIBBHHH", 20006, 80, 77777777, 0, 0x50, 2, 8192, 0, 0), (v4(10), 0))
t.becomes(lambda: t.counter("b", "flows_reopened"), reopened + 1,
          "a SYN after both FINs begins a new one")
t.check(on("b", 20006) in (("any", False), "0 flows"), "which is not the recovered one",
        on("b", 20006))

t.say("idleness ends a recovered flow")
t.becomes(lambda: on("b", 21003, 17), "0 flows", f"FR-049: the silent one with {BRIEF} s is gone")
t.equal(on("b", 21001, 17), ("voice", True), "the others are not")

t.say("A returns, and takes over as planned; then B is killed")
t.start("a")
t.synchronised("b", "a")
t.quiet("b", "a")
t.balanced("b", "a")
before = t.volumes("b", callid=call)
t.switch("b", "a")
t.equal(t.volumes("a", callid=call), before, "every volume came along")
for port, rule in ((20001, "web"), (20002, "web"), (20003, "secure")):
    t.equal(on("a", port), (rule, True), f"A: TCP port {port} is on rule {rule}, recovered")
t.equal(on("a", 20010), ("later", True), "A: what was new on B is recovered now")
request("web", "later.test")
request("new", "www.test")
t.synchronised("a", "b")
t.quiet()
before = t.volumes("a", callid=call)
t.takeover("a", "b")
t.equal(t.volumes("b", callid=call), before, "every volume came along again")
for port, rule in ((20001, "web"), (20002, "web"), (20003, "secure"), (20010, "later")):
    t.equal(on("b", port), (rule, True), f"B: TCP port {port} is on rule {rule}, recovered")
request("web", "www.test")
request("new", "www.test")
t.end()
END
