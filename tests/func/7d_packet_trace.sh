#!/bin/bash
# The packet trace: each packet that was seen outside has its row, which says what charged it and what
# became of it; what was charged by the rows is what the rules have counted; after a planned switchover
# recovered flows say so; it goes on when a session manager dies.
. "${0%/*}/lib/traffic.sh"
t_begin
t_srp 'control-pending timeout 60'

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    ruledef web
		      http host = www.test
		    #exit
		    ruledef no-up
		      udp either-port = 7010
		    #exit
		    ruledef marked
		      udp either-port = 7011
		    #exit
		    ruledef bulk
		      udp either-port = 7012
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 11
		      cca charging credit rating-group 12
		    #exit
		    charging-action plain
		      content-id 1
		    #exit
		    charging-action no-up
		      flow action discard uplink
		    #exit
		    charging-action marked
		      ip tos af11
		    #exit
		    rulebase gold
		      action priority 1 ruledef web charging-action plain
		      action priority 2 ruledef no-up charging-action no-up
		      action priority 3 ruledef marked charging-action marked
		      action priority 4 ruledef bulk charging-action plain
		      action priority 9 ruledef any charging-action plain
		      flow control-handshaking charge-to-application all-packets
		    #exit
	CONF
	t_recover "rule-name = web" "rule-name = bulk"
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import zlib

from traffic import *

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
TRACE, SHOW = "active-charging packet-trace", "show active-charging packet-trace"
RULES = ("web", "no-up", "marked", "bulk", "any")
calls = {i: t.add("a", i) for i in (1, 2)}
taps = {"uplink": t.tap("ue", "ue0"), "downlink": t.tap("srv", "srv0")}


def seen(i):
    """Packets of session i as they went to the chassis, in their order, by direction."""
    mine, out = (sub4(i), sub6(i)), {}
    for way, tap in taps.items():
        out[way] = []
        for p in tap.packets():
            if (p.src if way == "uplink" else p.dst) not in mine:
                continue
            ip, four = p.data, ":" not in p.src
            if p.proto == 58 and 133 <= p.icmp <= 137:
                continue  # of the link
            hdr = 20 if four else 40
            server = [p.dst, p.dport] if way == "uplink" else [p.src, p.sport]
            seq = ack = flags = 0
            if p.proto == 6:
                seq, ack = struct.unpack_from("!II", ip, hdr + 4)
                flags = p.flags & 0x3f
            elif p.proto == 1:
                server[1] = struct.unpack_from("!H", ip, hdr + 4)[0]
            body = ip[p.size - p.payload:p.size]
            ident = struct.unpack_from("!H", ip, 4)[0] if four else 0
            out[way].append((p.proto, tuple(server), ident, seq, ack, flags, len(body), zlib.crc32(body)))
    return out


def rows(chassis, more=""):
    return t.json(chassis, f"{SHOW} {more}".strip())["packets"]


def traced(chassis, i):
    """The same of the trace: of each packet its first row."""
    out = {"uplink": [], "downlink": []}
    for r in rows(chassis, f"callid {calls[i]}"):
        if not r["late"]:
            out[r["direction"]].append((r["protocol"], (r["server"], r["server_port"]), r["ip_id"],
                                        r["tcp_seq"], r["tcp_ack"], r["tcp_flags"],
                                        r["payload_len"], r["payload_crc"]))
    return out


def by_rule(chassis):
    """What the rows have charged: as the counters of the rules."""
    sums = {n: [0] * 4 for n in RULES}
    for r in rows(chassis):
        if r["charged"]:
            at = 0 if r["direction"] == "uplink" else 2
            sums[r["rule"]][at] += r["packets"]
            sums[r["rule"]][at + 1] += r["bytes"]
    return {n: tuple(v) for n, v in sums.items()}


def counted(chassis):
    return {n: t.rule(chassis, n) for n in RULES}


