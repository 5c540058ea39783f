#!/bin/bash
# The link between the chassis is cut: both are active. When it is back, one becomes standby and says so,
# and both have the same sessions. What was added meanwhile on the winner is there; what was added on the
# other is kept or counted.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"

say "The link is cut"
bed_in a ip link set srp0 down
eventually "B becomes active" is b Active
eventually "for silence" loss_is b "unplanned deadTimerExpiry"
check "A is active still" is a Active
eventually "every flow is answered" serves
check "a session is added on A" bed_ctl a 'session add imsi 001010000000901 apn internet ip-address 10.45.0.210'
check "and another on B" bed_ctl b 'session add imsi 001010000000902 apn internet ip-address 10.45.0.211'

say "The link is back"
mark a
mark b
bed_in a ip link set srp0 up
one_active() { { is a Active && is b Standby; } || { is a Standby && is b Active; }; }
eventually "one is active, one is standby" one_active
is a Active && winner=a loser=b || winner=b loser=a
say "   $winner stays active"
[ "$winner" = a ] && added_there=10.45.0.210 added_here=10.45.0.211 ||
	added_there=10.45.0.211 added_here=10.45.0.210
eventually "both have the same sessions and flows" equal "$winner"
check "both found it" [ "$(counter a dual_active)" -gt 0 -a "$(counter b dual_active)" -gt 0 ]
check "the loser stepped down" [ "$(counter "$loser" stepped_down)" = 1 ]
eventually "and says why" logged "$loser" 'notice: .*reason dualActive'
check "the winner's term is the higher one" [ "$(info "$winner" term)" -gt "$(info "$loser" term)" ]
check "no session was lost" [ -z "$(comm -23 "$BED/sessions" <(sessions "$winner"))" ]
has() { [ -n "$(rows "$1" 'show subscribers all' callid "v4=$2")" ]; }
check "the session that was added on the winner is there" has "$loser" "$added_there"
if has "$winner" "$added_here"; then
	say "ok: so is the one that was added on the loser"
else
	eventually "that of the loser was ended, and that is counted" counter_above "$loser" extra_deleted 0
fi
eventually "every flow is answered" serves
pair_ends
