#!/bin/bash
# The oracle and ecsreplay on the captures of the folder shared/pcaps beside the tree: traffic of other
# programs. For the busiest address of each capture both must say the same of every packet, under two ways to
# charge packets without payload. Captures with what the oracle does not read (packets that are cut, malformed or
# to themselves, DNS over TCP, upgrades, streams with holes) are left out, and said.
. "${0%/*}/lib/traffic.sh"
PCAPS=$T_LIB/../../../../shared/pcaps
[ -d "$PCAPS" ] || t_skip "no folder shared/pcaps beside the tree"
[ -x "$BUILD/ecsreplay" ] || t_skip "$BUILD/ecsreplay is not built"
dir=$(mktemp -d "${TMPDIR:-/tmp}/chassis-test.XXXXXX") || t_fail "no directory"
trap 'rm -rf "$dir"' EXIT
PYTHONPATH=$T_LIB PYTHONDONTWRITEBYTECODE=1 python3 - "$PCAPS" "$BUILD/ecsreplay" "$dir" <<'END'
import collections
import glob
import ipaddress
import json
import os
import re
import struct
import sys

from oracle import ICMP, ICMP6, TCP, UDP, Base, Group, Line, Oracle, Rule
from oracle_rows import by_rule, compare, replay

folder, exe, scratch = sys.argv[1:4]
RULES = [
    Rule("posts", [Line("http request method", "=", "post"), Line("http host", "present")]),
    Rule("pictures", [Line("http url", "contains", ".jpg"), Line("http url", "contains", ".png"),
                      Line("http uri", "ends-with", ".gif")], True),
    Rule("browsers", [Line("http user-agent", "starts-with", "mozilla")]),
    Rule("com", [Line("http host", "ends-with", ".com"), Line("tls sni", "ends-with", ".com")], True),
    Rule("net", [Line("tls sni", "regex", "[.](net|org)$")]),
    Rule("www", [Line("dns query-name", "starts-with", "www"), Line("www host", "starts-with", "www")], True),
    Rule("google", [Line("dns query-name", "contains", "google")]),
    Rule("found", [Line("http reply code", "<=", 299), Line("http content type", "starts-with", "text/")]),
    Rule("elsewhere", [Line("http reply code", ">=", 300)]),
    Rule("pages", [Line("http any-match", "=", "TRUE")]),
    Rule("secure", [Line("secure-http any-match", "=", "TRUE"), Line("tcp either-port", "=", 443)]),
    Rule("names", [Line("dns any-match", "=", "TRUE")]),
    Rule("mail", [Line("tcp dst-port", "range", pool="post-offices"), Line("tcp src-port", "range", pool="post-offices")], True),
    Rule("high", [Line("udp either-port", "range", 16384, 65535), Line("udp either-port", "!=", 443)]),
    Rule("down", [Line("ip downlink", "=", "TRUE"), Line("tcp any-match", "=", "TRUE")]),
    Rule("near", [Line("ip server-ip-address", "range", pool="private")]),
    Rule("echo", [Line("icmp any-match", "=", "TRUE")]),
    Rule("six", [Line("ip version", "=", "ipv6")]),
    Rule("datagrams", [Line("ip protocol", "=", 17)])]
POOLS = {"post-offices": [(25, 25), (110, 110), (143, 143)], "private": [("10.0.0.0", "10.255.255.255"),
                                                            ("192.168.0.0", "192.168.255.255")]}
GROUPS = [Group("both", [(1, RULES[4]), (2, RULES[3])])]
QUIC = Rule("quic", [Line("p2p app-identifier quic-sni", "contains", ".")])
ACTIONS = list(enumerate([QUIC] + RULES[:3] + GROUPS + RULES[5:], 1))
BASES = [Base("separate", ACTIONS, set(), POOLS),
         Base("application", ACTIONS, {"mid-session-packets", "tear-down-packets"}, POOLS)]


def configuration():
    out = ["configure", "  require active-charging", "  active-charging service ecs"] + \
        [f"    idle-timeout {x} 86400" for x in ("tcp", "udp", "icmp", "tcp half-open")]
    for name, ranges in POOLS.items():
        ports = isinstance(ranges[0][0], int)
        out += [f"    {'port-map' if ports else 'host-pool'} {name}"] + \
            [f"      port {a}" if ports else f"      ip range {a} to {b}" for a, b in ranges] + ["    #exit"]
    for x in [QUIC] + RULES + GROUPS:
        out += x.config()
    out += ["    charging-action count", "      content-id 1", "    #exit"]
    for b in BASES:
        out += b.config(b.actions)[:-1] + ["      tcp 2msl-timeout 20", "    #exit"]
    return "\n".join(out + ["  #exit", "end", ""])


class NotPlain(Exception):
    """The oracle does not read it."""


def records(data):
    """(link type, whole length, bytes) of a capture; what is cut at its end is left out."""
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        at, links = 0, []
        while at + 12 <= len(data):
            if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
                order, links = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">", []
            kind, size = struct.unpack_from(order + "II", data, at)
            if kind == 1:
                links.append(struct.unpack_from(order + "H", data, at + 8)[0])
            if kind == 6:
                which, _, _, cap, whole = struct.unpack_from(order + "IIIII", data, at + 8)
                yield links[which], whole, data[at + 28:at + 28 + cap]
            elif kind in (2, 3):
                raise NotPlain("blocks of an old kind")
            at += size
        return
    order, at = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">", 24
    link = struct.unpack_from(order + "I", data, 20)[0]
    while at + 16 <= len(data):
        cap, whole = struct.unpack_from(order + "II", data, at + 8)
        if at + 16 + cap <= len(data):
            yield link, whole, data[at + 16:at + 16 + cap]
        at += 16 + cap