def of(chassis, **want):
    return [r for r in rows(chassis) if all(r[k] == v for k, v in want.items())]


def state(chassis, what):
    return sum(x[what] for x in t.json(chassis, SHOW)["traces"])


t.say("off, and what is refused")
doc = t.json("a", SHOW)
t.equal([(x["instance"], x["held"], x["asked"]) for x in doc["traces"]], [(1, 0, ""), (2, 0, "")],
        "nothing is traced")
t.equal(doc["packets"], [], "there are no rows")
for text in (f"{TRACE} callid 12345678", f"{TRACE} all size 63", f"{TRACE} all size 65537", TRACE,
             f"no {TRACE} callid {calls[1]}", f"{SHOW} instance 3"):
    t.check(t.refused("a", text), f"refused: {text}")

t.say("every packet has its row")
for c in "ab":
    t.check("Packet trace on" in t.ctl(c, f"{TRACE} all size 1000"), f"on at {c}")
before = counted("a")
web = t.listen("srv", v4(10), 80)
servers = {p: t.socket("srv", v4(20), p) for p in (7010, 7011, 7012)}
six = t.socket("srv", v6(20), 7012)
users = {p: t.socket("ue", sub4(1), p) for p in (7010, 7011, 7012)}
echo(users[7011], servers[7011], b"marked" * 100, (v4(20), 7011))
users[7010].sendto(b"lost", (v4(20), 7010))
servers[7010].sendto(b"comes", (sub4(1), 7010))
t.equal(users[7010].recv(100), b"comes", "the other direction is not discarded")
bulk = lambda n: echo(users[7012], servers[7012], b"%d" % n * 10, (v4(20), 7012))
for n in range(20):
    bulk(n)
