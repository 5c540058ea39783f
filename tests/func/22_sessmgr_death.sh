#!/bin/bash
# A session manager that dies: on the standby it is started again and filled from the active; on the
# active with a ready peer the role goes to the peer, which serves on, and the dead one is filled there.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"

say "On the standby"
kill -9 "$(task_pid b sessmgr 1)" || fail "sessmgr:1 of b did not run"
PAIR_DEATHS=1
again() { [ "$(starts b sessmgr 1)" = 2 ]; }
eventually "it is started again" again
eventually "it is filled from the active" equal a
check "the role stayed" [ -z "$(losses a)$(losses b)" ]
check "no session was lost" [ "$(sessions b)" = "$(cat "$BED/sessions")" ]
check "every flow is answered" serves

say "On the active, with a peer that is ready"
mark a
mark b
kill -9 "$(task_pid a sessmgr 2)" || fail "sessmgr:2 of a did not run"
PAIR_DEATHS=2
eventually "the role goes to the peer" is b Active
eventually "every flow is answered" serves
eventually "the pair is level" equal b
check "the reason is in the statistics of the peer" loss_is b "planned sessmgrFailure"
check "and in those of the chassis that lost it" loss_is a "planned sessmgrFailure"
check "the reason is in the log of the peer" logged b 'notice: .*reason sessmgrFailure'
check "the log of A says what happened" logged a 'sessmgr:2 died: the role goes to the peer'
check "show srp info says it" info_is b last_switchover_reason sessmgrFailure
check "no session was lost" [ "$(sessions b)" = "$(cat "$BED/sessions")" ]
check "no flow was lost" [ "$(flows b)" = "$(cat "$BED/flows")" ]
check "nothing restarted empty" [ "$(counter a restarted_empty)" = 0 ]

say "And back"
check "a planned switchover to A" bed_ctl b 'srp initiate-switchover -noconfirm'
eventually "A is active, all is the same" equal a
check "no session was lost" [ "$(sessions a)" = "$(cat "$BED/sessions")" ]
check "no flow was lost" [ "$(flows a)" = "$(cat "$BED/flows")" ]
check "every flow is answered" serves
pair_ends
