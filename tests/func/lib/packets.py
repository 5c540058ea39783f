#!/usr/bin/env python3
"""packets: sends packets that no honest host sends.

packets.py DEVICE MAC|- SET up|down SUBSCRIBER4 SUBSCRIBER6 SERVER4 SERVER6

MAC `-`: the device takes bare IP packets. Prints how many were sent. Sets:
    broken   what no parser may take for a packet
    odd      what is strange but whole: extension headers, fragments, overlapping ones, unknown protocols
    random   valid packets with bytes changed, by a fixed seed; addresses stay"""
import random
import socket
import struct
import sys

SEED, RANDOM = 20261121, 3000
TCP, UDP, ICMP, ICMP6, FRAGMENT = 6, 17, 1, 58, 44


def checksum(b):
    if len(b) % 2:
        b += b"\0"
    s = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


class Hosts:
    def __init__(self, up, sub4, sub6, srv4, srv6):
        four = [socket.inet_pton(socket.AF_INET, a) for a in (sub4, srv4)]
        six = [socket.inet_pton(socket.AF_INET6, a) for a in (sub6, srv6)]
        self.src4, self.dst4 = four if up else four[::-1]
        self.src6, self.dst6 = six if up else six[::-1]

    def ip4(self, proto, body, total=None, ihl=5, version=4, ident=7, frag=0, options=b""):
        total = 20 + len(options) + len(body) if total is None else total
        h = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, total, ident, frag, 64, proto, 0,
                        self.src4, self.dst4) + options
        return h[:10] + struct.pack("!H", checksum(h)) + h[12:] + body

    def ip6(self, nxt, body, length=None, version=6):
        length = len(body) if length is None else length
        return struct.pack("!IHBB16s16s", version << 28, length, nxt, 64, self.src6, self.dst6) + body


def tcp(doff=5, flags=2, size=20):
    return struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, doff << 4, flags, 1000, 0, 0)[:size]


def udp(length=None, body=b"x" * 20):
    return struct.pack("!HHHH", 40000, 7007, 8 + len(body) if length is None else length, 0) + body


def fragment(nxt, offset, more, ident=9):
    return struct.pack("!BBHI", nxt, 0, offset << 3 | more, ident)


def broken(h):
    out = [h.ip4(UDP, udp(), version=v) for v in (0, 1, 5, 7, 15)]
    out += [h.ip4(UDP, udp())[:n] for n in range(1, 20)]
    out += [h.ip6(UDP, udp())[:n] for n in range(1, 40)]
    out += [h.ip4(UDP, udp(), ihl=n) for n in range(5)]
    out += [h.ip4(UDP, udp(), total=n) for n in (0, 1, 19)]
    out += [h.ip4(UDP, b"", total=20, ihl=15)]
    # transport headers that are cut, or contradict themselves
    out += [h.ip4(TCP, tcp(size=n)) for n in range(20)]
    out += [h.ip6(TCP, tcp(size=n)) for n in range(20)]
    out += [h.ip4(TCP, tcp(doff=n)) for n in (0, 1, 4, 6, 15)]
    out += [h.ip4(UDP, udp()[:n]) for n in range(8)]
    out += [h.ip6(UDP, udp()[:n]) for n in range(8)]
    out += [h.ip4(UDP, udp(length=n)) for n in (0, 7, 29, 65535)]
    out += [h.ip4(ICMP, b"\x08\0\0\0\0\0\0\0"[:n]) for n in range(8)]
    out += [h.ip6(ICMP6, b"\x80\0\0\0\0\0\0\0"[:n]) for n in range(8)]
    # extension headers: beyond the packet, cut, too many, a fragment of a fragment
    out += [h.ip6(60, bytes([UDP, n]) + b"\0" * 6) for n in (1, 7, 255)]
    out += [h.ip6(p, b"\x11\0\0\0") for p in (0, 43, 44, 60, 135)]
    out += [h.ip6(51, b"\x11\xff" + b"\0" * 30)]
    out += [h.ip6(60, bytes([60, 0, 0, 0, 0, 0, 0, 0]) * 60 + bytes([UDP, 0, 0, 0, 0, 0, 0, 0]) + udp())]
    out += [h.ip6(FRAGMENT, fragment(FRAGMENT, 0, 1) + fragment(UDP, 0, 1) + udp())]
    # IPv4 dressed as IPv6
    mapped = b"\0" * 10 + b"\xff\xff" + h.src4
    out += [struct.pack("!IHBB16s16s", 6 << 28, 0, UDP, 64, mapped, h.dst6)]
    return out


