#!/bin/bash
# A session manager that stands still (SIGSTOP) on the active: it is noticed by its missing beat, killed,
# and the role goes to the peer.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
pid=$(task_pid a sessmgr 1)
kill -STOP "$pid"
PAIR_DEATHS=1
eventually "the log of A says that it gave no beat" logged a \
	"sessmgr:1 \(pid $pid\) gave no beat for [0-9]+ ms: it is killed"
eventually "the role goes to the peer" is b Active
eventually "every flow is answered" serves
eventually "the pair is level" equal b
check "the reason is in the statistics" loss_is b "planned sessmgrFailure"
check "the reason is in the log" logged b 'notice: .*reason sessmgrFailure'
check "no session was lost" [ "$(sessions b)" = "$(cat "$BED/sessions")" ]
check "the process is gone" [ ! -d "/proc/$pid" ]
pair_ends
