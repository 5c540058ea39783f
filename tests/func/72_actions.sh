#!/bin/bash
# What charging-actions do to packets: marking, discard, next hop, readdress, header insertion, end of
# flow and session, redirection, to the URL of a quota as well and by user agent, packets dropped at random, another
# rulebase, post-processing; on fresh flows and on recovered ones: after a planned
# switchover, after the death of a session manager, after that of a chassis. Handshakes wait to be
# charged, and lines that an application or an answer decides stand before others: what can be done
# at once is. FR numbers: chassis-requirements(7).
. "${0%/*}/lib/traffic.sh"
t_begin curl
export BED_SR=yes BED_SR_SESSIONS=2000 BED_SR_FLOWS=6000

bed_config_charging() {
	local r
	echo "  active-charging service ecs"
	for r in "mark udp 7001" "drop udp 7002" "hop udp 7003" "leave udp 7004" "moved tcp 8001" \
		"movedu udp 7005" "cut tcp 8003" "later tcp 8004" "plain tcp 8006" \
		"noisy udp 7006" "paid tcp 8010" "asks tcp 8011" "turn udp 7007" "back udp 7008"; do
		# shellcheck disable=SC2086
		set -- $r
		printf '    ruledef %s\n      %s either-port = %s\n    #exit\n' $1 $2 $3
	done
	cat <<-CONF
		    ruledef header
		      http host = header.test
		    #exit
		    ruledef unsaved
		      http host = unsaved.test
		    #exit
		    ruledef away
		      http host = away.test
		    #exit
		    ruledef game
		      p2p protocol = steam
		    #exit
		    ruledef gone
		      http reply code = 410
		    #exit
		    ruledef web
		      tcp either-port = 80
		    #exit
		    ruledef posted
		      rule-application post-processing
		      tcp either-port = 8006
		    #exit
		    ruledef turned
		      rule-application post-processing
		      udp either-port = 7012
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    xheader-format who
		      insert X-IMSI variable bearer 3gpp imsi
		      insert X-Text string-constant "some text"
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action mark
		      ip tos af11 uplink
		      ip tos ef downlink
		    #exit
		    charging-action drop
		      flow action discard downlink
		    #exit
		    charging-action hop
		      nexthop-forwarding-address 10.2.0.200
		    #exit
		    charging-action leave
		      flow action terminate-session
		    #exit
		    charging-action moved
		      flow action readdress server 198.51.100.20 port 9001
		    #exit
		    charging-action cut
		      flow action terminate-flow
		    #exit
		    charging-action header
		      xheader-insert xheader-format who
		    #exit
		    charging-action away
		      flow action redirect-url http://portal.test/
		    #exit
		    redirect user-agent mozilla
		    charging-action noisy
		      flow action random-drop interval 1 to 1 pkts-to-drop 2 to 2
		    #exit
		    charging-action paid
		      cca charging credit rating-group 77
		      flow action redirect-ocs-url
		    #exit
		    charging-action asks
		      flow action redirect-url http://portal.test/
		      flow action conditional user-agent end-token all-done
		    #exit
		    charging-action turn
		      flow action rulebase-change silver
		    #exit
		    charging-action back
		      flow action rulebase-change gold
		    #exit
		    charging-action silver
		      content-id 9
		    #exit
		    charging-action later
		      content-id 3
		    #exit
		    rulebase gold
		      action priority 1 ruledef mark charging-action mark
		      action priority 2 ruledef drop charging-action drop
		      action priority 3 ruledef hop charging-action hop
		      action priority 4 ruledef leave charging-action leave
		      action priority 5 ruledef moved charging-action moved
		      action priority 6 ruledef movedu charging-action moved
		      action priority 7 ruledef cut charging-action cut
		      action priority 8 ruledef later charging-action later
		      action priority 14 ruledef noisy charging-action noisy
		      action priority 15 ruledef paid charging-action paid
		      action priority 16 ruledef asks charging-action asks
		      action priority 17 ruledef turn charging-action turn
		      action priority 19 ruledef game charging-action count
		      action priority 10 ruledef header charging-action header
		      action priority 11 ruledef away charging-action away
		      action priority 12 ruledef gone charging-action count
		      action priority 13 ruledef unsaved charging-action header
		      action priority 20 ruledef web charging-action count
		      action priority 21 ruledef plain charging-action count
		      action priority 99 ruledef any charging-action count
		      post-processing priority 1 ruledef posted charging-action away
		      post-processing priority 2 ruledef turned charging-action turn
		      flow control-handshaking charge-to-application all-packets
		    #exit
		    rulebase silver
		      action priority 1 ruledef back charging-action back
		      action priority 2 ruledef mark charging-action mark
		      action priority 99 ruledef any charging-action silver
		    #exit
		    system-limit flow-chkpt-per-call 100
	CONF
	t_recover 'rule-name = mark' 'rule-name = drop' 'rule-name = hop' 'rule-name starts-with moved' \
		'rule-name = later' 'rule-name = header' 'rule-name = away' 'rule-name = web' 'rule-name = plain' \
		'rule-name = noisy' 'rule-name = paid'
	printf '  #exit\nend\n'
}
t_pair
# A router beside the other: what is sent by it reaches the servers as well.
bed_in core ip addr add 10.2.0.200/24 dev lan && bed_in core ip route add 198.51.100.0/24 via 10.2.0.254 &&
	bed_in core sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.lan.send_redirects=0 || t_fail "no second router"
