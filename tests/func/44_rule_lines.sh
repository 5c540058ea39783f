#!/bin/bash
# Ruledef lines that look at addresses, ports, protocols and states: every line type with every
# family of operators, with traffic that matches and traffic that does not.
export BED_SUBSCRIBERS=80
. "${0%/*}/lib/traffic.sh"
t_begin

cat >"$BED/table.py" <<'ROWS'
V6 = {"six": True}
S = "198.51.100."
TABLE = [
    ("server-eq", [f"ip server-ip-address = {S}20"], [("udp",)],
     [("udp", {"last": 30}), ("udp", V6)]),
    ("server-prefix", [f"ip server-ip-address = {S}16/28"], [("udp",)],
     [("udp", {"last": 10}), ("udp", {"last": 40})]),
    ("server-prefix6", ["ip server-ip-address = 2001:db8:99::20/124"], [("udp", V6)],
     [("udp", {"six": True, "last": 40}), ("udp",)]),
    ("server-ne", [f"ip server-ip-address != {S}20"], [("udp", {"last": 30})], [("udp",)]),
    ("server-le", [f"ip server-ip-address <= {S}20"], [("udp",), ("udp", {"last": 10})],
     [("udp", {"last": 30})]),
    ("server-ge", [f"ip server-ip-address >= {S}30"], [("udp", {"last": 30})], [("udp",)]),
    ("server-range", [f"ip server-ip-address range {S}20 to {S}40"],
     [("udp",), ("udp", {"last": 40})], [("udp", {"last": 10}), ("udp", {"last": 50})]),
    ("server-nrange", [f"ip server-ip-address !range {S}20 to {S}40"], [("udp", {"last": 50})],
     [("udp", {"last": 30})]),
    ("server-down", [f"ip server-ip-address = {S}20"], [("udp", {"down": True})],
     [("udp", {"down": True, "last": 30})]),
    ("src-eq", ["ip src-address = 10.45.0.0/16"], [("udp",)],
     [("udp", {"down": True}), ("udp", V6)]),
    ("dst-eq", ["ip dst-address = 10.45.0.0/16"], [("udp", {"down": True})], [("udp",)]),
    ("dst-eq6", ["ip dst-address = 2001:db8:99::20"], [("udp", V6)],
     [("udp", {"six": True, "last": 30})]),
    ("subscriber-eq", ["ip subscriber-ip-address = 10.45.0.13"],
     [("udp",), ("udp", {"down": True})], [("udp", V6)]),
    ("subscriber-range6", ["ip subscriber-ip-address range 2001:db8:45:: to 2001:db8:45:ffff::"],
     [("udp", V6)], [("udp",)]),
    ("protocol-name", ["ip protocol = udp"], [("udp",), ("udp", V6)], [("tcp",)]),
    ("protocol-number", ["ip protocol = 47"], [("proto", 47), ("proto", 47, V6)], [("proto", 50)]),
    ("protocol-ne", ["ip protocol != tcp"], [("udp",), ("proto", 253)], [("tcp",)]),
    ("protocol-ge", ["ip protocol >= 50"], [("proto", 50), ("proto", 253)], [("proto", 47)]),
    ("protocol-le", ["ip protocol <= 6"], [("tcp",), ("icmp",)], [("udp",)]),
    ("version-eq", ["ip version = ipv6"], [("udp", V6)], [("udp",)]),
    ("version-ne", ["ip version != ipv6"], [("udp",)], [("udp", V6)]),
    ("uplink-eq", ["ip uplink = TRUE"], [("udp",)], [("udp", {"down": True})]),
    ("uplink-ne", ["ip uplink != TRUE"], [("udp", {"down": True})], [("udp",)]),
    ("downlink-eq", ["ip downlink = TRUE"], [("udp", {"down": True})], [("udp",)]),
    ("any-false", ["ip any-match = FALSE"], [], [("udp",)]),
    ("tcp-any", ["tcp any-match = TRUE"], [("tcp",), ("tcp", V6)], [("udp",)]),
    ("tcp-none", ["tcp any-match = FALSE"], [("udp",)], [("tcp",)]),
    ("tcp-dst-eq", ["tcp dst-port = 8001"], [("tcp", {"port": 8001})],
     [("tcp", {"port": 8002}), ("udp", 8001)]),
    ("tcp-src-range", ["tcp src-port range 40000 to 40010"], [("tcp", {"sport": 40010})],
     [("tcp", {"sport": 40011})]),
    ("tcp-either-eq", ["tcp either-port = 40100"],
     [("tcp", {"sport": 40100}), ("tcp", {"port": 40100})], [("tcp",)]),
    ("tcp-dst-ge", ["tcp dst-port >= 8003"], [("tcp", {"port": 8003})],
     [("tcp", {"port": 8002, "sport": 7999})]),
    ("tcp-state", ["tcp state = established"], [("tcp", b"data")], []),
    ("udp-any", ["udp any-match = TRUE"], [("udp",)], [("tcp",), ("icmp",)]),
    ("udp-dst-eq", ["udp dst-port = 7001"], [("udp", 7001), ("udp", 7001, V6)],
     [("udp", 7002), ("tcp", {"port": 7001})]),
    ("udp-dst-ne", ["udp dst-port != 7001"], [("udp", 7002)], [("udp", 7001), ("tcp",)]),
    ("udp-dst-le", ["udp dst-port <= 7001"], [("udp", 7001)], [("udp", 7002)]),
    ("udp-src-eq", ["udp src-port = 40200"], [("udp", 7000, 40200)], [("udp", 7000, 40201)]),
    ("udp-either-range", ["udp either-port range 7100 to 7110"],
     [("udp", 7100), ("udp", 7000, 7110)], [("udp", 7111)]),
    ("udp-either-nrange", ["udp either-port !range 7100 to 7110"], [("udp", 7111, 40000)],
     [("udp", 7105)]),
    ("icmp-any", ["icmp any-match = TRUE"], [("icmp",), ("icmp", 128, V6)], [("udp",)]),
    ("icmp-type-eq", ["icmp type = 13"], [("icmp", 13)], [("icmp", 17)]),
    ("icmp-type-ge", ["icmp type >= 15"], [("icmp", 17)], [("icmp", 13)]),
    ("icmp-type6", ["icmp type = 128"], [("icmp", 128, V6)], [("icmp", 8)]),
    ("icmp-code-eq", ["icmp code = 3"], [("icmp", 13, 3)], [("icmp", 13, 2)]),
    ("all-lines", [f"ip server-ip-address = {S}20", "udp dst-port = 7001"], [("udp", 7001)],
     [("udp", 7002), ("udp", 7001, {"last": 30})]),
    ("one-line", [f"ip server-ip-address = {S}30", "udp dst-port = 7001",
                  "multi-line-or all-lines"],
     [("udp", 7001), ("udp", 7002, {"last": 30})], [("udp", 7002)]),
]
ROWS
bed_config_charging() { python3 "$T_LIB/ruletable.py" "$BED/table.py"; }
t_pair
t_python <<'END'
import ruletable
from traffic import *

ruletable.run(t, ruletable.load(t.bed.path("table.py")))
t.quiet()
t.balanced("a", "b")
t.end()
END
