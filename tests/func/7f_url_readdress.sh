#!/bin/bash
# `flow action url-readdress` under real TCP, with SACK and timestamps as they are by default: a connection
# goes to another server by its first request, megabytes each way, with and without loss, in super-packets
# too; the first server is reset and gets nothing; what is charged is what the subscriber sends and gets;
# where the other server does not play along the request goes to the first one; recovered connections end
# by a reset; connections that began under a rulebase without it stay. FR numbers: chassis-requirements(7).
. "${0%/*}/lib/traffic.sh"
export BED_GRO=yes
t_begin curl

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    ruledef shop
		      http host = shop.test
		    #exit
		    ruledef shop6
		      http host = shop6.test
		    #exit
		    ruledef lossy
		      http host = lossy.test
		    #exit
		    ruledef closed
		      http host = closed.test
		    #exit
		    ruledef silent
		      http host = silent.test
		    #exit
		    ruledef change
		      http host = change.test
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    xheader-format who
		      insert X-IMSI variable bearer 3gpp imsi
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action shop
		      content-id 2
		      flow action url-readdress server 198.51.100.20 port 9001
		    #exit
		    charging-action shop6
		      content-id 2
		      flow action url-readdress server 2001:db8:99::20 port 9001
		      xheader-insert xheader-format who
		    #exit
		    charging-action lossy
		      content-id 3
		      flow action url-readdress server 198.51.100.20 port 9001
		      flow limit-for-bandwidth direction downlink peak-data-rate 32000000 peak-burst-size 150000
		      flow limit-for-bandwidth direction uplink peak-data-rate 32000000 peak-burst-size 150000
		    #exit
		    charging-action closed
		      flow action url-readdress server 198.51.100.20 port 9002
		    #exit
		    charging-action silent
		      flow action url-readdress server 198.51.100.99
		    #exit
		    charging-action change
		      flow action rulebase-change gold
		    #exit
		    rulebase plain
		      action priority 1 ruledef change charging-action change
		      action priority 9 ruledef any charging-action count
		    #exit
		    rulebase gold
		      action priority 1 ruledef shop charging-action shop
		      action priority 2 ruledef shop6 charging-action shop6
		      action priority 3 ruledef lossy charging-action lossy
		      action priority 4 ruledef closed charging-action closed
		      action priority 5 ruledef silent charging-action silent
		      action priority 9 ruledef any charging-action count
		      flow control-handshaking charge-to-application mid-session-packets tear-down-packets
		    #exit
	CONF
	t_recover 'rule-name starts-with shop'
	printf '  #exit\nend\n'
}
t_pair
t_python <<'END'
import hashlib
import threading
from traffic import *

PAGE = os.urandom(6_000_001)
FIRST, OTHER = 10, 20
ADDRESS = {False: v4, True: v6}
heard = {}  # what servers were asked, by (address, port)


def read_head(sock, data=b""):
    while b"\r\n\r\n" not in data:
        got = sock.recv(65536)
        if not got:
            return None, b""
        data += got
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode(), rest


