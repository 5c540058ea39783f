#!/bin/bash
# Services for requests and subscribers: URL blacklisting, content filtering by database and by rating
# servers over ICAP (one that hangs, closes, answers garbage), tethering detection by TTL and by OS
# signature; databases that are read anew; and what of it is done to recovered flows. FR numbers:
# chassis-requirements(7).
. "${0%/*}/lib/traffic.sh"
t_begin curl
export BED_SR=yes BED_SR_SESSIONS=2000 BED_SR_FLOWS=6000

printf 'games.test games\nads.test/banner ads,other\nnews.test news\ncut.test cut\n' >"$BED/categories"
printf 'black.test\nwww.mixed.test/bad\n' >"$BED/blacklist"
printf '# mobile stations announce another size\nlaptop mss=1400 options=MSTNW\n' >"$BED/signatures"
chmod 644 "$BED/categories" "$BED/blacklist" "$BED/signatures"

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    content-filtering category database $BED/categories
		    url-blacklisting database $BED/blacklist
		    tethering-detection database $BED/signatures
		    content-filtering category policy-id 7
		      analyze priority 1 category games action redirect-url http://portal.test/
		      analyze priority 2 category ads action www-reply-code-and-terminate-flow 451
		      analyze priority 3 category cut action terminate-flow
		      analyze priority 4 category told action content-insert "not today"
		    #exit
		    content-filtering server-group raters
		      icap server 127.0.0.1 port 11344 max 3
		      icap service rate
		      response-timeout 3
		      connection retry-timeout 1
		      failure-action www-reply-code-and-terminate-flow 503
		      deny-message "denied here"
		    #exit
		    ruledef tethered
		      tethering-detection flow-tethered = TRUE
		    #exit
		    ruledef web
		      tcp either-port = 80
		    #exit
		    ruledef resumed
		      udp either-port = 7002
		    #exit
		    ruledef any
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    charging-action shown
		      content-id 2
		      content-filtering processing server-group
		    #exit
		    rulebase gold
		      action priority 1 ruledef tethered charging-action count
		      action priority 2 ruledef web charging-action count
		      action priority 3 ruledef resumed charging-action count
		      action priority 9 ruledef any charging-action count
		      content-filtering category policy-id 7
		      url-blacklisting action discard
		      tethering-detection ip-ttl value 62
		      tethering-detection os-db
		    #exit
		    rulebase silver
		      action priority 2 ruledef web charging-action count
		      content-filtering category policy-id 7
		      content-filtering mode category static-and-dynamic server-group raters
		    #exit
		    rulebase bronze
		      action priority 2 ruledef web charging-action shown
		      content-filtering mode server-group raters
		    #exit
		    system-limit flow-chkpt-per-call 100
		    trigger-action recover
		      flow-recovery
		    #exit
		    trigger-condition which
		      rule-name = web
		      rule-name = resumed
		    #exit
		    service-scheme scheme
		      trigger flow-create
		        priority 1 trigger-condition which trigger-action recover
		      #exit
		    #exit
		    subs-class everybody
		      any-match = TRUE
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
import signal
import threading
from traffic import *

S, S6 = v4(10), v6(10)
active, standby = "a", "b"
seen, rated = [], []      # hosts that the web server, the rating server was asked for
GOLD, SILVER, BRONZE = 1, 2, 3


def threads(listener, serve):
    def one(conn):
        try:
            serve(conn)
        except OSError:
            pass
        conn.close()

    def run():
        while True:
            conn, _ = listener.accept()
            conn.settimeout(30)
            threading.Thread(target=one, args=(conn,), daemon=True).start()
    listener.settimeout(None)
    threading.Thread(target=run, daemon=True).start()


def header(conn, data=b""):
    """A header and what came behind it; None at the end."""
    while b"\r\n\r\n" not in data:
        got = conn.recv(65536)
        if not got:
            return None, b""
        data += got
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def field(head, name):
    for line in head.split("\r\n")[1:]:
        k, _, v = line.partition(":")
        if k.lower() == name:
            return v.strip()
    return ""