t_python <<'END'
import select
import signal
import time
from traffic import *

call = t.add("a", 1)
S = v4(10)
srv, ue = t.tap("srv", "srv0"), t.tap("ue", "ue0")
AF11, EF = 10 << 2, 46 << 2
active, standby = "a", "b"
udp, conns, servers = {}, {}, {}
listeners = {(f(n), p): t.listen("srv", f(n), p) for f in (v4, v6) for n in (10, 20)
             for p in (80, 8001, 8003, 8004, 8006, 8010, 8011, 9001)}


def tos(p):
    return p.data[1] if p.data[0] >> 4 == 4 else (p.data[0] & 15) << 4 | p.data[1] >> 4


def mac(ns, device):
    rc, out = t.sh(ns, "cat", f"/sys/class/net/{device}/address")
    return bytes.fromhex(out.strip().replace(":", ""))


ROUTER = mac("core", "lan")


def pair(name, port, sport, six=False, server=10):
    sub, at = (sub6(1), v6(server)) if six else (sub4(1), v4(server))
    if (at, port) not in servers:
        servers[at, port] = t.socket("srv", at, port)
    udp[name] = (t.socket("ue", sub, sport), servers[at, port])
    udp[name][0].connect((at, port))


def both(name, back=comes):
    """A datagram each way, and what of it arrived: True, True. back=arrives: the second is not to."""
    c, s = udp[name]
    c.send(b"up")
    try:
        got, at = s.recvfrom(100)
    except TimeoutError:
        return False, False
    s.sendto(b"down", at)
    return got == b"up", back(c) == b"down"


def open_tcp(name, port, sport, six=False, lands=None):
    """A connection to port; lands: (listener's address, port) where it must arrive."""
    sub, at = (sub6(1), v6(10)) if six else (sub4(1), v4(10))
    s = t.socket("ue", sub, sport, socket.SOCK_STREAM)
    listener = listeners[lands or (at, port)]
    listener.settimeout(PATIENCE)
    s.connect((at, port))
    other, _ = listener.accept()
    other.settimeout(PATIENCE)
    conns[name] = s, other
    return s, other


def read_until(sock, end):
    data = b""
    while not data.endswith(end):
        got = sock.recv(65536)
        if not got:
            break
        data += got
    return data


def request(name, host, more=b""):
    """A request; what the server has read of it, and whether its answer arrived."""
    c, s = conns[name]
    c.sendall(f"GET /page HTTP/1.1\r\nHost: {host}\r\n".encode() + more + b"\r\n")
    got = read_until(s, b"\r\n\r\n")
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
    return got, read_until(c, b"body").endswith(b"body")


def counter(name):
    return t.counters(active)[name]


HEADER = b"X-IMSI: 001010000000001\r\nX-Text: some text\r\n\r\n"
TEXT = bytes(i % 251 for i in range(300000))