def serve(sock, where):
    """One connection: GET gives the page, PUT the digest of what was sent, each with the server's name."""
    rest = b""
    try:
        while True:
            head, rest = read_head(sock, rest)
            if head is None:
                break
            heard.setdefault(where, []).append(head)
            size = [int(x.split(":")[1]) for x in head.split("\r\n") if x.lower().startswith("content-length")]
            if size:
                while len(rest) < size[0]:
                    rest += sock.recv(1 << 16)
                body, rest = hashlib.sha256(rest[:size[0]]).hexdigest().encode(), rest[size[0]:]
            else:
                body = PAGE if " /page " in head else b"small"
            sock.sendall(f"HTTP/1.1 200 OK\r\nX-Server: {where[0]} {where[1]}\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    except OSError as e:
        heard.setdefault(where, []).append(type(e).__name__)
    sock.close()


def server(address, port):
    at = t.listen("srv", address, port)
    at.settimeout(None)

    def run():
        while True:
            sock, _ = at.accept()
            sock.settimeout(30)
            threading.Thread(target=serve, args=(sock, (address, port)), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()


for address in (v4, v6):
    server(address(FIRST), 80)
    server(address(OTHER), 9001)


def opened(i, six=False, port=0):
    s = t.socket("ue", (sub6 if six else sub4)(i), port, socket.SOCK_STREAM)
    s.settimeout(20)
    s.connect((ADDRESS[six](FIRST), 80))
    return s


def ask(s, host, path="/page", body=None, pieces=False):
    """A request; the name of the server that answered it, and its answer."""
    head = f"{'GET' if body is None else 'PUT'} {path} HTTP/1.1\r\nHost: {host}\r\n"
    if body is not None:
        head += f"Content-Length: {len(body)}\r\n"
    data = head.encode() + b"\r\n" + (body or b"")
    if pieces:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(data[:20])
        time.sleep(0.05)
        data = data[20:]
    s.sendall(data)
    head, rest = read_head(s)
    if head is None:
        return None, b""
    size = int(head.split("Content-Length: ")[1].split("\r\n")[0])
    while len(rest) < size:
        got = s.recv(1 << 16)
        if not got:
            break
        rest += got
    return head.split("X-Server: ")[1].split("\r\n")[0], rest


def counted(name, was, by, what):
    t.becomes(lambda: t.counter(active, name) - was[name], by, what)


def name_of(six=False, last=OTHER):
    return f"{ADDRESS[six](last)} {9001 if last == OTHER else 80}"


def round_trips(i, host, what, six=False, port=0):
    """A page, an upload and another request by one connection that goes to the other server."""
    s = opened(i, six, port)
    who, got = ask(s, host)
    t.equal((who, got == PAGE), (name_of(six), True), f"{what}: the other server's page of 6 MB comes whole")
    digest = hashlib.sha256(PAGE).hexdigest().encode()
    t.equal(ask(s, host, "/up", PAGE), (name_of(six), digest), f"{what}: and 6 MB to it")
    t.equal(ask(s, "elsewhere.test", "/"), (name_of(six), b"small"),
            f"{what}: a later request to somebody else stays with it")
    return s


active, standby = "a", "b"
call = t.add("a", 1)
ue, srv = t.tap("ue", "ue0"), t.tap("srv", "srv0")

for six, host in ((False, "shop.test"), (True, "shop6.test")):
    what = "IPv6" if six else "IPv4"
    t.say(what)
    was = t.counters("a")
    heard.clear(), ue.forget(), srv.forget()
    s = round_trips(1, host, what, six)
    port = s.getsockname()[1]
    s.close()
    first, other = ADDRESS[six](FIRST), ADDRESS[six](OTHER)
    t.becomes(lambda: heard.get((first, 80)), ["ConnectionResetError"],
              f"{what}: the first server was asked nothing, and is reset")
    if six:
        t.check("X-IMSI: 001010000000001" in heard[(other, 9001)][0], f"{what}: header fields go in as well",
                heard[(other, 9001)][0])
    t.equal([p.flags & 0x12 for p in srv.packets(dst=other) if p.flags & 2], [2],
            f"{what}: one SYN went to the other server")
    data = [p for p in srv.packets(dst=other, dport=9001) if p.payload]
    t.check(all(p.size - p.payload >= (72 if six else 52) for p in data), f"{what}: its segments bear timestamps")
    t.equal({p.src for p in ue.packets(dport=port)}, {first}, f"{what}: the subscriber hears of the first alone")
    t.equal(t.counter("a", "url_readdressed") - was["url_readdressed"], 1, f"{what}: it is counted")

t.say("Charging")
s = round_trips(1, "shop.test", "charged")
s.close()
t.becomes(lambda: t.flows("a", subscriber=sub4(1)), [], "the flows have ended", 10)


def outside():
    return volume(ue.packets(peer=v4(FIRST)), v4(FIRST))


def inside():
    """What was charged to the session since its IPv6 connection."""
    return tuple(a - b for a, b in zip(t.volumes("a", "session", call)[""], base))


ue.forget()
base = t.volumes("a", "session", call)[""]
s = round_trips(1, "shop.test", "charged again")
s.close()
t.becomes(lambda: t.flows("a", subscriber=sub4(1)), [], "its flow has ended", 10)
t.becomes(lambda: inside() == outside(), True, "charged is what the subscriber sent and got, to the byte")
t.check(inside()[1] > 6_000_000 and inside()[3] > 6_000_000, "which is some", inside(), outside())

t.say("A header in pieces, curl, and loss")
was = t.counters("a")
s = opened(1)
t.equal(ask(s, "shop.test", "/", pieces=True), (name_of(), b"small"), "a header in two segments")
s = opened(1)
t.equal(ask(s, "nobody.test", "/", pieces=True), (name_of(last=FIRST), b"small"),
        "... and of a request to nobody special: it goes to the first server")
t.equal(ask(s, "shop.test", "/"), (name_of(last=FIRST), b"small"), "a second request stays with that")
counted("url_readdress_missed", was, 1, "which is counted")
rc, out = t.sh("ue", "curl", "-sS", "--interface", sub4(1), "-H", "Host: shop.test", "-o", "/dev/null",
               "-w", "%{http_code} %{size_download}", f"http://{v4(FIRST)}/page")
t.equal((rc, out), (0, f"200 {len(PAGE)}"), "curl gets the page")
s = opened(1)
lost = t.counter("a", "drop_police")
who, got = ask(s, "lossy.test")
t.equal((who, got == PAGE), (name_of(), True), "a page through a rate limit comes whole")
t.equal(ask(s, "lossy.test", "/up", PAGE), (name_of(), hashlib.sha256(PAGE).hexdigest().encode()), "so does an upload")
t.check(t.counter("a", "drop_police") - lost > 20, "which has lost packets")
blocks = [p for p in srv.packets(dst=v4(OTHER), dport=9001) if not p.payload and p.size > 60]
t.check(blocks, "and was told so by selective acknowledgements")
s.close()

t.say("A session that gets the rulebase with its first request")
t.add("a", 2, more="rulebase plain")
was = t.counters("a")
early, s = opened(2), opened(2)
t.equal(ask(s, "change.test", "/"), (name_of(last=FIRST), b"small"), "the request that does it stays")
t.equal(ask(early, "shop.test", "/"), (name_of(last=FIRST), b"small"), "so does that of a connection of before")
counted("url_readdress_missed", was, 1, "which is counted")
t.equal(ask(opened(2), "shop.test", "/"), (name_of(), b"small"), "that of a new connection goes to the other server")
t.equal(t.counter("a", "url_readdress_unwatched"), 0, "there was room to watch each")

t.say("The other server does not play along")
was = t.counters("a")
s = opened(1)
t.equal(ask(s, "closed.test", "/"), (name_of(last=FIRST), b"small"), "refused: the first server has the request")
counted("url_readdress_failed", was, 1, "refused: counted")
s = opened(1)
begin = time.monotonic()
t.equal(ask(s, "silent.test", "/"), (name_of(last=FIRST), b"small"), "no answer: the first server has the request")
t.check(time.monotonic() - begin < 6, "no answer: after some seconds", time.monotonic() - begin)
counted("url_readdress_silent", was, 1, "no answer: counted")
s = opened(1)
t.sh("srv", "sysctl", "-qw", "net.ipv4.tcp_timestamps=0")
t.equal(ask(s, "shop.test", "/"), (name_of(last=FIRST), b"small"), "without timestamps: the first server has the request")
counted("url_readdress_unfit", was, 1, "without timestamps: counted")
t.sh("srv", "sysctl", "-qw", "net.ipv4.tcp_timestamps=1", "net.ipv4.tcp_sack=0")
s = opened(1)
who, got = ask(s, "shop.test")
t.equal((who, got == PAGE), (name_of(), True), "where neither has SACK it works without")
t.sh("srv", "sysctl", "-qw", "net.ipv4.tcp_sack=1")

t.say("A planned switchover")
s = opened(1, port=30000)
t.equal(ask(s, "shop.test", "/"), (name_of(), b"small"), "a connection with the other server")
flow = t.flow("a", subscriber_port=30000)
t.equal((flow["rule"], flow["recovered"]), ("shop", False), "its flow")
t.quiet()
t.switch("a", "b")
active, standby = "b", "a"
t.synchronised("b", "a")
srv.forget()
try:
    got = ask(s, "shop.test", "/")
except OSError as e:
    got = type(e).__name__
t.equal(got, "ConnectionResetError", "FR-064: after the recovery it ends by a reset")
t.check(srv.packets(dst=v4(FIRST), dport=80, sport=30000) and not srv.packets(dst=v4(OTHER), sport=30000),
        "FR-064: its packets left with the address they came with")
round_trips(1, "shop.test", "FR-064: a new connection is readdressed")
t.end()
END
