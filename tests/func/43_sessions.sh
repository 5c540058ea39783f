#!/bin/bash
# Sessions: created one by one, from a file of 100 000, by a subscriber's first packet where the
# pool says so; never for others; deleted.
. "${0%/*}/lib/traffic.sh"
t_begin
t_pair
t_python <<'END'
import re
from traffic import *

srv = t.tap("srv", "srv0")
server = t.socket("srv", v4(70), 7007)


def both(n, text):
    for c in "ab":
        t.becomes(lambda: len(t.sessions(c)), n, f"chassis {c}: {text}")


t.say("one by one")
out = t.ctl("a", f"session add imsi 001010000000001 username one apn internet ip-address {sub4(1)} ipv6-address {sub6(1)}")
call = re.search(r"callid: ([0-9a-f]{8})", out)
t.check(call, "session add says the call-id", out)
call = call.group(1)
both(1, "one session")
for c in "ab":
    s = t.sessions(c)[0]
    t.equal((s["callid"], s["imsi"], s["username"], s["apn"], s["rulebase"], s["v4"],
             s["v6"].split("/")[0]),
            (call, "001010000000001", "one", "internet", "gold", sub4(1), "2001:db8:45:1::"),
            f"chassis {c}: all that was said of it")
t.ctl("a", "session add imsi 001010000000002 apn internet ip-address auto ipv6-address auto")
auto = t.sessions("a", imsi="001010000000002")[0]
t.check(auto["v4"].startswith("10.45.") and auto["v4"] != sub4(1)
        and auto["v6"].startswith("2001:db8:45:"),
        "auto takes a free address of a pool of each family", auto)
for what, command in {
        "an address that is held": f"session add imsi 001010000000003 apn internet ip-address {sub4(1)}",
        "a prefix that is held": f"session add imsi 001010000000003 apn internet ipv6-address {sub6(1)}",
        "a rulebase that is not there": f"session add imsi 001010000000003 apn internet ip-address {sub4(3)} rulebase none",
        "no address": "session add imsi 001010000000003 apn internet",
        "not an address": "session add imsi 001010000000003 apn internet ip-address 10.45.0.300",
        "letters in the imsi": f"session add imsi 00101x apn internet ip-address {sub4(3)}",
        "a call-id that is not there": "session delete callid 12345678"}.items():
    said = t.refused("a", command)
    t.check(said and "Failure:" in said, f"refused: {what} ({(said or '').split('Failure: ')[-1]})")
said = t.refused("b", f"session add imsi 001010000000003 apn internet ip-address {sub4(3)}")
t.check(said and "not active" in said, "refused on the standby, which says why", said)
both(2, "nothing else was made")

t.say("deleted")
ctl_again = f"session add imsi 001010000000001 username one apn internet ip-address {sub4(1)} ipv6-address {sub6(1)}"
for _ in range(5):
    t.ctl("a", f"session delete callid {call}")
    call = re.search(r"callid: ([0-9a-f]{8})", t.ctl("a", ctl_again)).group(1)
t.check(True, "an address is free as soon as its session was deleted")
ue = t.socket("ue", sub4(1), 7100)
echo(ue, server, b"served", (v4(70), 7007))
t.ctl("a", f"session delete callid {call}")
both(1, "one is left")
drops = t.counter("a", "unknown_no_pool")
ue.sendto(b"not served any more", (v4(70), 7007))
t.becomes(lambda: t.counter("a", "unknown_no_pool"), drops + 1, "its packet is dropped and counted")
t.check(arrives(server) is None, "and does not arrive")
t.ctl("a", "session delete all")
both(0, "none is left")

t.say("idle")
t.ctl("a", f"session add imsi 001010000000004 apn internet ip-address {sub4(4)} idle-timeout 2")
idle = t.counter("a", "sessions_idle")
user = t.socket("ue", sub4(4), 7100)
for _ in paced(0.3, 3):
    echo(user, server, b"busy", (v4(70), 7007))
both(1, "with traffic a session lives longer than its idle timeout")
both(0, "without it ends, on both")
t.equal(t.counter("a", "sessions_idle"), idle + 1, "counted")

