#!/bin/bash
# Installs what is missing, builds with gcc and with clang under sanitizers, runs every test.
# Usage: tests/run.sh [--quick]   (--quick: the gcc build and its unit tests only)
# Ends with "N passed, N failed[, N skipped]"; exit status 0 only when nothing failed.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
quick=no
[ "${1:-}" = --quick ] && quick=yes
passed=0 failed=0 skipped=0
logs=$top/build/logs
mkdir -p "$logs" || exit 1

say() { printf '%s\n' "$*"; }
pass() { passed=$((passed + 1)); say "PASS $1"; }
skip() { skipped=$((skipped + 1)); say "SKIP $1: $2"; }
fail() {
	failed=$((failed + 1))
	say "FAIL $1 (log: $2)"
	report "$2"
}

# What a reader of a failure needs: the checks that failed with what they saw, wherever they stand in the
# log, and then its end. A long line is cut: what a check saw can be a whole page.
report() { # LOG
	local bad='^ *(FAIL|ERROR|not ok)|FAILED|^ *[0-9]+\. [^ ]+:[0-9]+|^[A-Za-z_.]*(Error|Exception): |Sanitizer: |runtime error: |: not within '
	grep -nE -- "$bad" "$1" | head -n 30 | cut -c 1-1000 | sed 's/^/    line /'
	say "    --- the end of it:"
	tail -n 40 "$1" | cut -c 1-1000 | sed 's/^/    /'
}

log_of() { printf '%s/%s.log' "$logs" "$(printf '%s' "$1" | tr ' /' '__')"; }

verdict() { # NAME LOG STATUS
	case $3 in
	0) pass "$1" ;;
	77) skip "$1" "$(tail -n 1 "$2")" ;;
	*) fail "$1" "$2" ;;
	esac
}

# step NAME COMMAND...: one test; exit status 77 is a skip, with the reason in the last line.
step() {
	local name=$1 log rc
	shift
	log=$(log_of "$name")
	"$@" >"$log" 2>&1 </dev/null
	rc=$?
	verdict "$name" "$log" $rc
	return $rc
}

# real NAME COMMAND...: a test with real daemons. Dead intervals mean nothing on a machine that stands still
# for longer; the daemons measure that and say so, and then, and only then, the test is run once more.
real() {
	local name=$1 log rc
	shift
	log=$(log_of "$name")
	"$@" >"$log" 2>&1 </dev/null
	rc=$?
	if [ $rc -ne 0 ] && [ $rc -ne 77 ] && grep -q 'supervisor stood still for' "$log"; then
		say "AGAIN $name: the machine stood still meanwhile"
		mv "$log" "$log.first"
		step "$name" "$@"
		return
	fi
	verdict "$name" "$log" $rc
}

finish() {
	say
	if [ "$skipped" -gt 0 ]; then
		say "$passed passed, $failed failed, $skipped skipped"
	else
		say "$passed passed, $failed failed"
	fi
	[ "$failed" -eq 0 ]
	exit
}

# The tests of one build, each counted by itself from the summary of automake.
make_check() {
	local name=$1 dir=$2 log=$logs/check-$1.log line
	make -C "$dir" -j2 check >"$log" 2>&1 </dev/null
	while read -r line; do
		case $line in
		PASS:*) pass "$name: ${line#PASS: }" ;;
		SKIP:*) skip "$name: ${line#SKIP: }" "see $log" ;;
		FAIL:* | XPASS:* | ERROR:*)
			fail "$name: ${line#*: }" "$log"
			local t=${line#*: }
			[ -f "$dir/$t.log" ] && report "$dir/$t.log"
			;;
		esac
	done < <(grep -E '^(PASS|FAIL|SKIP|XPASS|ERROR): ' "$log")
	grep -qE '^# TOTAL: +[1-9]' "$log" || fail "$name: make check" "$log"
}

# configure DIR CC ARGS...
build() {
	local dir=$1 cc=$2
	shift 2
	mkdir -p "$dir" && cd "$dir" && "$top/configure" CC="$cc" --enable-werror "$@" && make -j2
}

step "packages" "$top/examples/install-packages.sh" || finish
step "autoreconf" autoreconf -fi || finish
step "build gcc" build "$top/build/gcc" gcc || finish
make_check gcc "$top/build/gcc"
[ "$quick" = yes ] && finish
step "build clang sanitizers" build "$top/build/san" clang \
	--with-sanitizer=address,undefined CFLAGS="-g -O1" &&
	make_check sanitizers "$top/build/san"
step "distcheck" make -C "$top/build/gcc" -j2 distcheck \
	DISTCHECK_CONFIGURE_FLAGS=--enable-werror AM_COLOR_TESTS=no
for t in "$top"/tests/func/[0-9]*.sh; do
	real "func/$(basename "$t" .sh)" env BUILD="$top/build/san" ASAN_OPTIONS=detect_leaks=0 "$t"
done
real "quickstart" "$top/examples/quickstart.sh" --no-build --build "$top/build/gcc" \
	--json "$logs/quickstart.json"
finish
