#!/bin/bash
# The main job on one machine: builds the program, lets two chassis forward and charge real traffic
# between network namespaces, kills its session managers, switches over, planned and unplanned, and
# reports what it cost.
#
# Usage: examples/quickstart.sh [--no-build] [--build DIR] [--json FILE] [--text FILE] [--keep] [--dry]
#   --no-build   takes what DIR holds; installs nothing
#   --build DIR  where it is built (default: build/ beside the sources)
#   --json FILE  the report as JSON; --text FILE  as text
#   --keep       leaves the run's directory (logs, configurations), and says where it is
#   --dry        tests the bed alone, with a plain router in place of the chassis
# Ends with 0 only when every promise was kept. Everything it made is removed, also when interrupted.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/build make=yes keep=no pass=()

usage() {
	sed -n '2,14s/^# \{0,1\}//p' "$0"
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--no-build) make=no ;;
	--build) [ $# -gt 1 ] || usage; build=$2; shift ;;
	--json | --text) [ $# -gt 1 ] || usage; pass+=("$1" "$(realpath -m "$2")"); shift ;;
	--keep) keep=yes ;;
	--dry) pass+=(--dry) ;;
	*) usage ;;
	esac
	shift
done
build=$(realpath -m "$build")
if [ "$(id -u)" -ne 0 ]; then
	echo "network namespaces need root" >&2
	exit 1
fi

build_it() {
	"$top/examples/install-packages.sh" && (cd "$top" && autoreconf -fi) || return
	mkdir -p "$build" && cd "$build" || return
	[ -e Makefile ] || "$top/configure" || return
	make -s -j2
}

if [ "$make" = yes ]; then
	echo "building in $build"
	log=$(mktemp)
	if ! build_it >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		rm -f "$log"
		exit 1
	fi
	rm -f "$log"
fi

export BED_BUILD=$build BED_SR=yes
# shellcheck source=tests/func/lib/topology.sh
. "$top/tests/func/lib/topology.sh"

job=
end() {
	trap '' INT TERM HUP
	if [ -n "$job" ]; then
		kill "$job" 2>/dev/null
		wait "$job" 2>/dev/null
	fi
	if [ "$keep" = yes ]; then
		bed_down
		echo "kept: $BED"
	else
		bed_remove
	fi
}
trap end EXIT
trap 'exit 130' INT TERM HUP

bed_init "$(mktemp -d /tmp/chassis-bed.XXXXXX)" || exit 1
bed_network_up && bed_certs && bed_subscribers && bed_servers_up || {
	echo "the bed could not be made" >&2
	exit 1
}
# In the background, so that a signal ends the wait at once.
timeout -k 5 330 python3 "$top/examples/mainjob.py" "$BED" --build "$build" \
	--subscribers "$BED_SUBSCRIBERS" --walkins "$BED_WALKINS" --long-seconds "$BED_LONG_SECONDS" \
	"${pass[@]}" &
job=$!
wait "$job"
status=$?
job=
[ $status -eq 0 ] || { [ "$keep" = yes ] || for c in a b; do
	[ ! -s "$BED/$c.log" ] || { echo "--- the last lines of chassis $c"; tail -n 15 "$BED/$c.log"; }
done; } >&2
exit $status
