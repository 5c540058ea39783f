#!/bin/bash
# A single connection between the chassis is reset: that says nothing about the peer. No switchover; the
# connection is made again; sessions and flows are the same.
. "$(dirname "$0")/lib/pair.sh"

far_end() { # PORT: of the connection there; fails where there is none
	bed_in a ss -Htn state established "( sport = :$1 )" | awk '{print $4}' | grep .
}

cut() { # PORT: both ends get a reset
	local before
	until_true 10 far_end "$1" >/dev/null || fail "no connection on port $1"
	before=$(far_end "$1")
	bed_in a ss -K "sport = :$1" >/dev/null 2>&1
	[ "$(far_end "$1")" != "$before" ]
}

pair_begin
pair_start
pair_sessions
cut 4711 || { pair_state a >/dev/null; skip "this kernel does not end connections for ss -K"; }
sessions a >"$BED/sessions"
flows a >"$BED/flows"
for port in 4711 4712 4713 4711; do
	say "The connection on port $port"
	cut $port || fail "the connection on port $port stays"
	eventually "the pair is level, all is the same" equal a
	check "no switchover was made" [ -z "$(losses a)$(losses b)" ]
	check "every flow is answered" serves
done
check "both were never active at once" [ "$(counter a dual_active)$(counter b dual_active)" = 00 ]
check "no session was lost" [ "$(sessions a)" = "$(cat "$BED/sessions")" ]
check "no flow was lost" [ "$(flows a)" = "$(cat "$BED/flows")" ]
pair_ends
