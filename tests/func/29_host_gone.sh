#!/bin/bash
# The host of the active is gone for everybody: all its links are down. The peer takes over and serves.
# When the host is back, one of them steps down, and both have the same.
. "$(dirname "$0")/lib/pair.sh"

links() { # up or down
	local d
	for d in acc0 core0 srp0; do bed_in a ip link set $d "$1"; done
}

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"
links down
eventually "B becomes active" is b Active
eventually "for silence" loss_is b "unplanned deadTimerExpiry"
check "no session was lost" [ "$(sessions b)" = "$(cat "$BED/sessions")" ]
check "no flow was lost, and each is on its rule" [ "$(flows b)" = "$(cat "$BED/flows")" ]
eventually "every flow is answered" serves
links up
# What the kernel forgot of the host itself, its own scripts set again.
bed_batch_chassis 2 | bed_in a ip -force -batch - 2>/dev/null
one_active() { { is a Active && is b Standby; } || { is a Standby && is b Active; }; }
eventually "one is active, one is standby" one_active
is a Active && winner=a || winner=b
eventually "both have the same sessions and flows" equal "$winner"
eventually "the other stepped down" logged "$(other "$winner")" 'notice: .*reason dualActive'
check "no session was lost" [ "$(sessions "$winner")" = "$(cat "$BED/sessions")" ]
check "no flow was lost, and each is on its rule" [ "$(flows "$winner")" = "$(cat "$BED/flows")" ]
eventually "every flow is answered" serves
pair_ends
