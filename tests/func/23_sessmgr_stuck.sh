#!/bin/bash
# A session manager that stands still (SIGSTOP) on the active, without session recovery: it is noticed by
# its missing beat and killed, and its successor gets its sessions from the peer.
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
again() { [ "$(starts a sessmgr 1)" = 2 ]; }
eventually "it is started again" again
eventually "every flow is answered" serves
eventually "the pair is level, A active" equal a
check "the role stayed" [ -z "$(losses a)$(losses b)" ]
check "no session was lost" [ "$(sessions a)" = "$(cat "$BED/sessions")" ]
check "the process is gone" [ ! -d "/proc/$pid" ]
pair_ends