t.say("unknown subscribers of pools that create no session")
drops = t.counter("a", "unknown_no_pool")
six = t.socket("ue", sub6(2), 7100)
six.sendto(b"unknown", (v6(70), 7007))
t.socket("ue", sub4(2), 7100).sendto(b"unknown", (v4(70), 7007))
server.sendto(b"unknown", (sub4(2), 7100))
t.becomes(lambda: t.counter("a", "unknown_no_pool"), drops + 3,
          "uplink IPv4 and IPv6, downlink: all three are counted")
t.check(arrives(server) is None, "none arrives")
both(0, "no session was made")

t.say("by the first packet, where the pool says so")
created = t.counter("a", "first_packet")
first = t.socket("ue", walkin(1), 7101)
for i in range(30):
    first.sendto(b"walk in %d" % i, (v4(70), 7007))
got = [comes(server) for _ in range(30)]
t.equal(sorted(got, key=lambda g: int((g or b"x -1").split()[-1])),
        [b"walk in %d" % i for i in range(30)],
        "not a packet of a burst is lost, nor is one there twice")
both(1, "one session")
s = t.sessions("b")[0]
t.equal((s["v4"], s["apn"], s["rulebase"]), (walkin(1), "internet", "gold"),
        "with the pool's APN and its rulebase")
t.equal(t.counter("a", "first_packet"), created + 1, "counted once")
t.equal(t.sessions("a")[0]["packets_up"], 30, "all its packets are in its volume")
server.sendto(b"nobody", (walkin(2), 7101))
t.becomes(lambda: t.counter("a", "unknown_no_pool"), drops + 4,
          "a packet from outside creates none, and is counted")
both(1, "still one session")
users = [t.socket("ue", walkin(i), 7101) for i in range(2, 11)]
for u in users:
    u.sendto(b"all at once", (v4(70), 7007))
t.equal([comes(server) for _ in users], [b"all at once"] * 9, "nine more, at once")
both(10, "ten sessions")
instances = {s["instance"] for s in t.sessions("a")}
t.equal(instances, {1, 2}, "placed on both session managers")
for s in t.sessions("a"):
    u = t.sessions("b", callid=s["callid"])
    t.check(u and u[0]["instance"] == s["instance"] and u[0]["v4"] == s["v4"],
            f"{s['v4']}: the same call-id, instance and address on the standby")
t.ctl("a", "session delete all")
both(0, "deleted")

t.say("from a file of 100 000")
path = t.bed.path("subs.csv")
with open(path, "w", encoding="ascii") as f:
    f.write("# imsi,username,apn,ipv4,ipv6,rulebase\n\n")
    for i in range(1, 100001):
        four, six = f"10.45.{i >> 8}.{i & 255}" if i < 65536 else "", f"2001:db8:45:{i & 0xffff:x}::/64" if i >= 65536 else ""
        f.write(f"00101{i:010d},user{i},internet,{four},{six},\n")
began = time.monotonic()
out = t.ctl("a", f"session load {path}")
t.say(f"took {time.monotonic() - began:.1f} s")
t.check(re.search(r"Sessions added\W+100000\b", out) and re.search(r"Lines refused\W+0\b", out),
        "all were added", out)


def count(c):
    return sum(r["sessions"] for r in t.replicas(c))


t.becomes(lambda: count("a"), 100000, "chassis a has them")
t.becomes(lambda: count("b"), 100000, "chassis b too", 60)
echo(t.socket("ue", sub4(9), 7102), server, b"loaded", (v4(70), 7007))
t.check(True, "one of them has traffic")
with open(path, "w", encoding="ascii") as f:
    f.write("001011,held,internet,10.45.0.9,,\n001012,too,few\nx01013,imsi,internet,10.46.0.200,,\n"
            "001014,fine,internet,10.46.0.201,,gold\n001015,none,internet,10.46.0.202,,no-such-rulebase\n")
said = t.refused("a", f"session load {path}") or ""
for n in (1, 2, 3, 5):
    t.check(f"line {n}:" in said, f"a bad file: line {n} is named", said)
t.check(re.search(r"Sessions added\W+1\b", said) and "4 of 5 lines were refused" in said,
        "one was added, four refused", said)
t.check((t.refused("a", "session load /nonexistent/file") or "").count("Failure:") == 1,
        "a file that is not there")
t.ctl("a", "session delete all")
t.becomes(lambda: count("a") + count("b"), 0, "all are deleted, on both", 60)
t.quiet()
t.balanced("a", "b")
t.end()
END