def odd(h):
    option = bytes([60, 0, 1, 4, 0, 0, 0, 0])
    last = bytes([UDP, 0, 1, 4, 0, 0, 0, 0])
    out = [h.ip6(60, option * n + last + udp()) for n in range(6)]
    out += [h.ip6(59, b""), h.ip6(253, b"y" * 30), h.ip4(253, b"y" * 30), h.ip4(255, b"")]
    out += [h.ip4(UDP, udp() + b"z" * 40, total=48)]  # with bytes behind the packet
    out += [h.ip4(UDP, udp(), ihl=15, options=b"\x01" * 40)]
    # fragments: the first tiny, overlapping, out of order, behind the end, without a first
    whole = udp(body=bytes(range(200)))
    out += [h.ip4(UDP, whole[:8], ident=1, frag=0x2000), h.ip4(UDP, whole[8:64], ident=1, frag=0x2001),
            h.ip4(UDP, whole[16:104], ident=1, frag=0x2002), h.ip4(UDP, whole[24:], ident=1, frag=0x0003),
            h.ip4(UDP, whole[:104], ident=1, frag=0x2000), h.ip4(UDP, b"w" * 64, ident=2, frag=0x1fff),
            h.ip4(TCP, tcp() + b"\0" * 4, ident=3, frag=0x2000), h.ip4(TCP, b"v" * 24, ident=4, frag=0x2001)]
    out += [h.ip6(FRAGMENT, fragment(UDP, 0, 1, 5) + whole[:64]),
            h.ip6(FRAGMENT, fragment(UDP, 2, 1, 5) + whole[16:80]),
            h.ip6(FRAGMENT, fragment(UDP, 8, 0, 5) + whole[64:]),
            h.ip6(FRAGMENT, fragment(UDP, 0x1fff, 0, 6) + b"u" * 8)]
    # ICMP errors that quote nothing, garbage, somebody else, and themselves
    error = b"\x03\x01\0\0\0\0\0\0"
    out += [h.ip4(ICMP, error + quoted) for quoted in (b"", b"\x45", b"\xff" * 28, h.ip4(UDP, udp()),
                                                       h.ip4(ICMP, error + h.ip4(UDP, udp())))]
    out += [h.ip6(ICMP6, b"\x01\0\0\0\0\0\0\0" + quoted) for quoted in (b"", b"\x60" * 40, h.ip6(60, option))]
    return out


def changed(h):
    rng = random.Random(SEED)
    valid = [h.ip4(UDP, udp()), h.ip6(UDP, udp()),
             h.ip4(TCP, tcp() + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
             h.ip6(TCP, tcp(flags=16) + b"\x16\x03\x01\x00\x20\x01" + b"\0" * 31),
             h.ip4(ICMP, b"\x08\0\0\0\0\1\0\1" + b"p" * 20),
             h.ip6(60, bytes([UDP, 0, 1, 4, 0, 0, 0, 0]) + udp()),
             h.ip4(UDP, udp(body=b"\0\1\1\0\0\1\0\0\0\0\0\0\7example\4test\0\0\1\0\1")),
             h.ip4(UDP, udp(), frag=0x2000)]
    for n in range(RANDOM):
        p = bytearray(valid[n % len(valid)])
        addresses = range(12, 20) if p[0] >> 4 == 4 else range(8, 40)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(p))
            if at not in addresses:
                p[at] = rng.randrange(256)
        yield bytes(p[:rng.randrange(1, len(p) + 1)] if rng.random() < 0.2 else p)


def main():
    device, mac, which, way = sys.argv[1:5]
    h = Hosts(way == "up", *sys.argv[5:9])
    packets = list({"broken": broken, "odd": odd, "random": changed}[which](h))
    bare = mac == "-"
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM if bare else socket.SOCK_RAW)
    head = b"" if bare else bytes.fromhex(mac.replace(":", ""))
    own = b"" if bare else open(f"/sys/class/net/{device}/address", encoding="ascii").read().strip()
    own = b"" if bare else bytes.fromhex(own.replace(":", ""))
    for p in packets:
        kind = 0x86dd if p[0] >> 4 == 6 else 0x0800
        if bare:
            s.sendto(p, (device, kind, 0, 0, b""))
        else:
            s.sendto(head + own + struct.pack("!H", kind) + p, (device, kind))
    print(len(packets))


if __name__ == "__main__":
    main()