def ip_packets(path):
    with open(path, "rb") as f:
        data = f.read()
    for link, whole, frame in records(data):
        if link == 1:
            kind, at = struct.unpack_from("!H", frame, 12)[0], 14
            while kind in (0x8100, 0x88a8):
                kind, at = struct.unpack_from("!H", frame, at + 2)[0], at + 4
        elif link in (101, 12, 14):
            kind, at = {4: 0x800, 6: 0x86dd}.get(frame[0] >> 4, 0), 0
        elif link == 113:
            kind, at = struct.unpack_from("!H", frame, 14)[0], 16
        else:
            raise NotPlain(f"link type {link}")
        if kind in (0x800, 0x86dd):
            yield frame[at:], whole - at


def addresses(p):
    return (p[12:16], p[16:20]) if p[0] >> 4 == 4 else (p[8:24], p[24:40])


def upper(p):
    """Protocol, place and whether it is there, of what is behind the IP header."""
    if p[0] >> 4 == 4:
        return p[9], (p[0] & 15) * 4, not struct.unpack_from("!H", p, 6)[0] & 0x1fff
    kind, at, there = p[6], 40, True
    while kind in (0, 43, 44, 60) and there:
        if kind == 44:
            there = not struct.unpack_from("!H", p, at + 2)[0] >> 3
        kind, at = p[at], at + (8 if kind == 44 else 8 + p[at + 1] * 8)
    if kind in (51, 135, 139, 140):
        raise NotPlain("extension headers")
    return kind, at, there


def plain(p, whole):
    """Refuses what the oracle does not read."""
    size = struct.unpack_from("!H", p, 2)[0] if p[0] >> 4 == 4 else struct.unpack_from("!H", p, 4)[0] + 40
    if size > whole or size > len(p):
        raise NotPlain("packets that are cut")
    proto, head, there = upper(p)
    if there and size < head + {TCP: 20, UDP: 8, ICMP: 8, ICMP6: 8}.get(proto, 0):
        raise NotPlain("packets that are cut")
    if there and proto == TCP:
        offset = (p[head + 12] >> 4) * 4
        if offset < 20 or head + offset > size:
            raise NotPlain("malformed TCP")
        if 53 in struct.unpack_from("!HH", p, head) and size > head + offset:
            raise NotPlain("DNS over TCP")
        if re.search(rb"^CONNECT |\r\n(Upgrade|Expect):", p[head + offset:size], re.I | re.M) and \
                re.match(rb"[A-Z]+ [^\r\n]* HTTP/1", p[head + offset:size]):
            raise NotPlain("bodies of unknown length")
    return p[:size]


def classify(path, subscriber, base):
    oracle, judged = Oracle({subscriber: base}, set()), []
    for p, whole in ip_packets(path):
        if len(p) >= 20 and subscriber.packed in addresses(p):
            if addresses(p)[0] == addresses(p)[1]:
                raise NotPlain("packets to itself")
            judged.append(oracle.packet(plain(p, whole)))
    if any(x.segments for f in oracle.flows.values() for x in (f.there, f.back)):
        raise NotPlain("streams with holes")
    return oracle, judged


with open(os.path.join(scratch, "oracle.conf"), "w", encoding="ascii") as f:
    f.write(configuration())
failed = agreed = packets = 0
used = set()
files = sorted(glob.glob(os.path.join(folder, "*.pcap")) + glob.glob(os.path.join(folder, "*.pcapng")))
for path in files:
    name = os.path.basename(path)
    try:
        count = collections.Counter(a for p, _ in ip_packets(path) if len(p) >= 20 for a in addresses(p))
        if not count:
            raise NotPlain("no IP")
        subscriber = ipaddress.ip_address(max(count, key=lambda a: (count[a], a)))
        for base in BASES:
            oracle, judged = classify(path, subscriber, base)
            how = [exe, "-c", os.path.join(scratch, "oracle.conf"), "--rulebase", base.name, "--subscriber",
                   str(subscriber), path]
            got = replay(*how, "--packets")
            of = subscriber.compressed
            bad = compare(oracle, judged, [x for x in got["packets"] if x["subscriber"] == of])
            want = {n: v for (_, n), v in oracle.charged.items()}
            sums = by_rule(replay(*how, "--rules")["rules"])
            if not bad and sums == want:
                agreed += 1
                packets += len(judged)
                used |= set(want)
                print(f"ok   {name}, rulebase {base.name}: {len(judged)} packets, {len(want)} rules", flush=True)
            else:
                failed += 1
                print(f"FAIL {name}, rulebase {base.name}: {len(bad)} packets: {[x for _, x in bad[:2]]}, ecsreplay {sums}, oracle "
                      f"{want} {got.get('error', '')}", flush=True)
    except (NotPlain, struct.error, IndexError, ValueError) as e:
        print(f"--   {name}: left out: {e}", flush=True)
print(f"{agreed} agreed over {packets} packets and {len(used)} rules, {failed} failed")
sys.exit(1 if failed or agreed < 30 or len(used) < 10 else 0)
END
exit $?
