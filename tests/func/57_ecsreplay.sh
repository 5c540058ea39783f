#!/bin/bash
# ecsreplay makes of a capture what the chassis made of the traffic: rule by rule, to the byte; of
# plain and next-generation captures, as text and as JSON; and refuses what is none.
export BED_LONG_SECONDS=5
. "${0%/*}/lib/traffic.sh"
t_begin curl nginx dig dnsmasq ping iperf3
[ -x "$BUILD/ecsreplay" ] || t_skip "$BUILD/ecsreplay is not built"
bed_network_up && bed_certs && bed_servers_up || t_fail "the servers did not start"
bed_network_up() { :; }
bed_certs() { :; }
t_pair
t_python <<'END'
import os
from traffic import *

EXE = os.path.join(t.bed.build, "ecsreplay")
CFG = t.bed.path("a.cfg")
SUBS = ["--subscriber", "10.45.0.0/16", "--subscriber", "2001:db8:45::/48"]
tap = t.tap("ue", "ue0")
t.add("a", 1)
for sub, web, tls, dns, six in ((sub4(1), v4(10), v4(40), v4(50), False),
                                (sub6(1), v6(10), v6(40), v6(50), True)):
    for scheme, host, addr in (("http", "www.example.test", web),
                               ("https", "a.streams.example.test", tls)):
        rc, out = t.sh("ue", "curl", "-sS", "-o", "/dev/null", "--interface", sub, "--cacert",
                       t.bed.path("web.pem"), "--resolve",
                       f"{host}:{443 if scheme == 'https' else 80}:{f'[{addr}]' if six else addr}",
                       f"{scheme}://{host}/page")
        t.check(rc == 0, f"curl {scheme}://{host} from {sub}", out)
    t.sh("ue", "dig", "+short", "-b", sub, "@" + dns, "host.example.test")
    t.sh("ue", "ping", "-q", "-c", "2", "-i", "0.05", "-I", sub, v6(80) if six else v4(80))
other = t.socket("srv", v4(70), 9999)
echo(t.socket("ue", sub4(1), 20999), other, os.urandom(5000), (v4(70), 9999))


def names():
    return [r["name"] for r in t.bed.show("a", "show active-charging ruledef statistics", "name",
                                          "hits")]


def live():
    got = {n: t.rule("a", n) for n in names()}
    return {n: v for n, v in got.items() if any(v)}


def whole():
    """All that was seen outside has been charged."""
    outside = [p for s in (sub4(1), sub6(1)) for p in tap.packets(peer=s)]
    return sum(v[0] + v[2] for v in live().values()) == \
        sum(p.proto != 58 or not 133 <= p.icmp <= 137 for p in outside)  # neighbours


t.delivered()
wait_for("the end of the connections", PATIENCE, lambda: not t.connections())
wait_for("every packet to be charged", PATIENCE, whole)
seen = live()
# what hosts say to their neighbours does not go through the chassis
frames = [f for f, _ in tap.read() if not (f[12:14] == b"\x86\xdd" and f[20] == 58
                                           and 133 <= f[54] <= 137)]


def pcap(path):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, p in enumerate(frames):
            f.write(struct.pack("<IIII", 1700000000 + i // 1000, i % 1000 * 1000, len(p),
                                len(p)) + p)


def pcapng(path):
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    with open(path, "wb") as f:
        f.write(block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)))
        f.write(block(1, struct.pack("<HHI", 1, 0, 65535)))
        for i, p in enumerate(frames):
            us = 1700000000000000 + i * 1000
            f.write(block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xffffffff, len(p),
                                         len(p)) + p + bytes(-len(p) % 4)))


def replay(*argv):
    p = subprocess.run([EXE, *argv], capture_output=True, text=True, check=False, timeout=20)
    return p.returncode, p.stdout, p.stderr


def rules(path, *more):
    rc, out, err = replay("-c", CFG, *SUBS, "--rulebase", "gold", *more, "--rules", "--json", path)
    t.equal(rc, 0, f"ecsreplay of {os.path.basename(path)}")
    doc = json.loads(out)
    t.equal(doc["frames"], len(frames), "every frame was read")
    return {r["rule"]: (r["packets_up"], r["bytes_up"], r["packets_down"], r["bytes_down"])
            for r in doc["rules"] if r["hits"]}


t.say("volumes per rule")
one, ng = t.bed.path("live.pcap"), t.bed.path("live.pcapng")
pcap(one)
pcapng(ng)
t.check({"web", "streams", "names", "echo", "any"} <= set(seen), "the chassis charged five rules",
        sorted(seen))
