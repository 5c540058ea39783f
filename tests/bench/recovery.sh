#!/bin/bash
# Measures session recovery on one chassis with one session manager, in network namespaces; needs root.
# Usage: tests/bench/recovery.sh --build DIR [--json FILE] [--sessions N] [--flows N] [--rate N] [--kills N]
#        [--turns N]
#   --flows   of each session; --rate  datagrams a second while session managers are killed
#   --kills   how often it is killed; --turns  of the comparison with and without session recovery
# See recovery.py for what the figures mean.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$top/build/gcc json='' sessions=100000 flows=3 rate=20000 kills=5 turns=5
while [ $# -gt 0 ]; do
	case $1 in
	--build) build=$(realpath -m "$2") ;;
	--json) json=$(realpath -m "$2") ;;
	--sessions) sessions=$2 ;;
	--flows) flows=$2 ;;
	--rate) rate=$2 ;;
	--kills) kills=$2 ;;
	--turns) turns=$2 ;;
	*) sed -n '3,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
	esac
	shift 2
done
[ "$(id -u)" -eq 0 ] || {
	echo "network namespaces need root"
	exit 77
}
export BED_BUILD=$build BED_SESSMGRS=1 BED_SUBSCRIBERS=0 BED_WALKINS=0
# shellcheck source=tests/func/lib/topology.sh
. "$top/tests/func/lib/topology.sh"
trap bed_remove EXIT
trap 'exit 130' INT TERM HUP
bed_init "$(mktemp -d "${TMPDIR:-/tmp}/chassis-bench.XXXXXX")" && bed_network_up || exit

# Subscribers without a device: 10.128.0.0/15.
bed_in ue ip route add local 10.128.0.0/15 dev lo &&
	bed_in acc ip route add 10.128.0.0/15 via 10.44.0.2 &&
	bed_in a ip route add 10.128.0.0/15 via 10.1.0.254 || exit

bench_config() { # FILE: of a chassis without a peer
	bed_config a && sed -e '/^    service-redundancy-protocol/,/^    #exit/d' \
		-e 's/^    ip pool loaded .*/&\n    ip pool bench 10.128.0.0\/15/' \
		-e 's/ srp-activate//' "$BED/a.cfg" >"$1" || exit
}
export BED_SR_SESSIONS=$((sessions + 1000)) BED_SR_FLOWS=$((sessions * flows + 3000))
BED_SR=no bench_config "$BED/off.cfg"
BED_SR=yes bench_config "$BED/on.cfg"
PYTHONDONTWRITEBYTECODE=1 python3 "$top/tests/bench/recovery.py" "$BED" "$build" \
	"$sessions" "$flows" "$rate" "$kills" "$turns" "$json"