def whole(name, what):
    """300 kB each way, by a connection into which was inserted."""
    c, s = conns[name]
    try:
        push(c, s, TEXT)
        push(s, c, TEXT)
        t.check(True, what)
    except (BedError, OSError) as e:
        t.check(False, what, e)


def marked(what, names=("mark", "mark6")):
    for name in names:
        srv.forget(), ue.forget()
        t.equal(both(name), (True, True), f"{what}: {name}: a datagram each way")
        port = udp[name][0].getsockname()[1]
        up = [tos(p) for p in srv.packets(sport=port)]
        down = [tos(p) for p in ue.packets(dport=port)]
        t.equal((set(up), set(down)), ({AF11}, {EF}), f"FR-048 {what}: {name}: DSCP of both directions")


def dropped(what):
    was = counter("drop_discard")
    t.equal(both("drop", arrives), (True, False), f"FR-060 {what}: discard downlink, uplink passes")
    t.becomes(lambda: counter("drop_discard") > was, True, f"FR-060 {what}: it is counted")


def by_router(what, name="hop"):
    srv.forget()
    t.equal(both(name), (True, True), f"FR-066 {what}: {name}: a datagram each way")
    port = udp[name][0].getsockname()[1]
    seen = srv.packets(sport=port)
    t.check(seen and all(p.eth[6:12] == ROUTER for p in seen),
            f"FR-066 {what}: {name}: uplink comes by the next hop", [p.eth.hex() for p in seen])
    t.equal(len(seen), 1, f"FR-066 {what}: {name}: once")


def headers(what, name, six=False, sport=0, host="header.test"):
    open_tcp(name, 80, sport, six)
    got, back = request(name, host)
    t.check(got.endswith(f"Host: {host}\r\n".encode() + HEADER) and back,
            f"FR-046 {what}: {name}: the server sees the fields", got)
    got, back = request(name, host, b"A: " + b"b" * 1300 + b"\r\n")
    t.check(got.endswith(b"b\r\n" + HEADER) and back,
            f"FR-046 {what}: {name}: ... and of one that is too long then for a packet", got[-120:])
    whole(name, f"FR-046 {what}: {name}: the transfer is complete, both ways")


PAY, ASKED = "http://pay.test/now?a=1", "http://portal.test/"


def noisy(what):
    """Two packets in a row each second, and no other; each that is sent is waited for."""
    c, s = udp["noisy"]
    was, lost, begun, n = counter("drop_random"), [], [], 0
    until = time.monotonic() + 10
    while len(lost) < 4 and time.monotonic() < until:
        c.send(b"%d" % n)
        if arrives(s, 0.1) is None:
            lost.append(n)
            begun.append(time.monotonic())
        n += 1
    t.check(len(lost) == 4 and lost[1] == lost[0] + 1 and lost[3] == lost[2] + 1 and lost[2] > lost[1] + 1,
            f"random-drop {what}: two packets in a row, and again", lost, n)
    t.check(len(lost) == 4 and 0.9 < begun[2] - begun[1] < 3, f"random-drop {what}: about a second between them", begun)
    t.becomes(lambda: counter("drop_random") - was, 4, f"random-drop {what}: counted")


def by_curl(port, agent):
    """Status and Location that curl sees."""
    rc, out = t.sh("ue", "curl", "-sS", "-o", "/dev/null", "-m5", "--interface", sub4(1), "-A", agent,
                   "-w", "%{http_code} %{redirect_url}", f"http://{S}:{port}/")
    listeners[S, port].settimeout(3)
    listeners[S, port].accept()[0].close()
    return out.strip() if rc == 0 else f"error {rc}"


def passes(name, port, sport, agent="Mozilla/5.0", path="/"):
    """A request of a connection of its own reaches its server, and the answer the subscriber."""
    c, s = open_tcp(name, port, sport)
    c.sendall(f"GET {path} HTTP/1.1\r\nHost: a.test\r\nUser-Agent: {agent}\r\n\r\n".encode())
    got = read_until(s, b"\r\n\r\n") if select.select([s], [], [], 3)[0] else b""
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
    return got.startswith(f"GET {path} ".encode()) and read_until(c, b"body").endswith(b"body")


def quota_url(c):
    return [r["redirect_url"] for r in t.bed.show(c, f"show active-charging quota callid {call}", "rating_group",
                                                  "redirect_url") if r["rating_group"] == 77]


