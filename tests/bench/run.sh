#!/bin/bash
# Measures the replication of flows between two processes over TLS, the matching of rules, and, as root, in
# network namespaces, session recovery (recovery.sh) and forwarding (forward.sh), and prints tables.
# Usage: tests/bench/run.sh [--json FILE] [--flows N] [--build DIR]
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
json='' flows=1000000 build=$top/build/gcc
while [ $# -gt 0 ]; do
	case $1 in
	--json) json=$2; shift 2 ;;
	--flows) flows=$2; shift 2 ;;
	--build) build=$2; shift 2 ;;
	*) echo "usage: $0 [--json FILE] [--flows N] [--build DIR]" >&2; exit 2 ;;
	esac
done
if [ ! -f "$build/Makefile" ]; then
	"$top/examples/install-packages.sh"
	[ -x "$top/configure" ] || (cd "$top" && autoreconf -fi)
	mkdir -p "$build"
	(cd "$build" && "$top/configure")
fi
make -C "$build" -j2 chassisd chassisctl tests/bench/repl tests/bench/pps tests/bench/match >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM

# A CA and the two chassis' certificates, for this run only.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=bench-ca \
	-keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
for side in a b; do
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=chassis-$side" \
		-keyout "$dir/$side.key" -out "$dir/$side.csr" 2>/dev/null
	openssl x509 -req -in "$dir/$side.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
		-days 1 -extfile <(echo "subjectAltName=DNS:chassis-$side") -out "$dir/$side.pem" 2>/dev/null
done

timeout 300 "$build/tests/bench/repl" "$dir" "$flows" >"$dir/plain.json"
timeout 300 "$build/tests/bench/repl" "$dir" "$flows" lz4 >"$dir/lz4.json"
timeout 300 "$build/tests/bench/match" >"$dir/match.json"
if [ "$(id -u)" -eq 0 ]; then
	"$top/tests/bench/recovery.sh" --build "$build" --json "$dir/recovery.json"
	"$top/tests/bench/forward.sh" --build "$build" --json "$dir/forward.json"
else
	echo "session recovery and forwarding are not measured: network namespaces need root" >&2
	echo '{}' >"$dir/recovery.json"
	echo '{}' >"$dir/forward.json"
fi
python3 - "$dir" "${json:-}" <<'PY'
import json, sys
d, out = sys.argv[1], sys.argv[2]
r = json.load(open(d + '/plain.json'))
sr = json.load(open(d + '/recovery.json'))
r['wire_bytes_per_flow_lz4'] = json.load(open(d + '/lz4.json'))['wire_bytes_per_flow']
rows = [  # name, unit, what the peers reach on such a machine, the limit
    ('flow_ckpt_per_s', 'per second', 'conntrackd 130 k; HAProxy peers 130 k; Redis 500 k', '3.2 M'),
    ('cpu_us_sender', 'us', 'conntrackd 4.8; Redis 1.9', '0.31'),
    ('cpu_us_receiver', 'us', 'conntrackd 3.7; Redis 1.6', '0.09'),
    ('wire_bytes_per_flow', 'bytes', 'conntrackd 90; Redis 144', '-'),
    ('wire_bytes_per_flow_lz4', 'bytes', '-', '-'),
    ('latency_us_p50', 'us at 100 k/s', 'conntrackd 190; Redis 115', '38'),
    ('latency_us_p99', 'us at 100 k/s', 'conntrackd 1100; Redis 290', '90'),
    ('resync_s_per_1m', 's', 'Redis 1.5; HAProxy 0.4; conntrackd lossy', '0.13'),
    ('takeover_ms', 'ms', 'conntrackd 8000; Redis 4', '-'),
    ('bytes_per_flow_active', 'bytes', 'conntrackd 528; HAProxy 208', '145'),
    ('bytes_per_flow_standby', 'bytes', 'conntrackd 464; HAProxy 208', '145'),
]
print('%-26s %12s  %-14s %-52s %s' % ('what', 'ours', 'unit', 'peers', 'limit'))
for k, unit, peers, limit in rows:
    v = r.get(k)
    print('%-26s %12s  %-14s %-52s %s' % (k, 'null' if v is None else '%g' % v, unit, peers, limit))
print()
rows = [  # 100 000 sessions, 300 000 flows, one session manager, kill -9
    ('sr_first_packet_ms', 'ms', '20'),
    ('sr_all_ms', 'ms', '500'),
    ('sr_packets_lost', 'at 20 000 a second', '0'),
    ('sr_sessions_lost', '', '0'),
    ('sr_flows_lost', '', '0'),
    ('sr_forwarding_cost_percent', '% of the rate', '5'),
    ('bytes_per_flow_aaamgr', 'bytes', '128'),
]
print('%-26s %12s  %-20s %s' % ('session recovery', 'ours', 'unit', 'target'))
for k, unit, target in rows:
    v = sr.get(k)
    print('%-26s %12s  %-20s %s' % (k, 'null' if v is None else '%g' % v, unit, target))
r.update({k: sr.get(k) for k, _, _ in rows})

# Each beside what it is measured against in the same run: a bare set of the same strings, a loop over the rules.
m = json.load(open(d + '/match.json'))
print()
print('%-26s %12s  %14s %14s %16s %s' % ('rule of a new URL', 'ours, ns', 'bare set, ns', 'x bare set',
                                         'loop, ns', 'with a shared line, ns'))
for n in (32, 256, 2048):
    v = [m['match_%sns_%d' % (k, n)] for k in ('', 'set_', 'loop_', 'host_')]
    print('%-26s %12g  %14g %14.2f %16g %g' % ('%d rules' % n, v[0], v[1], v[0] / v[1], v[2], v[3]))
r.update(m)
f = json.load(open(d + '/forward.json'))
print()
print('%-26s %12s  %-20s %s' % ('one session manager', 'ours', 'bare TUN to TUN', 'processor time, x bare (target 1.25)'))
print('%-26s %12s  %-20s %s' % ('forward_kpps', f.get('forward_kpps'), f.get('forward_tun_kpps'), f.get('forward_ratio')))
r.update({k: f.get(k) for k in ('forward_kpps', 'forward_tun_kpps', 'forward_ratio')})
if out:
    json.dump(r, open(out, 'w'), indent=1)
PY