def web(conn):
    rest = b""
    while True:
        head, rest = header(conn, rest)
        if head is None:
            return
        want = int(field(head, "content-length") or 0)
        while len(rest) < want:
            rest += conn.recv(65536)
        body, rest = rest[:want], rest[want:]
        seen.append(field(head, "host") + head.split()[1])
        text = f"web of {field(head, 'host')} {len(body)}".encode()
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)


def denial(text):
    return b"ICAP/1.0 200 OK\r\nISTag: \"t\"\r\nEncapsulated: res-hdr=0, null-body=%d\r\n\r\n" % \
        len(text) + text


ANSWERS = {
    "deny.test": denial(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    "away.test": denial(b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/x\r\n\r\n"),
    "garbage.test": b"SMTP ready\r\n\r\n",
    "half.test": b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0\r\n\r\nnonsense\r\n\r\n",
    "failing.test": b"ICAP/1.0 500 Failed\r\nISTag: \"t\"\r\n\r\n",
    "rated.test": b"ICAP/1.0 204 No\r\nISTag: \"t\"\r\nX-Category: other,games\r\n\r\n",
    "told.test": b"ICAP/1.0 204 No\r\nISTag: \"t\"\r\nX-Category: told\r\n\r\n",
}
ALLOWED = b"ICAP/1.0 204 No Content\r\nISTag: \"t\"\r\nEncapsulated: null-body=0\r\n\r\n"


def icap(conn):
    rest = b""
    while True:
        head, rest = header(conn, rest)
        if head is None:
            return
        inner, rest = header(conn, rest)
        host = field(inner, "host")
        rated.append((host, head.split("\r\n")[0], inner.split("\r\n")[0], field(head, "x-client-ip")))
        if host == "slow.test":
            elapse(0.4)
        if host == "hang.test":
            while conn.recv(65536):  # until who asks has had enough
                pass
        if host in ("hang.test", "close.test"):
            return
        if host == "endless.test":
            conn.sendall(b"ICAP/1.0 204 No\r\n" + b"X: y\r\n" * 2000)
            continue
        conn.sendall(ANSWERS.get(host, ALLOWED))


for at in (S, S6):
    threads(t.listen("srv", at, 80), web)
for c in "ab":
    threads(t.listen(c, "127.0.0.1", 11344), icap)


def counter(name):
    return t.counters(active)[name]


def curl(sub, *urls, most="15", more=()):
    """What curl prints for URLs asked for one after the other, over one connection."""
    del seen[:], rated[:]
    six = ":" in sub
    argv = ["curl", "-s", "-i", "-m", most, "--interface", sub, *more]
    for u in urls:
        host = u.split("/")[2]
        argv += ["--resolve", f"{host}:80:{'[' + S6 + ']' if six else S}"]
    return t.sh("ue", *argv, *urls)


def rises(name, how_much, text):
    was = counter(name)

    def done():
        t.becomes(lambda: counter(name) - was, how_much, f"{text}: counter {name}")
    return done


def asked():
    return [r[0] for r in rated]


def came(*urls):
    """Which of these the web server has seen, as often as it has. Others can come between: what was dropped is
    sent again by its host for minutes, and on a recovered flow it is allowed; so what is to be dropped has a
    path of its own each time."""
    want = {u.split("://")[1].lower() for u in urls}
    return [u for u in seen if u.lower() in want]


def blocked_by_database(what):
    cases = [("redirect-url", "http://games.test/", "Location: http://portal.test/", "cf_redirected"),
             ("redirect-url below the host", "http://www.GAMES.test/a?b", "Location: http://portal",
              "cf_redirected"),
             ("www-reply-code", "http://ads.test/banner/1", "HTTP/1.1 451 ", "cf_replied"),
             ("terminate-flow", "http://cut.test/", None, "cf_terminated")]
    for sub in (sub4(GOLD), sub6(GOLD)):
        for name, url, want, ctr in cases:
            done = rises(ctr, 1, f"FR-035 {what}: {name}")
            rc, out = curl(sub, url)
            t.check((rc in (52, 56) if want is None else want in out) and not came(url),
                    f"FR-035 {what}: {url} of {sub}: {name}, and the server sees nothing", rc, out, seen)
            done()
    for url in ("http://ads.test/other", "http://news.test/", "http://plain.test/games.test",
                "http://notgames.test/"):
        rc, out = curl(sub4(GOLD), url)
        t.check("web of" in out and len(came(url)) == 1, f"FR-035 {what}: {url} is let through", rc, out, seen)


def blacklisted(what):
    done, hits = rises("cf_discarded", 1, f"FR-035 {what}: discard"), counter("blacklist_hits")
    once = what.replace(" ", "-")
    black = "http://black.test/" + once
    rc, out = curl(sub4(GOLD), black, most="1")
    t.check(rc == 28 and not out and not came(black),
            f"FR-035 {what}: a blacklisted URL is dropped", rc, out, seen)
    done()
    t.becomes(lambda: counter("blacklist_hits") > hits, True, f"FR-035 {what}: counter blacklist_hits")
    both = [f"http://www.mixed.test/{path}/{once}" for path in ("good", "bad")]
    rc, out = curl(sub4(GOLD), *both, most="2")
    t.equal((came(*both), rc), ([f"www.mixed.test/good/{once}"], 28),
            f"FR-035 {what}: the second request of a connection is dropped by its path")


def pipelined(what):
    c = t.socket("ue", sub4(GOLD), 0, socket.SOCK_STREAM)
    c.connect((S, 80))
    del seen[:]
    c.sendall(b"GET / HTTP/1.1\r\nHost: games.test\r\n\r\nGET / HTTP/1.1\r\nHost: plain.test\r\n\r\n")
    t.check(b"portal.test" in (comes(c) or b"") and not came("http://games.test/", "http://plain.test/"),
            f"FR-035 {what}: of two requests in one segment the first is denied", seen)
    c.close()


def by_server(what):
    three = ("http://one.test/a", "http://one.test/b?c=d", "http://two.test/")
    rc, out = curl(sub4(BRONZE), *three)
    t.equal(sorted(asked()), ["one.test", "one.test", "two.test"],
            f"FR-038 {what}: the server is shown each GET of a connection")
    t.equal(sorted(came(*three)), ["one.test/a", "one.test/b?c=d", "two.test/"], f"FR-038 {what}: and all arrive")
    t.check(all(r[1].startswith("REQMOD icap://127.0.0.1:11344/rate ICAP/1.0") and r[3] == sub4(BRONZE)
                for r in rated) and any(r[2] == "GET http://one.test/b?c=d HTTP/1.1" for r in rated),
            f"FR-038 {what}: as REQMOD with its URL and its subscriber", rated)
    rc, out = curl(sub6(BRONZE), "http://slow.test/six")
    t.check("web of slow.test" in out and asked() == ["slow.test"], f"FR-038 {what}: IPv6, after a while", out, rated)
    big = "x" * 60000
    rc, out = curl(sub4(BRONZE), "http://slow.test/post", more=("-H", "Expect:", "--data", big))
    t.check(f"web of slow.test {len(big)}" in out, f"FR-038 {what}: a body behind the request arrives whole", out)
    for host, want in (("deny.test", "HTTP/1.1 403 Forbidden"), ("away.test", "Location: http://elsewhere.test/x")):
        done = rises("icap_denied", 1, f"FR-038 {what}: {host}")
        rc, out = curl(sub4(BRONZE), f"http://{host}/")
        t.check(want in out and not came(f"http://{host}/") and asked() == [host],
                f"FR-038 {what}: {host}: the verdict is obeyed, the web server sees nothing", out, seen)
        done()
        if host == "deny.test":
            t.check("denied here" in out, f"FR-038 {what}: with the text of deny-message", out)
    done = rises("cf_redirected", 1, f"FR-035 {what}: rated")
    rc, out = curl(sub4(SILVER), "http://rated.test/")
    t.check("Location: http://portal.test/" in out and asked() == ["rated.test"] and
            not came("http://rated.test/"),
            f"FR-035 {what}: a URL that the database lacks is rated, and redirected by its category", out, seen)
    done()
    rc, out = curl(sub4(SILVER), "http://told.test/")
    t.check("HTTP/1.1 200 OK" in out and "not today" in out and not came("http://told.test/"),
            f"FR-035 {what}: another is answered with a text", out, seen)
    rc, out = curl(sub4(SILVER), "http://games.test/")
    t.check("portal.test" in out and not rated, f"FR-035 {what}: what the database has is not asked for", out, rated)
    rc, out = curl(sub4(SILVER), "http://plain.test/")
    t.check("web of plain.test" in out and asked() == ["plain.test"], f"FR-035 {what}: a URL without category", out,
            rated)


def bad_server():
    for host, ctr in (("hang.test", "icap_timeouts"), ("close.test", "icap_closed"),
                      ("garbage.test", "icap_refused"), ("half.test", "icap_refused"),
                      ("endless.test", "icap_refused"), ("failing.test", "icap_errors")):
        was = counter(ctr)
        rc, out = curl(sub4(BRONZE), f"http://{host}/")
        t.check("HTTP/1.1 503 Service Unavailable" in out and not came(f"http://{host}/"),
                f"a server that says {host}: failure-action", rc, out, seen)
        t.becomes(lambda: counter(ctr) > was, True, f"a server that says {host}: counter {ctr}")
        t.becomes(lambda: curl(sub4(BRONZE), "http://after.test/")[1], lambda out: "web of after.test" in out,
                  f"after {host} and its retry-timeout the server is asked again", 15)
    t.equal(t.counter(active, "icap_late"), 0, "no verdict came too late")


# --- tethering ---

def flow_of(sock, sub=sub4(GOLD)):
    return t.flow(active, subscriber=sub, subscriber_port=sock.getsockname()[1])


def udp(port, sport, ttl=64, sub=sub4(GOLD)):
    c, s = t.socket("ue", sub, sport), servers[port]
    if ":" in sub:
        c.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        s = servers6[port]
    else:
        c.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    c.connect(s.getsockname()[:2])
    c.send(b"up")
    s.recvfrom(100)
    return c


def tcp(mss=None, sub=sub4(GOLD)):
    c = t.socket("ue", sub, 0, socket.SOCK_STREAM)
    if mss:
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    c.connect((S6 if ":" in sub else S, 80))
    return c


servers = {p: t.socket("srv", S, p) for p in (7001, 7002)}
servers6 = {p: t.socket("srv", S6, p) for p in (7001, 7002)}


def tethering(what, sport):
    for sub in (sub4(GOLD), sub6(GOLD)):
        a, b = udp(7001, sport, 64, sub), udp(7001, sport + 1, 63, sub)
        got = [(f["tethered"], f["rule"]) for f in (flow_of(a, sub), flow_of(b, sub))]
        t.equal(got, [(False, "any"), (True, "tethered")],
                f"FR-040 {what}: of two TTLs of {sub} one is tethered, by rule and by show")
    f = [flow_of(c) for c in (tcp(), tcp(1400))]
    t.equal([(x["tethered"], x["rule"]) for x in f], [(False, "web"), (True, "tethered")],
            f"FR-042 {what}: SYNs without and with a listed signature")


def reread(database):
    t.ctl(active, f"upgrade {database}")
    t.replicas(active)  # a session manager that answers has done what it was told before


def upgrade():
    path = t.bed.path("signatures")
    with open(path, "w", encoding="ascii") as f:
        f.write("tablet mss=1300\nnothing at all here\n")
    why = t.refused(active, f"upgrade tethering-detection database {path}")
    t.check(why and "line 2" in why, "FR-042: a bad line refuses the file, by its number", why)
    t.equal(flow_of(tcp(1400))["tethered"], True, "FR-042: and what was read before goes on")
    with open(path, "w", encoding="ascii") as f:
        f.write("tablet mss=1300\n")
    reread(f"tethering-detection database {path}")
    t.equal([flow_of(tcp(m))["tethered"] for m in (1400, 1300)], [False, True],
            "FR-042: the database is read anew at run time")
    with open(path, "w", encoding="ascii") as f:
        f.write("laptop mss=1400 options=MSTNW\n")
    reread(f"tethering-detection database {path}")
    with open(t.bed.path("categories"), "a", encoding="ascii") as f:
        f.write("late.test games\n")
    t.check("web of" in curl(sub4(GOLD), "http://late.test/")[1], "a URL that is not listed yet")
    reread(f"content-filtering category database {t.bed.path('categories')}")
    t.check("portal.test" in curl(sub4(GOLD), "http://late.test/")[1], "and after an upgrade of the database")
    rows = {r["database"]: r for r in t.bed.show(active, "show active-charging databases", "database", "entries")}
    t.equal({k: r["entries"] for k, r in rows.items()}, {"categories": 5, "blacklist": 2, "os-signatures": 1},
            "show active-charging databases")


def raw_syn(c, mss):
    """A SYN on the ports of a connection, as another device would make it."""
    sport, (dst, dport) = c.getsockname()[1], c.getpeername()[:2]
    src = c.getsockname()[0]
    opts = struct.pack("!BBHBBBBII", 2, 4, mss, 4, 2, 8, 10, 1, 0) + bytes([1, 3, 3, 7])
    seg = struct.pack("!HHIIBBHHH", sport, dport, 12345, 0, (20 + len(opts)) // 4 << 4, 2, 64240, 0, 0) + opts
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(seg), 1, 0x4000, 64, 6, 0,
                     socket.inet_aton(src), socket.inet_aton(dst))
    pseudo = ip[12:20] + struct.pack("!HH", 6, len(seg))
    sums = sum(struct.unpack(f"!{(len(pseudo) + len(seg)) // 2}H", pseudo + seg))
    while sums >> 16:
        sums = (sums & 0xffff) + (sums >> 16)
    seg = seg[:16] + struct.pack("!H", ~sums & 0xffff) + seg[18:]
    with t.ns("ue"):
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.sendto(ip + seg, (dst, 0))
    s.close()


# --- recovered flows ---

kept = {}


def ask(c, url, seconds=PATIENCE):
    """A request over an open connection, and what comes back."""
    host = url.split("/")[2]
    c.sendall(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return (comes(c, seconds) or b"").decode("latin-1")


def open_all(sport):
    for name, i in (("filter", GOLD), ("black", GOLD), ("icap", BRONZE), ("rated", SILVER), ("syn", GOLD),
                    ("no syn", GOLD)):
        kept[name] = tcp(sub=sub4(i))
        t.check("web of kept.test" in ask(kept[name], "http://kept.test/first"), f"{name}: a connection is kept")
    kept["up"], kept["down"] = udp(7002, sport), udp(7002, sport + 1)
    t.equal([flow_of(kept[n])["tethered"] for n in ("up", "down")], [False, False], "two flows, not tethered")
    kept["was"] = udp(7002, sport + 2)


def recovered(what):
    del seen[:], rated[:]
    requests = counter("http_requests")
    for name, url, ctr, fr in (("filter", "http://games.test/again", "cf_recovered", "FR-036"),
                               ("black", "http://black.test/again", "blacklist_recovered", "FR-037"),
                               ("icap", "http://deny.test/again", "icap_recovered", "FR-039"),
                               ("rated", "http://rated.test/again", "icap_recovered", "FR-039")):
        was = counter(ctr)
        out = ask(kept[name], url)
        t.check("web of" in out and url[7:] in seen, f"{fr} {what}: {url} on a recovered flow passes", out)
        t.becomes(lambda: counter(ctr) > was, True, f"{fr} {what}: counter {ctr}")
    t.equal(rated, [], f"FR-039 {what}: the rating server is shown none of them")
    t.equal(counter("http_requests"), requests, f"{what}: their requests are not read")
    kept["up"].send(b"up")
    servers[7002].recvfrom(100)
    servers[7002].sendto(b"down", kept["down"].getsockname())
    t.equal(comes(kept["down"]), b"down", f"{what}: a packet comes back")
    kept["down"].send(b"up")
    servers[7002].recvfrom(100)
    f = [flow_of(kept[n]) for n in ("up", "down")]
    t.equal([(x["recovered"], x["rule"], x["tethered"]) for x in f],
            [(True, "resumed", True), (True, "resumed", False)],
            f"FR-041 {what}: the flow that resumes uplink is tethered, the other is not")
    raw_syn(kept["syn"], 1400)
    raw_syn(kept["no syn"], 1420)
    t.becomes(lambda: [flow_of(kept[n])["recovered"] for n in ("syn", "no syn")], [True, True],
              f"FR-043 {what}: both flows are recovered")
    t.becomes(lambda: flow_of(kept["syn"])["tethered"], True,
              f"FR-043 {what}: a SYN with a listed signature makes its flow tethered")


def judged(what):
    """With the switch: requests of recovered flows are judged as others."""
    t.both_charge([active, standby], "flow-recovery content-filtering")
    del seen[:], rated[:]
    was = {c: counter(c) for c in ("cf_recovered", "blacklist_recovered", "icap_recovered")}
    t.check("Location: http://portal.test" in ask(kept["filter"], "http://games.test/switch"),
            f"FR-036 {what}, switch on: the request of a recovered flow is redirected")
    ask(kept["black"], "http://black.test/switch", 1)
    t.check("web of" in ask(kept["rated"], "http://fine.test/switch") and len(rated) == 1,
            f"FR-039 {what}, switch on: the rating server is asked, and lets it through", str(rated))
    t.check("web of" not in ask(kept["icap"], "http://deny.test/switch"),
            f"FR-039 {what}, switch on: what it denies does not pass")
    t.equal([u for u in seen if "switch" in u], ["fine.test/switch"],
            f"FR-037 {what}, switch on: neither does what is blacklisted; all else stays here")
    t.equal({c: counter(c) for c in was}, was, f"{what}, switch on: none of them is counted as let through")
    t.both_charge([active, standby], "no flow-recovery content-filtering")


# a flow that is not to be tethered by its uplink packets: only the signature counts in silver, bronze
t.add("a", GOLD)
t.add("a", SILVER, more="rulebase silver")
t.add("a", BRONZE, more="rulebase bronze")

t.say("Fresh flows")
blocked_by_database("fresh")
blacklisted("fresh")
pipelined("fresh")
by_server("fresh")
bad_server()
tethering("fresh", 30000)
upgrade()
out = t.ctl("a", "show content-filtering statistics")
t.check("icap_held" in json.dumps(t.json("a", "show content-filtering statistics")) and "Packets held" in out,
        "show content-filtering statistics")
open_all(31000)
t.quiet()

t.say("A planned switchover")
t.switch("a", "b")
active, standby = "b", "a"
t.synchronised("b", "a")
recovered("switchover")
blocked_by_database("after the switchover")
by_server("after the switchover")
tethering("after the switchover", 32000)
open_all(32100)
t.quiet("b", "a")

t.say("The session managers of B die")
for row in t.bed.show("b", "show task resources", "pid", "starts"):
    if row["task"] == "sessmgr" and row["instance"]:
        os.kill(row["pid"], signal.SIGKILL)
t.becomes(lambda: flow_of(kept["up"])["recovered"], True, "its flows are recovered", 15)
t.synchronised("b", "a")
recovered("session recovery")
judged("session recovery")
blacklisted("after session recovery")
by_server("after session recovery")
t.end()
END