def exhausted(what):
    """Requests under a quota that is used up go to the URL that came with it."""
    t.becomes(lambda: quota_url(active), [PAY], f"redirect-ocs-url {what}: the URL is there", 3)
    t.equal(by_curl(8010, "curl"), f"302 {PAY}", f"redirect-ocs-url {what}: a request goes to the URL of the quota")


def more(what, base):
    """What is fresh after exhausted(), and is recovered later."""
    pair("noisy", 7006, base + 13)
    noisy(what)
    exhausted(what)
    open_tcp("paid", 8010, base + 14)


def paid(what):
    """A connection of before the recovery."""
    c = conns["paid"][0]
    ue.forget()
    c.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    t.becomes(lambda: [f"302 Found\r\nLocation: {PAY}\r\n".encode() in p.data
                       for p in ue.packets(dport=c.getsockname()[1], proto=6)][:1], [True],
              f"redirect-ocs-url {what}: a recovered flow under the same rule, too")


def in_base(what, name):
    t.becomes(lambda: [s["rulebase"] for s in t.sessions(active, callid=third)], [name],
              f"rulebase-change {what}: the session is in {name}")


def counted_by(what, sport, is_silver):
    """Traffic of the third subscriber is charged by the rulebase that it has."""
    was = t.volumes(active, "content-id", third).get("9")
    c = t.socket("ue", sub4(3), sport)
    if (S, 7009) not in servers:
        servers[S, 7009] = t.socket("srv", S, 7009)
    c.sendto(b"charged by which", (S, 7009))
    t.equal(arrives(servers[S, 7009], 2), b"charged by which", f"rulebase-change {what}: traffic passes")
    t.becomes(lambda: t.volumes(active, "content-id", third).get("9") != was, is_silver,
              f"rulebase-change {what}: and is charged by the rulebase")


def turn(port):
    t.socket("ue", sub4(3), 24000 + port).sendto(b"turn", (S, port))