t.equal(rules(one), seen, "a plain capture: as the chassis charged")
t.equal(rules(ng), seen, "a next-generation capture: the same")
text = replay("-c", CFG, *SUBS, "--rules", one)[1]
for name, v in seen.items():
    line = [l.split() for l in text.splitlines() if l.split()[:1] == [name]]
    t.check(len(line) == 1 and tuple(map(int, line[0][2:])) == v, f"as text, {name}", text)

t.say("flows")
rc, out, err = replay("-c", CFG, *SUBS, "--flows", "--json", one)
flows = json.loads(out)["flows"]
known = {(f["subscriber"], f["subscriber_port"], f["server"], f["server_port"], f["rule"])
         for f in flows}
t.check((sub4(1), 20999, v4(70), 9999, "any") in known, "a flow with its ends and its rule")
for server, rule in ((v4(10), "web"), (v6(10), "web"), (v4(40), "streams"), (v6(40), "streams"),
                     (v4(50), "names"), (v6(80), "echo")):
    t.equal({f["rule"] for f in flows if f["server"] == server}, {rule},
            f"flows of {server}: rule {rule}")
up = sum(f["bytes_up"] for f in flows)
t.equal(up, sum(v[1] for v in seen.values()), "the flows have every byte that the rules have")
text = replay("-c", CFG, *SUBS, one)[1]
t.equal(len(text.splitlines()), len(flows), "as text, and without a word: flows, a line each")
t.check(all(" rule " in l and " up " in l and " down " in l for l in text.splitlines()),
        "with rule and volumes", text)

t.say("packets")
rc, out, err = replay("-c", CFG, *SUBS, "--rulebase", "gold", "--packets", "--json", one)
doc = json.loads(out)
charged = {}
for x in doc["packets"]:
    v = charged.setdefault(x["rule"], [0] * 4)
    at = 0 if x["direction"] == "uplink" else 2
    v[at] += x["packets"] * x["charged"]
    v[at + 1] += x["bytes"] * x["charged"]
t.equal({n: tuple(v) for n, v in charged.items() if any(v)}, seen, "what its rows charge is what the rules have")
firsts = [x for x in doc["packets"] if not x["late"]]
subscribers = {sub4(1), sub6(1)}
ip = [i for i, f in enumerate(frames) for p in [parse(f)] if p and {p.src, p.dst} & subscribers]
t.equal(doc["frames"], len(frames), "every frame was read")
t.equal([x["wall_us"] for x in firsts], [1700000000000000 + i * 1000 for i in ip],
        "a row for each packet, in their order, with the times of the capture")
text = replay("-c", CFG, *SUBS, "--packets", one)[1].splitlines()
t.check(text[0].split()[:4] == ["In", "Seq", "Time", "Callid"] and text[1].startswith("--"), "as text, with titles",
        text[:2])
t.equal(sum(" forwarded " in x for x in text), sum(x["charged"] for x in doc["packets"]), "and a line each")

t.say("what is refused")
for what, data in (("nothing", b""), ("a header alone that is cut", b"\xd4\xc3\xb2\xa1\x02"),
                   ("no capture", b"hello, world\n" * 10)):
    with open(t.bed.path("bad"), "wb") as f:
        f.write(data)
    rc, out, err = replay("-c", CFG, t.bed.path("bad"))
    t.check(rc == 1 and err.startswith("ecsreplay: "),
            f"{what}: status 1 and the reason ({err.strip()})", rc)
with open(one, "rb") as f:
    data = f.read()
with open(t.bed.path("bad"), "wb") as f:
    f.write(data[:-7])
rc, out, err = replay("-c", CFG, "--json", t.bed.path("bad"))
t.check(rc != 0 and "ecsreplay: " in err,
        f"a capture whose last packet is cut: says so ({err.strip()})", rc)
rc, out, err = replay("-c", t.bed.path("none.cfg"), one)
t.check(rc != 0 and "none.cfg" in err, "a configuration that is not there")
with open(t.bed.path("bad.cfg"), "w", encoding="ascii") as f:
    f.write("configure\n nonsense\n")
rc, out, err = replay("-c", t.bed.path("bad.cfg"), one)
t.check(rc != 0 and "2" in err and "nonsense" in err,
        "a configuration with a bad line: file, line and word", err)
rc, out, err = replay("-c", CFG, "--rulebase", "no-such", one)
t.check(rc != 0, "a rulebase that is not there", err)
rc, out, err = replay()
t.check(rc == 2 and err.startswith("usage:"), "without arguments: usage, status 2", (rc, err))
t.end()
END
