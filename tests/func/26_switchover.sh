#!/bin/bash
# Planned switchovers, A to B to A to B, with sessions and flows under traffic; and those that are
# refused: on the standby, without a peer, with a peer of another configuration.
. "$(dirname "$0")/lib/pair.sh"

refuses() { # CHASSIS REASON: the operator gets it, and a status that is not 0
	local said
	! said=$(bed_ctl "$1" 'srp initiate-switchover -noconfirm' 2>&1) && grep -q -- "$2" <<<"$said"
}

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"
check "refused on the standby, with the reason" refuses b 'this chassis is not active'
from=a
for to in b a b; do
	say "From $from to $to"
	check "the command succeeds" bed_ctl $from 'srp initiate-switchover -noconfirm'
	eventually "$to is active, $from follows, all is the same" equal $to
	check "no session was lost" [ "$(sessions $to)" = "$(cat "$BED/sessions")" ]
	check "no flow was lost, and each is on its rule" [ "$(flows $to)" = "$(cat "$BED/flows")" ]
	eventually "$to calls it a planned one" loss_is $to "planned manualSwitchOver"
	eventually "so does $from" loss_is $from "planned manualSwitchOver"
	check "every flow is answered" serves
	from=$to
done
check "flows say that they were recovered" [ "$(recovered b)" -ge "$(wc -l <"$BED/flows")" ]
check "three switchovers are in the statistics of A" [ "$(losses a | wc -l)" = 3 ]
check "and of B" [ "$(losses b | wc -l)" = 3 ]
check "terms grew" [ "$(info b term)" -gt "$(info a term)" ]
check "none was given up" [ "$(counter a switch_aborted)$(counter b switch_aborted)" = 00 ]

say "Without a peer"
bed_chassis_kill a
alone() { info_is b connection None; }
eventually "B is alone" alone
check "refused, with the reason" refuses b 'the peer chassis is not connected'
check "B is active still" is b Active

say "With a peer of another configuration"
sed -i 's/^    ruledef web$/    ruledef additional\n      ip protocol = 47\n    #exit\n&/' "$BED/a.cfg"
bed_chassis_start a
eventually "the pair is level" level b
check "refused, with the reason" refuses b 'the configurations differ'
eventually "B says so in its log" logged b 'configuration differs from the peer'
eventually "and to the operator" info_is b config_error 'Peer Checksum Validation Failure'
check "B is active still" is b Active
check "every flow is answered" serves
pair_ends
