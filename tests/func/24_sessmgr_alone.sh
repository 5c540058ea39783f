#!/bin/bash
# A session manager that dies on an active chassis without a peer, and without session recovery: it is
# started again empty, which is counted and said, and service goes on. The peer that comes back with the
# state of before is not emptied by it: it gives that state back.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
# By address: a subscriber whose packets come meanwhile gets a new session, with a new call-id.
addresses() { rows "$1" 'show subscribers all' v4 | sort; }
addresses b >"$BED/addresses"

say "The peer stands still"
# shellcheck disable=SC2046
kill -STOP $(bed_chassis_pids b)
gone() { info_is a connection None; }
eventually "A has lost its peer" gone
check "A is active" is a Active

say "sessmgr:1 of the active dies"
mark a
lost=$(rows a 'show subscribers all' callid instance=1 | wc -l)
check "it has $lost sessions" [ "$lost" -gt 0 ]
kill -9 "$(task_pid a sessmgr 1)"
PAIR_DEATHS=1
counted() { [ "$(counter a restarted_empty)" = 1 ]; }
eventually "it is started again empty, and that is counted" counted
eventually "A says what is lost" logged a 'sessmgr:1 died and the peer does not hold its sessions'
counted_lost() { [ "$(counter a sr_lost_sessions)" = "$lost" ]; }
eventually "$lost lost sessions are counted" counted_lost
eventually "sessmgr:1 says so" logged a 'sessmgr:1.* restarted empty on the active chassis'
check "A stays active" is a Active
check "no switchover was made" [ -z "$(losses a)" ]
check "the sessions of sessmgr:2 are there" [ \
	"$(rows a 'show subscribers all' callid instance=2 | wc -l)" -gt 0 ]
eventually "new sessions are taken" bed_ctl a \
	'session add imsi 001018888888888 apn internet ip-address 10.45.0.201'

say "vpnmgr dies as well: its successor tells everybody the role again"
kill -9 "$(task_pid a vpnmgr)"
PAIR_DEATHS=2
told() { [ "$(starts a vpnmgr)" = 2 ] && is a Active; }
eventually "A is active" told
eventually "new sessions are taken" bed_ctl a \
	'session add imsi 001018888888889 apn internet ip-address 10.45.0.202'

say "The peer comes back with its state"
mark b
# shellcheck disable=SC2046
kill -CONT $(bed_chassis_pids b)
eventually "the pair is level, A active" level a
has_all() { [ -z "$(comm -23 "$BED/addresses" <(addresses "$1"))" ]; }
check "the peer was not emptied" has_all b
eventually "the state of sessmgr:1 came back to A" has_all a
eventually "both have the same" equal a
eventually "every flow is answered" serves
pair_ends
