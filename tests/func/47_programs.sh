#!/bin/bash
# Traffic of real programs: curl and nginx over HTTP and TLS, openssl, dig and dnsmasq, ping,
# iperf3. Each is recognised, and charged to its rule to the byte.
export BED_LONG_SECONDS=5
. "${0%/*}/lib/traffic.sh"
t_begin curl nginx dig dnsmasq ping iperf3
bed_network_up && bed_certs && bed_servers_up || t_fail "the servers did not start"
bed_network_up() { :; }
bed_certs() { :; }
t_pair
t_python <<'END'
from traffic import *

ue, srv = t.tap("ue", "ue0"), t.tap("srv", "srv0")
calls = {i: t.add("a", i) for i in (1, 2)}
L7 = {"web": 10, "files": 20, "secure": 30, "streams": 40, "names": 50}
L34 = {"bulk": 60, "echo": 80}


def expected():
    """What each rule should have: packets of a connection before its first payload are nobody's yet."""
    want = {n: [0, 0, 0, 0] for n in [*L7, *L34, "any"]}
    begun = set()
    for p in ue.packets():
        name = {a: n for n, last in {**L7, **L34}.items() for a in (v4(last), v6(last))}.get(
            p.dst, {a: n for n, last in {**L7, **L34}.items()
                    for a in (v4(last), v6(last))}.get(p.src))
        if not name:
            continue
        key = frozenset([(p.src, p.sport), (p.dst, p.dport)])
        if name in L7 and p.payload > 0:
            begun.add(key)
        w = want[name if name not in L7 or key in begun else "any"]
        up = p.dst.startswith(("198.51.100.", "2001:db8:99:"))
        w[0 if up else 2] += 1
        w[1 if up else 3] += p.size
    return {n: tuple(w) for n, w in want.items()}


def curl(sub, name, host, page, *more):
    tls = name in ("secure", "streams")
    six = ":" in sub
    addr = f"[{v6(L7[name])}]" if six else v4(L7[name])
    return t.sh("ue", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
                "--interface", sub,
                "--resolve", f"{host}:{443 if tls else 80}:{addr}", "--cacert",
                t.bed.path("web.pem"),
                *more, f"{'https' if tls else 'http'}://{host}/{page}")


for sub in (sub4(1), sub6(1)):
    for name, host in (("web", "www.example.test"), ("files", "files.example.test"),
                       ("secure", "secure.example.test"),
                       ("streams", "a.streams.example.test"),
                       ("streams", "b.streams.example.test")):
        rc, out = curl(sub, name, host, "page")
        t.check(rc == 0 and out == "200 20000", f"curl {host} from {sub}", out)
    rc, out = curl(sub, "web", "www.example.test", "page", "-o", "/dev/null",
                   "http://www.example.test/page")
    t.check(rc == 0, "curl, two requests of one connection", out)
    server = v6(50) if ":" in sub else v4(50)
    rc, out = t.sh("ue", "dig", "+short", "+time=2", "-b", sub, f"@{server}", "host.example.test")
    t.check(rc == 0 and out.strip() == "192.0.2.1", f"dig from {sub}", out)
    rc, out = t.sh("ue", "dig", "+tcp", "+short", "+time=2", "-b", sub, f"@{server}",
                   "host.example.test")
    t.check(rc == 0 and out.strip() == "192.0.2.1", f"dig over TCP from {sub}", out)
    rc, out = t.sh("ue", "ping", "-q", "-c", "3", "-i", "0.05", "-W", "1", "-I", sub, v6(80)
                   if ":" in sub else v4(80))
    t.check(rc == 0, f"ping from {sub}", out)
    six = ":" in sub
    rc, out = t.sh("ue", "iperf3", "-c", v6(60) if six else v4(60), "-p", "5202" if six else "5201",
                   "-B", sub,
                   "-n", "2M", "-i", "0", *(["-R"] if six else []))
    t.check(rc == 0, f"iperf3 from {sub}", out)

t.say("openssl s_client and s_server")
for sub, server in ((sub4(2), v4(40)), (sub6(2), v6(40))):
    six = ":" in sub
    p = t.bed.spawn("srv", "openssl", "s_server", "-quiet", "-accept", f"[{server}]:4433" if six
                    else f"{server}:4433",
                    "-cert", t.bed.path("server.pem"), "-key", t.bed.path("server.key"), "-www",
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("openssl s_server", 5, lambda: ":4433" in t.sh("srv", "ss", "-Hltn")[1])
    ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect " \
          f"{f'[{server}]' if six else server}:4433 -servername a.streams.example.test " \
          f"-bind {f'[{sub}]' if six else sub}:24433 2>/dev/null"
    rc, out = t.sh("ue", "sh", "-c", ask)
    t.check("200 ok" in out, f"openssl s_client from {sub} is answered", out[:200])
    t.equal(t.flow("a", subscriber=sub, subscriber_port=24433)["rule"], "streams",
            "its flow is on the group's rule")
    p.kill()
    p.wait()

t.say("each rule against the outside")
want = expected()
for name in want:
    t.becomes(lambda: t.rule("a", name), lambda got: got == expected()[name],
              f"rule {name}: as outside, {want[name]}")
got = {}
for c in calls.values():
    for n, v in t.volumes("a", callid=c).items():
        got[n] = tuple(a + b for a, b in zip(got.get(n, (0,) * 4), v))
t.equal(got, expected(), "volumes of the sessions: the same")
t.equal(volume(srv.packets(), [f(x) for f in (v4, v6) for x in (10, 20, 30, 40, 50, 60, 80)]),
        tuple(sum(w[i] for w in expected().values()) for i in range(4)),
        "and all of it came out at the servers")
c = t.counters("a")
t.check(c["http_requests"] >= 8 and c["tls_hellos"] >= 8 and c["dns_queries"] >= 4,
        "the analyzers have spoken",
        {n: c[n] for n in ("http_requests", "tls_hellos", "dns_queries")})
t.quiet()
t.balanced("a", "b")
t.end()
END
