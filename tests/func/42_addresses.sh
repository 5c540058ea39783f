#!/bin/bash
# Addresses marked srp-activate are of the active chassis alone: it answers ARP and neighbour
# solicitations for them, and tells both networks when it takes them over.
. "${0%/*}/lib/traffic.sh"
t_begin
t_pair
t_python <<'END'
from traffic import *

SERVICE = {"acc": ("10.1.0.1", "fd01::1"), "core": ("10.2.0.1", "fd02::1")}
taps = {side: t.tap(side, "lan") for side in SERVICE}


def mac(chassis, side):
    return t.sh(chassis, "cat", f"/sys/class/net/{side}0/address")[1].strip()


MAC = {(c, side): mac(c, side) for c in "ab" for side in SERVICE}


def owned(chassis):
    out = t.sh(chassis, "ip", "-o", "addr")[1]
    return sorted(w for line in out.splitlines() for w in line.split()
                  if w.split("/")[0] in sum(SERVICE.values(), ()))


def everybody(answers):
    """Who answers: once one has, others would have a moment later."""
    wait_for("an answer", PATIENCE, answers)
    t.grace()
    return sorted(answers())


def asked(side, addr):
    """Every hardware address that answers for an IPv4 address."""
    own = bytes.fromhex(t.sh(side, "cat", "/sys/class/net/lan/address")[1].strip().replace(":", ""))
    taps[side].forget()
    with t.ns(side):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        raw.bind(("lan", 0x0806))
    me = socket.inet_aton("10.1.0.250" if side == "acc" else "10.2.0.250")
    raw.send(b"\xff" * 6 + own + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + own + me +
             bytes(6) + socket.inet_aton(addr))
    return everybody(lambda: {f[22:28].hex(":") for f, kind in taps[side].read()
                              if f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2"
                              and f[28:32] == socket.inet_aton(addr)})


def solicited(side, addr):
    """Every hardware address that advertises an IPv6 address when it is asked for."""
    own = bytes.fromhex(t.sh(side, "cat", "/sys/class/net/lan/address")[1].strip().replace(":", ""))
    taps[side].forget()
    target = socket.inet_pton(socket.AF_INET6, addr)
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    with t.ns(side):
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        index = socket.if_nametoindex("lan")
    raw.sendto(bytes([135, 0, 0, 0]) + bytes(4) + target + b"\1\1" + own,
               (socket.inet_ntop(socket.AF_INET6, group), 0, 0, index))
    return everybody(lambda: {m for m, solicited, a in advertised(side) if a == addr and solicited})


def advertised(side):
    """Neighbour advertisements seen: hardware address, solicited, address."""
    for f, _ in taps[side].read():
        if f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == 136 and len(f) >= 86:
            yield f[80:86].hex(":"), bool(f[58] & 0x40), socket.inet_ntop(socket.AF_INET6, f[62:78])


def gratuitous(side):
    """ARP packets that say of themselves where an address is: hardware address, address."""
    for f, _ in taps[side].read():
        if f[12:14] == b"\x08\x06" and f[28:32] == f[38:42]:
            yield f[22:28].hex(":"), socket.inet_ntoa(f[28:32])


def owner_is(active, standby):
    t.equal(len(owned(active)), 4, f"{active} has the four service addresses")
    t.equal(owned(standby), [], f"{standby} has none of them")
    t.check(all(a.endswith(("/32", "/128")) for a in owned(active)), "they are host addresses")
    for side, (four, six) in SERVICE.items():
        t.equal(asked(side, four), [MAC[active, side]],
                f"ARP for {four} is answered by {active} alone")
        t.equal(solicited(side, six), [MAC[active, side]], f"a solicitation of {six} too")


def announced(active):
    for side, (four, six) in SERVICE.items():
        t.becomes(lambda: list(gratuitous(side)).count((MAC[active, side], four)), lambda n: n >= 2,
                  f"{side}: gratuitous ARP of {active} for {four}, and again")
        t.becomes(lambda: [(m, a) for m, s, a in advertised(side)
                           if not s].count((MAC[active, side], six)),
                  lambda n: n >= 2, f"{side}: unsolicited advertisement of {active} for {six}, and again")
        other = {m for m, a in gratuitous(side) if a == four} | {m for m, s, a in advertised(side)
                if a == six}
        t.equal(other, {MAC[active, side]}, f"{side}: nobody else announced them")


t.say("A is active")
owner_is("a", "b")
t.say("planned switchover to B")
for x in taps.values():
    x.forget()
t.switch("a", "b")
announced("b")
t.synchronised("b", "a")
owner_is("b", "a")
t.say("B is killed")
for x in taps.values():
    x.forget()
t.takeover("b", "a")
announced("a")
owner_is("a", "b")
t.say("its addresses went with it: nothing is left to clean up before it returns")


def devices():
    return sorted(line.split()[0].split("@")[0]
                  for line in t.sh("b", "ip", "-br", "link")[1].splitlines())


t.becomes(devices, ["acc0", "core0", "lo", "srp0"], "no device of the dead chassis is left")
t.start("b")
t.synchronised("a", "b")
owner_is("a", "b")
t.end()
END
