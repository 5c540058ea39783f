#!/bin/bash
# Every process of the active killed at once (kill -9): the peer takes over; the dead chassis is started
# again, follows and is filled; then the same the other way round.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"
from=a
for to in b a; do
	say "$from is killed"
	mark $to
	bed_chassis_kill $from
	eventually "$to is active" is $to Active
	eventually "with the reason in the log" logged $to 'notice: .*reason peerChassisGone'
	eventually "and in the statistics" loss_is $to "unplanned peerChassisGone"
	check "no session was lost" [ "$(sessions $to)" = "$(cat "$BED/sessions")" ]
	check "no flow was lost, and each is on its rule" [ "$(flows $to)" = "$(cat "$BED/flows")" ]
	check "every flow is answered" serves
	say "$from is started again"
	bed_chassis_start $from
	eventually "it follows and is filled" equal $to
	check "no session was lost" [ "$(sessions $from)" = "$(cat "$BED/sessions")" ]
	check "no flow was lost" [ "$(flows $from)" = "$(cat "$BED/flows")" ]
	check "every flow is answered" serves
	from=$to
done
pair_ends
