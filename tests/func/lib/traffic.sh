# shellcheck shell=bash
# traffic: what the tests of traffic, charging and flow recovery have in common, on top of
# topology.sh. To be sourced. The scenario itself is Python (traffic.py), given to t_python on
# standard input.
#
#   . "${0%/*}/lib/traffic.sh"
#   t_begin curl nginx              # root, these programs, a directory and a bed of its own
#   bed_config_charging() { ... }   # where the test has rules of its own
#   t_srp 'checkpoint rate-limit 5' # where it has lines of its own in service-redundancy-protocol
#   t_pair                          # network, certificates, both chassis; A active, B its standby
#   t_python <<'END' ... END
#
# Binaries are those of the automake build directory $BUILD.
set -u
T_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=$(cd "${BUILD:-$T_LIB/../../../build}" 2>/dev/null && pwd) || {
	echo "no build directory: set BUILD"
	exit 77
}
export BUILD BED_BUILD=$BUILD BED_CHASSISD=$BUILD/chassisd BED_CHASSISCTL=$BUILD/chassisctl
export BED_SUBSCRIBERS=${BED_SUBSCRIBERS:-20} BED_WALKINS=${BED_WALKINS:-10}
# shellcheck source=tests/func/lib/topology.sh
. "$T_LIB/topology.sh"

t_skip() { # REASON
	echo "$*"
	exit 77
}

t_fail() { # REASON
	echo "FAIL $*"
	exit 1
}

t_begin() { # PROGRAM...
	local p
	[ "$(id -u)" -eq 0 ] || t_skip "network namespaces need root"
	[ -x "$BED_CHASSISD" ] || t_skip "$BED_CHASSISD is not built"
	for p in ip ethtool openssl python3 "$@"; do
		command -v "$p" >/dev/null || t_skip "$p is not installed"
	done
	trap t_end EXIT
	trap 'exit 130' INT TERM HUP
	bed_init "$(mktemp -d "${TMPDIR:-/tmp}/chassis-test.XXXXXX")" || t_fail "no directory"
	T_SRP=
}

# The directory is kept with T_KEEP=yes; the chassis end first, so that what sanitizers say is in
# the logs.
t_end() {
	local status=$?
	trap '' INT TERM HUP
	[ -n "${BED:-}" ] || exit $status
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		for c in a b; do
			[ ! -s "$BED/$c.log" ] || { echo "--- the last lines of chassis $c"; tail -n 15 "$BED/$c.log"; }
		done
	fi
	for c in a b; do bed_chassis_stop $c; done
	if grep -lE 'Sanitizer|runtime error:' "$BED"/[ab].log >"$BED/sanitizer" 2>/dev/null; then
		[ $status -ne 0 ] || status=1
		echo "FAIL a sanitizer spoke:"
		grep -hE -A 20 'Sanitizer|runtime error:' "$BED"/[ab].log | head -n 60
	fi
	bed_down
	if [ "${T_KEEP:-no}" = yes ]; then echo "kept: $BED"; else rm -rf "$BED"; fi
	exit $status
}

t_srp() { # LINE...: of service-redundancy-protocol, behind the bed's own
	T_SRP="$T_SRP$(printf '      %s\n' "$@")
"
}

t_config() { # CHASSIS
	bed_config "$1" || return
	[ -n "$T_SRP" ] || return 0
	awk -v more="$T_SRP" '{ print } /^ *checkpoint session duration/ { printf "%s", more }' \
		"$BED/$1.cfg" >"$BED/$1.cfg.new" && mv "$BED/$1.cfg.new" "$BED/$1.cfg"
}

t_pair() {
	bed_network_up && bed_certs && t_config a && t_config b || t_fail "the bed could not be made"
	bed_chassis_start a
	bed_wait 20 bed_answers a # else B could be alone for long enough to be active
	bed_chassis_start b
	t_python <<-'PY'
		from traffic import *
		t.synchronised("a", "b")
	PY
	[ $? -eq 0 ] || t_fail "the pair did not come up"
}

t_python() { # the scenario on standard input
	PYTHONPATH=$T_LIB PYTHONDONTWRITEBYTECODE=1 python3 - "$BED" "$BUILD"
}

# The part of an active-charging service that makes rules recoverable: lines of the
# trigger-condition.
t_recover() { # LINE...
	cat <<-CONF
		    trigger-action recover
		      flow-recovery
		    #exit
		    trigger-condition which
		$(printf '      %s\n' "$@")
		    #exit
		    service-scheme scheme
		      trigger flow-create
		        priority 1 trigger-condition which trigger-action recover
		      #exit
		    #exit
		    subs-class everybody
		      rulebase = gold
		    #exit
		    subscriber-base default
		      priority 1 subs-class everybody bind service-scheme scheme
		    #exit
	CONF
}

# A whole service with one rule for everything, which is recoverable: where it matters how checkpoints travel.
t_recover_all() {
	cat <<-CONF
		  active-charging service ecs
		    system-limit flow-chkpt-per-call 300
		    idle-timeout udp 600
		    ruledef all
		      ip any-match = TRUE
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    rulebase gold
		      action priority 1 ruledef all charging-action count
		    #exit
	CONF
	t_recover "rule-name = all"
	printf '  #exit\nend\n'
}
