#!/bin/bash
# A session manager that dies, without session recovery: on the standby it is started again and filled from
# the active; on the active it starts empty and gets its sessions from the peer, the role stays, and the
# other session manager is not disturbed. One that dies again and again ends its chassis, which hands the
# role over first.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
# What is younger than that is not at the peer yet.
sed -i 's/checkpoint session duration 0/checkpoint session duration 5/' "$BED/a.cfg" "$BED/b.cfg"
pair_start
pair_sessions
sessions a >"$BED/sessions"
flows a >"$BED/flows"

# Each instance has talkers of its own: one must not lose a packet while the other is dead.
talkers() { rows a 'show subscribers all' v4 "instance=$1" | grep '^10\.45\.' | sort | head -n 3 | tr '\n' ' '; }
for i in 1 2; do pair_talk "of$i" "$(talkers $i)"; done
for i in 1 2; do eventually "sessmgr:$i serves talkers of its own" serves of$i; done

say "On the standby"
kill -9 "$(task_pid b sessmgr 1)" || fail "sessmgr:1 of b did not run"
PAIR_DEATHS=1
again() { [ "$(starts "$1" sessmgr "$2")" = 2 ]; }
eventually "it is started again" again b 1
eventually "it is filled from the active" equal a
check "the role stayed" [ -z "$(losses a)$(losses b)" ]
check "no session was lost" [ "$(comm -23 "$BED/sessions" <(sessions b))" = '' ]
eventually "every flow is answered" serves

say "On the active, with a peer that holds its sessions"
sessions a >"$BED/sessions"
flows a >"$BED/flows"
mark a
mark b
missed=$(talk_status missed of1)
kill -9 "$(task_pid a sessmgr 2)" || fail "sessmgr:2 of a did not run"
PAIR_DEATHS=2
eventually "it is started again" again a 2
for of in talk of1 of2; do eventually "every flow of $of is answered" serves $of; done
eventually "the pair is level, A active" equal a
check "the role stayed" [ -z "$(losses a)$(losses b)" ]
eventually "the log says where its sessions come from" logged a 'sessmgr:2 died: its sessions come from the peer'
eventually "and so does its successor" logged a \
	'sessmgr:2.* restarted on the active chassis: the peer is asked for its sessions'
check "SR-15: every session is there, with its call-id" [ "$(sessions a)" = "$(cat "$BED/sessions")" ]
check "every flow is there, on its rule" [ "$(comm -23 "$BED/flows" <(flows a))" = '' ]
check "nothing restarted empty" [ "$(counter a restarted_empty)" = 0 ]
check "nothing is counted as lost" [ "$(counter a sr_lost_sessions)" = 0 ]
check "SR-15: sessmgr:1 lost no packet meanwhile" [ "$(talk_status missed of1)" = "$missed" ]
say "   sessmgr:2: $(talk_status missed of2) packets were not answered"
check "new sessions are taken" bed_ctl a \
	'session add imsi 001018888888888 apn internet ip-address 10.45.0.201'

say "What the peer does not hold is lost, and counted"
eventually "both have the same" equal a
sessions a >"$BED/held"
for i in 2 3 4 5; do
	bed_ctl a "session add imsi 00101888888888$i apn internet ip-address 10.45.0.21$i" >"$BED/add" ||
		fail "$(cat "$BED/add")"
done
sessions a >"$BED/sessions"
kill -9 "$(task_pid a sessmgr 1)"
PAIR_DEATHS=3
eventually "it is started again" again a 1
eventually "the pair is level, A active" equal a
lost=$(comm -23 "$BED/sessions" <(sessions a) | wc -l)
check "$lost sessions are lost" [ "$lost" -gt 0 ]
check "none that the peer held" [ -z "$(comm -23 "$BED/held" <(sessions a))" ]
check "SR-15: they are counted" [ "$(counter a sr_lost_sessions)" = "$lost" ]
eventually "and said" logged a "recovery: $lost sessions? (is|are) lost of those of sessmgr:1"
eventually "every flow is answered" serves

say "To the peer and back"
sessions a >"$BED/sessions"
check "a planned switchover to B" bed_ctl a 'srp initiate-switchover -noconfirm'
eventually "B is active, all is the same" equal b
check "no session was lost" [ "$(sessions b)" = "$(cat "$BED/sessions")" ]
check "and to A" bed_ctl b 'srp initiate-switchover -noconfirm'
eventually "A is active, all is the same" equal a
eventually "every flow is answered" serves

say "Again and again"
supervisor=$(cat "$BED/a.pid") last=
runs() { # sessmgr:2, and not the one before; or all of it has ended
	pid=$(pgrep -P "$supervisor" -f 'chassisd: sessmgr:2') && [ "$pid" != "$last" ] || [ ! -d "/proc/$supervisor" ]
}
while eventually "sessmgr:2 runs" runs && [ -d "/proc/$supervisor" ]; do
	last=$pid
	kill -9 "$pid"
done
eventually "the log says why the chassis ended" logged a \
	'critical: sessmgr:2 has died more than 5 times in 60 seconds: this chassis gives up'
PAIR_DEATHS=$(cat "$BED/a.log" "$BED/b.log" | grep -c 'is dead and is started again')
check "after five more at most" [ "$PAIR_DEATHS" -le 8 ]
eventually "B is active" is b Active
eventually "it was handed the role" logged a 'shutting down: the role goes to the peer first'
eventually "for that reason" loss_is b "planned sessmgrFailure"
check "no session was lost" [ -z "$(comm -23 "$BED/sessions" <(sessions b))" ]
eventually "every flow is answered" serves
pair_ends
