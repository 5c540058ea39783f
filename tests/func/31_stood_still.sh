#!/bin/bash
# Every process of the active stands still (SIGSTOP) for longer than the dead interval, then goes on
# (SIGCONT): the peer has taken over meanwhile; the one that stood still notices, steps down before it
# does anything else, and says so.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"
pids=$(bed_chassis_pids a)
mark a
# shellcheck disable=SC2086
kill -STOP $pids
eventually "B becomes active" is b Active
eventually "for silence" loss_is b "unplanned deadTimerExpiry"
eventually "every flow is answered" serves
# shellcheck disable=SC2086
kill -CONT $pids
eventually "A follows, all is the same" equal b
eventually "A noticed that it stood still" logged a 'vpnmgr.* stood still for [0-9]+ ms, more than the dead interval'
eventually "and stepped down" logged a 'notice: Standby: .*reason ownLoopStoodStill'
check "it is counted" [ "$(counter a stepped_down)" = 1 ]
eventually "the operator of A is told" info_is a last_switchover_reason ownLoopStoodStill
check "no session was lost" [ "$(sessions b)" = "$(cat "$BED/sessions")" ]
check "no flow was lost, and each is on its rule" [ "$(flows b)" = "$(cat "$BED/flows")" ]
check "none of its tasks was killed for it" [ "$(bed_chassis_pids a)" = "$pids" ]
check "every flow is answered" serves
pair_ends