def fresh(what, base):
    """Flows that are opened here are done to as configured (FR-034)."""
    pair("mark", 7001, base), pair("mark6", 7001, base, True)
    marked(what)
    pair("drop", 7002, base + 1)
    dropped(what)
    pair("hop", 7003, base + 2)
    by_router(what)
    headers(what, "header", sport=base + 3)
    headers(what, "header6", True, base + 3)
    headers(what, "unsaved", sport=base + 12, host="unsaved.test")
    srv.forget()
    open_tcp("moved", 8001, base + 4, lands=(v4(20), 9001))
    push(*conns["moved"], b"to the other server")
    push(*reversed(conns["moved"]), b"and back")
    t.check(srv.packets(dst=v4(20), dport=9001) and not srv.packets(dst=S, sport=base + 4),
            f"FR-064 {what}: a flow is readdressed")
    s, c = t.socket("srv", v4(20), 9001), t.socket("ue", sub4(1), base + 5)
    c.connect((S, 7005))
    c.send(b"up")
    got, at = s.recvfrom(100)
    s.sendto(b"down", at)
    t.equal((got, comes(c)), (b"up", b"down"), f"FR-064 {what}: UDP as well, both ways")
    s.close()
    udp["movedu"] = c, None
    open_tcp("web", 80, base + 6)
    t.equal(request("web", "www.test")[1], True, f"{what}: a request to nobody special")
    open_tcp("away", 80, base + 7)
    conns["away"][0].sendall(b"GET / HTTP/1.1\r\nHost: away.test\r\n\r\n")
    t.check(b"portal.test" in (comes(conns["away"][0]) or b""), f"{what}: a request is redirected")
    open_tcp("later", 8004, base + 8)
    push(*conns["later"], b"to be ended later")
    open_tcp("post", 8006, base + 9)
    push(*conns["post"], b"no request yet")
    open_tcp("post2", 8006, base + 11)
    push(*conns["post2"], b"the same")
    open_tcp("posted", 8006, base + 10)
    conns["posted"][0].sendall(b"GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
    t.check(b"portal.test" in (comes(conns["posted"][0]) or b""),
            f"FR-034 {what}: post-processing redirects a request of a fresh flow")


def recovered(what):
    f = t.flow(active, subscriber_port=udp["mark"][0].getsockname()[1], subscriber=sub4(1))
    t.equal(f["recovered"], True, f"{what}: the flows are recovered")
    marked(what)
    dropped(what)
    by_router(what)
    for name, host, is_there in (("header", "header.test", True), ("header6", "header.test", True),
                                 ("unsaved", "unsaved.test", False)):
        got, back = request(name, host)
        t.equal((got, back), (f"GET /page HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), True),
                f"FR-047 {what}: {name}: a request arrives as it is, without the fields")
        f = t.flow(active, subscriber_port=conns[name][0].getsockname()[1], protocol=6,
                   server=v6(10) if name == "header6" else S)
        t.equal((f["rule"], f["recovered"]), ("header", True) if is_there else ("web", False), f"FR-047 {what}: {name}: its flow was recovered, or was not eligible")
        whole(name, f"FR-047 {what}: {name}: and the transfer is whole")
    srv.forget()
    udp["movedu"][0].send(b"where to")
    port = udp["movedu"][0].getsockname()[1]
    t.becomes(lambda: {(p.dst, p.dport) for p in srv.packets(proto=17, sport=port)}, {(S, 7005)},
              f"FR-064 {what}: packets leave with the address they came with")
    srv.forget()
    conns["moved"][0].send(b"where to")
    port = conns["moved"][0].getsockname()[1]
    t.becomes(lambda: {(p.dst, p.dport) for p in srv.packets(proto=6, sport=port)}, {(S, 8001)},
              f"FR-064 {what}: ... of TCP as well")
    got, back = request("web", "away.test")
    t.check(b"away.test" in got and back, f"FR-062 {what}: a recovered flow is not redirected", got)
    c = conns["away"][0]
    ue.forget()
    c.sendall(b"GET / HTTP/1.1\r\nHost: away.test\r\n\r\n")
    port = c.getsockname()[1]
    t.becomes(lambda: [b"302 Found\r\nLocation: http://portal.test/" in p.data
                       for p in ue.packets(dport=port, proto=6)][:1], [True],
              f"FR-063 {what}: the redirected flow gets the same answer")
    was = counter("drop_post")
    conns["post"][0].sendall(b"GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
    t.equal((arrives(conns["post"][1]), arrives(conns["post"][0])), (None, None),
            f"FR-045 {what}: of post-processing, a redirection of a recovered flow is a discard")
    t.becomes(lambda: counter("drop_post") > was, True, f"FR-045 {what}: counted")


def redirected(what):
    """With the switch: requests of recovered flows, those of a kept connection and by post-processing."""
    t.both_charge([c for c in (active, standby) if c], "flow-recovery redirect")
    was = counter("redirects_recovered")
    got, back = request("web", "www.test", b"A: b\r\n")
    t.check(got.endswith(b"A: b\r\n\r\n") and back, f"FR-062 {what}, switch on: a request to nobody special passes", got)
    whole("web", f"FR-062 {what}, switch on: and so does a transfer")
    t.equal(counter("redirects_recovered"), was, f"FR-062 {what}, switch on: nothing is redirected yet")
    for name, host, number in (("web", "away.test", 62), ("post2", "x.test", 45)):
        c, s = conns[name]
        c.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        got = comes(c) or b""
        t.check(b"302 Found\r\nLocation: http://portal.test/" in got,
                f"FR-{number:03} {what}, switch on: the next request of a recovered flow is redirected ({name})", got)
        try:
            got = s.recv(100)
        except OSError as e:
            got = type(e).__name__
        t.equal(got, "ConnectionResetError", f"FR-{number:03} {what}, switch on: its server gets a reset ({name})")
    t.becomes(lambda: counter("redirects_recovered"), was + 1, f"FR-062 {what}, switch on: counted")
    t.both_charge([c for c in (active, standby) if c], "no flow-recovery redirect")


t.say("Fresh flows")
fresh("fresh", 20000)
passed = counter("redirects_unknown")
t.equal(passes("unpaid", 8010, 20015), True, "redirect-ocs-url: without a URL a request passes")
t.becomes(lambda: counter("redirects_unknown") > passed, True, "redirect-ocs-url: ... and is counted")
t.check("Failure" in (t.refused("a", f"session quota grant callid {call} rating-group 77 bytes 1 redirect-url ftp://x") or ""),
        "redirect-ocs-url: what is no URL of HTTP is refused")
t.ctl("a", f'session quota grant callid {call} rating-group 77 bytes 1 redirect-url "{PAY}"')
more("fresh", 20000)
t.equal(by_curl(8011, "Mozilla/5.0"), f"302 {ASKED}", "conditional: a browser is redirected")
t.equal(passes("asks", 8011, 20016, "curl/8"), True, "conditional: another user agent is not")
third = t.add("a", 3)
t.check("Rulebases <gold> and <silver> change to each other" in t.ctl("a", "show configuration errors"),
        "rulebase-change: a circle is told of")
counted_by("fresh", 24100, False)
turn(7007)
in_base("fresh", "silver")
counted_by("fresh", 24101, True)
s = t.socket("ue", sub4(1), 29000, socket.SOCK_STREAM)
try:
    s.connect((S, 8003))
    got = "connected"
except ConnectionRefusedError:
    got = "reset"
except OSError as e:
    got = str(e)
t.equal(got, "reset", "flow action terminate-flow: a connection is reset at once")
t.equal(len(t.flows("a", subscriber_port=29000)), 0, "and the flow is gone")
other = t.add("a", 2)
c = t.socket("ue", sub4(2), 29001)
c.sendto(b"bye", (S, 7004))
t.becomes(lambda: t.sessions("a", callid=other), [], "flow action terminate-session: it is gone")
t.quiet()
t.becomes(lambda: t.sessions("b", callid=other), [], "at the standby as well")

t.say("What each charging-action has done")


def actions(chassis):
    return {a["name"]: a for a in t.json(chassis, "show active-charging charging-action statistics all")["charging_actions"]}


done = actions("a")
for name, what, counted in (("drop", "dropped", "drop_discard"), ("moved", "readdressed", "packets_readdressed"),
                            ("header", "xheader", "xheader_packets"), ("mark", "marked", "packets_marked"),
                            ("hop", "nexthop", "packets_nexthop")):
    t.equal(done[name][f"uplink_packets_{what}"] + done[name][f"downlink_packets_{what}"], counter(counted),
            f"charging-action {name}: {what}: as counted by all")
t.equal((done["drop"]["uplink_packets_dropped"], done["drop"]["downlink_bytes_dropped"]), (0, 28 + len("down")),
        "of the direction that is dropped, with its bytes")
for name, what in (("away", "redirected"), ("away", "pp_redirected"), ("cut", "terminated"), ("leave", "terminated")):
    t.check(done[name][f"uplink_packets_{what}"] > 0, f"charging-action {name}: {what}", done[name])
# what follows on a connection that post-processing has redirected is of the rule of its own packets
t.equal({k: v for k, v in done["count"].items() if v and not k.endswith("_redirected")}, {"name": "count"},
        "count has done nothing")
t.check("Charging Action Name: cut\n" in t.ctl("a", "show active-charging charging-action statistics name cut"),
        "one of them")
t.check("Failure:" in (t.refused("a", "show active-charging charging-action statistics name none") or ""),
        "one that there is not")

t.say("A planned switchover")
t.switch("a", "b")
active, standby = "b", "a"
t.synchronised("b", "a")
recovered("switchover")
noisy("switchover")
paid("switchover")
in_base("switchover", "silver")
counted_by("switchover", 24102, True)
turn(7008)
in_base("after the switchover", "gold")
redirected("switchover")
fresh("after the switchover", 21000)
more("after the switchover", 21000)
t.equal(by_curl(8011, "Mozilla/5.0"), f"302 {ASKED}", "conditional after the switchover: a browser is redirected")
t.equal(passes("done", 8011, 21016, "Mozilla/5.0", "/all-done?x=1"), True, "conditional: the end-token ends it")
t.equal(passes("free", 8011, 21017), True, "conditional: from then on a browser is not redirected")
counted_by("after the switchover", 24103, False)
was = counter("rulebase_changes")
turn(7012)
in_base("after the switchover, by post-processing", "silver")
t.equal(counter("rulebase_changes"), was + 1, "rulebase-change by post-processing: counted as such")
t.quiet("b", "a")

t.say("The session manager of B dies")
inst = t.sessions("b", callid=call)[0]["instance"]
done = actions("b")["mark"]
t.check(done["uplink_packets_marked"] > 0, "charging-action mark has marked here", done)
pid = next(r["pid"] for r in t.bed.show("b", "show task resources", "pid", "starts")
           if (r["task"], r["instance"]) == ("sessmgr", inst))
os.kill(pid, signal.SIGKILL)
t.becomes(lambda: t.flow("b", subscriber_port=21000, subscriber=sub4(1))["recovered"],
          True, "its flows are recovered", 15)
t.equal(actions("b")["mark"], done, "what charging-actions have done outlives it")
t.synchronised("b", "a")
recovered("session recovery")
noisy("session recovery")
paid("session recovery")
t.equal(passes("free2", 8011, 22018), True, "conditional after session recovery: it has ended")
in_base("session recovery", "silver")
counted_by("session recovery", 24104, True)
redirected("session recovery")
fresh("after session recovery", 22000)
more("after session recovery", 22000)
t.quiet("b", "a")

t.say("B dies, and had no leave to send checkpoints of flows")
was = counter("confirm_held")
for c in "ab":
    said, good = t.configure(c, "context gateway", "service-redundancy-protocol",
                             "checkpoint rate-limit 1 burst 1")
    t.check(good, f"chassis {c}: one flow a second", said)
for n in range(4):
    headers("behind the limiter", f"late{n}", sport=23000 + n)
t.check(counter("confirm_held") > was, "FR-047: what rests on an insertion waits for the peer")
t.equal(counter("confirm_late") + counter("confirm_dropped"), 0, "FR-047: ... which answers")
t.takeover("b", "a")
active, standby = "a", None
for n in range(4):
    got, back = request(f"late{n}", "header.test")
    t.equal((got, back), (b"GET /page HTTP/1.1\r\nHost: header.test\r\n\r\n", True),
            f"FR-047 takeover: late{n}: a request arrives as it is")
    whole(f"late{n}", f"FR-047 takeover: late{n}: and the transfer is whole")
recovered("takeover")
noisy("takeover")
paid("takeover")
exhausted("takeover")
t.equal(passes("free3", 8011, 23018), True, "conditional after the takeover: it has ended")
in_base("takeover", "silver")
counted_by("takeover", 24105, True)
redirected("takeover")
t.ctl("a", f"session quota grant callid {call} rating-group 77 bytes 1000000")
t.equal(passes("paid again", 8010, 23019), True, "redirect-ocs-url: with a grant without a URL requests pass")
t.equal(quota_url("a"), [""], "redirect-ocs-url: ... which has taken the URL back")

t.say("FR-065: a charging-action is changed while its flow is recovered")
done = actions("a")
open_flow = t.flow("a", rule="later", subscriber_port=22008)
t.equal(open_flow["recovered"], True, "FR-065: the flow is recovered")
p = subprocess.run([os.path.join(t.bed.build, "chassisctl"), "-s", t.bed.path("a.sock")],
                   input="configure\nactive-charging service ecs\ncharging-action later\n"
                   "flow action terminate-flow\n#exit\nno charging-action drop\nend\n", stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, text=True, check=False, timeout=30)
t.check(p.returncode == 0 and "Failure" not in p.stdout, "FR-065: terminate-flow is entered", p.stdout)
was = counter("flows_terminated")
c, s = conns["later"]
c.send(b"one more")
for sock, who in ((c, "subscriber"), (s, "server")):
    try:
        got = sock.recv(100)
    except OSError as e:
        got = type(e).__name__
    t.equal(got, "ConnectionResetError", f"FR-065: the {who} hears of the end")
t.becomes(lambda: t.flows("a", subscriber_port=22008), [], "FR-065: the flow is gone")
t.equal(counter("flows_terminated"), was + 1, "FR-065: counted")
now = actions("a")
t.equal((now["mark"], "drop" in now), (done["mark"], False), "what a charging-action has done stays through the commit")
t.check(now["later"]["uplink_packets_terminated"] > done["later"]["uplink_packets_terminated"],
        "and it is counted on there", now["later"])
t.end()
END