echo(t.socket("ue", sub6(1), 7012), six, b"six", (v6(20), 7012))
t.sh("ue", "ping", "-c", "1", "-W", "2", "-I", sub4(1), v4(30))
conn, peer = t.connect(web, "ue", sub4(1), 20001)
push(conn, peer, b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n")
push(peer, conn, OK)
other, back = t.connect(web, "ue", sub4(2), 20001)
push(other, back, b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n")
reset(other)
for i in (1, 2):
    t.becomes(lambda: traced("a", i) == seen(i), True, f"session {i}: a row for each packet, in their order")
got = seen(1)
t.check(len(got["uplink"]) > 27 and len(got["downlink"]) > 4, "many of them", {k: len(v) for k, v in got.items()})
t.becomes(lambda: by_rule("a"), {n: tuple(x - y for x, y in zip(v, before[n])) for n, v in counted("a").items()},
          "what the rows charged is what the rules counted")

t.say("what they say")
r = of("a", server_port=7010, direction="uplink")[0]
t.equal([r[k] for k in ("fate", "by", "rule", "charging_action", "charged")],
        ["stopped", "discard", "no-up", "no-up", False], "what was discarded")
r = of("a", server_port=7011, direction="uplink")[0]
t.equal([r[k] for k in ("fate", "by", "did", "rule", "charged", "content_id", "bearer", "callid")],
        ["forwarded", "", "tos", "marked", True, 0, 5, calls[1]], "what was marked")
t.equal((r["length"], r["bytes"], r["packets"], r["subscriber"], r["subscriber_port"]),
        (628, 628, 1, sub4(1), 7011), "its size and its subscriber")
more = of("a", server_port=7012, subscriber=sub4(1))
t.equal([x["bypassed"] for x in more], [False] + [True] * (len(more) - 1), "by matching, then by the verdict of the flow")
held = of("a", server_port=80, fate="held", callid=calls[1])
late = of("a", server_port=80, late=True, callid=calls[1])
t.equal(len(held), 3, "a handshake was held")
t.equal({(x["by"], x["rule"], x["charged"]) for x in held}, {("handshaking", "", False)}, "with no rule yet")
t.equal([x["packet"] for x in late], [x["seq"] for x in held], "and charged later, packet by packet")
t.equal({(x["fate"], x["rule"], x["charged"], x["content_id"]) for x in late},
        {("forwarded", "web", True, 1)}, "by the application's rule")
t.check(late[0]["seq"] < of("a", server_port=80, callid=calls[1], payload_len=34)[0]["seq"],
        "when the request came")
t.check(not any(x["recovered"] for x in rows("a")), "no flow is a recovered one")

t.say("parts of it")
all_rows = rows("a")
last = {n: max([x["seq"] for x in all_rows if x["instance"] == n], default=0) for n in (1, 2)}
home = of("a", callid=calls[1])[0]["instance"]
t.equal(rows("a", f"instance {home} after {last[home] - 2}"),
        [x for x in all_rows if x["instance"] == home and x["seq"] > last[home] - 2], "after a row")
t.equal(rows("a", f"instance {home} after {last[home]}"), [], "after the last one")
text = t.ctl("a", f"{SHOW} callid {calls[2]}")
t.check(f"Total rows" in text and sub4(2) in text and sub4(1) not in text, "as text, of a call", text)
t.equal(rows("b"), [], "the standby has none")

t.say("after a planned switchover")
t.quiet()
t.switch("a", "b")
for tap in taps.values():
    tap.forget()
bulk(1)
push(conn, peer, b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n")
push(peer, conn, OK)
t.becomes(lambda: traced("b", 1) == seen(1), True, "B: a row for each packet")
t.equal({(x["server_port"], x["rule"], x["recovered"], x["bypassed"], x["fate"]) for x in rows("b")},
        {(7012, "bulk", True, True, "forwarded"), (80, "web", True, True, "forwarded")},
        "of recovered flows, by their verdict")
t.ctl("b", f"session control begin callid {calls[1]}")
at = max(x["seq"] for x in of("b", callid=calls[1]))
push(conn, peer, b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n")
push(peer, conn, OK)
got = [x for x in of("b", callid=calls[1]) if x["seq"] > at]
t.equal({(x["rule"], x["recovered"], x["pending"], x["bypassed"]) for x in got},
        {("any", True, True, False)}, "while control is pending, by the L3/L4 rule")
t.ctl("b", f"session control end callid {calls[1]}")

t.say("a session manager dies")
t.quiet("b", "a")
home = of("b", callid=calls[1])[0]["instance"]
was = [x for x in t.json("b", SHOW)["traces"] if x["instance"] == home][0]
pid = [x["pid"] for x in t.bed.show("b", "show task resources", "task", "pid")
       if x["task"] == "sessmgr" and x["instance"] == home][0]
os.kill(pid, 9)
t.becomes(lambda: t.sessions("b", callid=calls[1]) != [], True, "it is there again, with the session")
bulk(3)
got = [x for x in rows("b", f"instance {home}") if x["server_port"] == 7012]
t.check(len(got) == 1 and got[0]["seq"] > was["last"], "its successor goes on with the trace", got)
now = [x for x in t.json("b", SHOW)["traces"] if x["instance"] == home][0]
t.equal((now["asked"], now["rows"], now["first"], now["lost"]), ("all", 1000, was["last"] + 1, was["last"]),
        "and says what is lost")

t.say("the ring")
t.ctl("b", f"{TRACE} callid {calls[1]} size 64")
for n in range(80):
    bulk(n)
now = [x for x in t.json("b", SHOW)["traces"] if x["instance"] == home][0]
t.equal((now["asked"], now["held"], now["last"] - now["first"]), (f"all, callid {calls[1]}", 64, 63), "is full")
t.equal(now["lost"] + now["held"], now["last"], "and what it lost is known")
t.check("Packet trace off" in t.ctl("b", f"no {TRACE} all"), "off")
was = rows("b")
bulk(5)
t.equal(rows("b"), was, "nothing more is written, and the rows are still there")
t.equal(state("b", "held"), len(was), "as many as it says")
t.end()
END
