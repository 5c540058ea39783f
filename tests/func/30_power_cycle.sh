#!/bin/bash
# An active that dies and is back before anybody noticed, with its state lost: it comes back empty, and
# must not empty its peer, whatever mode and priority say. The peer takes the role and fills it.
. "$(dirname "$0")/lib/pair.sh"
BED_DEAD_MS=60000 # nobody is to notice

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"

# By its hello, or by its kernel's answer to a connection that it knows nothing of.
noticed='peer(ChassisGone|Restarted)'
came_back() { # DEAD
	local alive
	alive=$(other "$1")
	eventually "$alive has the role, $1 follows and is filled" equal "$alive"
	check "no session was lost" [ "$(sessions "$alive")" = "$(cat "$BED/sessions")" ]
	check "no flow was lost, and each is on its rule" [ "$(flows "$alive")" = "$(cat "$BED/flows")" ]
	check "the reason is in the statistics" grep -Eq "^unplanned $noticed$" <(last_loss "$alive")
	eventually "and in the log" logged "$alive" "notice: .*reason $noticed"
	check "every flow is answered" serves
}

say "A vanishes: nothing is heard of its end"
mark b
bed_in a ip link set srp0 down
bed_chassis_kill a
rm "$BED/a.state"
eventually "nothing of it is left" refused bed_in a ip link show svc
check "B has not noticed" is b Standby
bed_in a ip link set srp0 up
bed_chassis_start a
came_back a

say "B is killed and started again at once"
mark a
bed_chassis_kill b
rm "$BED/b.state"
bed_chassis_start b
eventually "A is active" is a Active
came_back b
pair_ends
