#!/bin/bash
# A planned switchover whose peer stands still in the middle of it: it is given up, the active stays
# active and serves on.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"
pid=$(task_pid b sessmgr 1)
kill -STOP "$pid"
PAIR_DEATHS=1 # it gives no beat, and its supervisor kills it
mark a
bed_ctl a 'srp initiate-switchover -noconfirm' >"$BED/said" 2>&1 &&
	fail "the switchover succeeded: $(cat "$BED/said")"
say "ok: the command fails: $(tail -n 1 "$BED/said")"
check "with the reason" grep -q 'aborted; this chassis stays active' "$BED/said"
eventually "the log says so" logged a 'error: planned switchover aborted; this chassis stays active'
check "it is counted" [ "$(counter a switch_aborted)" = 1 ]
check "A is active" is a Active
check "it is no switchover" [ -z "$(losses a)" ]
eventually "every flow is answered" serves
eventually "B is whole again" equal a
check "no session was lost" [ "$(sessions a)" = "$(cat "$BED/sessions")" ]
check "no flow was lost" [ "$(flows a)" = "$(cat "$BED/flows")" ]
check "the next one succeeds" bed_ctl a 'srp initiate-switchover -noconfirm'
eventually "B is active, all is the same" equal b
check "every flow is answered" serves
pair_ends
