#!/bin/bash
# sct, vpnmgr and demuxmgr killed alone, on the active and on the standby: they are started again, the
# role stays where it is, the service goes on, the link is made again.
. "$(dirname "$0")/lib/pair.sh"

restarted() { [ "$(starts "$1" "$2")" = "$3" ]; } # CHASSIS TASK TIMES

killed() { # CHASSIS TASK
	local pid
	pid=$(task_pid "$1" "$2")
	say "$2 of $1 is killed"
	mark "$1"
	kill -9 "$pid" || fail "$2 of $1 did not run"
	PAIR_DEATHS=$((PAIR_DEATHS + 1))
	eventually "the log names the signal" logged "$1" "$2 \(pid $pid\) was ended by signal 9"
	eventually "it runs again" restarted "$1" "$2" 2
}
goes_on() {
	eventually "the pair is level, the role where it was" equal a
	check "every flow is answered" serves
}

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"
term=$(info a term)
beats=$(counter a conn_up)
killed a vpnmgr
goes_on
killed b vpnmgr
goes_on
for t in demuxmgr sct; do
	killed b $t
	killed a $t
	goes_on
done
say "What came of it"
check "no switchover was made" [ -z "$(losses a)$(losses b)" ]
check "the term is the same" info_is a term "$term"
eventually "the control link was made again" counter_above a conn_up "$beats"
check "sessions are the same" [ "$(sessions a)" = "$(cat "$BED/sessions")" ]
check "flows are the same" [ "$(flows a)" = "$(cat "$BED/flows")" ]
check "session managers were not touched" [ \
	"$(rows a 'show task resources' starts task=sessmgr | sort -u)" = 1 ]

say "A demuxmgr that was started again places sessions"
check "a session is added" bed_ctl a \
	'session add imsi 001019999999999 apn internet ip-address 10.45.0.200'
eventually "and checkpointed" equal a
check "one more than before" [ "$(session_count b)" = $((BED_SUBSCRIBERS + BED_WALKINS + 1)) ]
pair_ends
