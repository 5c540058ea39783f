#!/bin/bash
# A task that dies again and again ends its chassis where a peer stands by: the role is handed over first,
# then all of it ends. Without a peer the chassis goes on, and starts the task with a delay that grows; the
# peer that comes back gets the role at the next death. Mirrors that cannot live take no chassis with them.
export BED_SR=yes
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
supervisor=$(cat "$BED/a.pid")
runs() { # a task of that name that is not the one before
	pid=$(pgrep -P "$supervisor" -f 'chassisd: demuxmgr') && [ "$pid" != "$last" ]
}
six_deaths() {
	last='' pid=''
	for n in 1 2 3 4 5 6; do
		eventually "demuxmgr runs, the ${n}th" runs
		last=$pid
		kill -9 "$pid"
	done
}
six_deaths
PAIR_DEATHS=5
check "the chassis ends" bed_wait_gone 10000 "$supervisor"
eventually "its log says why" logged a \
	'critical: demuxmgr has died more than 5 times in 60 seconds: this chassis gives up'
eventually "the peer is active" is b Active
eventually "it was handed the role" logged a 'shutting down: the role goes to the peer first'
check "as in a planned switchover" grep -q '^planned' <(losses b)
eventually "every flow is answered" serves
check "nothing of A is left" [ ! -e "$BED/a.sock" ]
check "its devices are gone" refused bed_in a ip link show svc

say "Without a peer"
sessions b >"$BED/sessions"
supervisor=$(cat "$BED/b.pid")
dead() { ! pgrep -P "$supervisor" -f 'chassisd: demuxmgr' >/dev/null; }
recovery_says() { bed_ctl b 'show session recovery status verbose' | grep -q -- "$1"; }
six_deaths
PAIR_DEATHS=10
delayed() { logged b "critical: demuxmgr dies too often: the next one is started in $1 second"; }
eventually "the next one is started a second later" delayed 1
check "meanwhile there is none" dead
eventually "the status is not ready" recovery_says 'DEMUX Not Ready For Recovery'
check "and says why" recovery_says '  demuxmgr dies too often'
check "every flow is answered" serves
for s in 2 4; do
	eventually "it is started again" runs
	last=$pid
	kill -9 "$pid"
	eventually "then $s seconds later" delayed $s
done
check "B goes on" is b Active
check "no session was lost" [ "$(sessions b)" = "$(cat "$BED/sessions")" ]
eventually "it is started again" runs
eventually "new sessions are taken" bed_ctl b \
	'session add imsi 001018888888888 apn internet ip-address 10.45.0.201'
check "each start is counted" [ "$(starts b demuxmgr)" = 9 ]

say "The peer comes back"
mark a
bed_chassis_start a
eventually "A follows" level b
last=$pid
kill -9 "$pid"
check "B gives up" bed_wait_gone 10000 "$supervisor"
eventually "A is active" is a Active
eventually "it was handed the role" logged b 'shutting down: the role goes to the peer first'
eventually "every flow is answered" serves

say "Mirrors that cannot live"
supervisor=$(cat "$BED/a.pid")
hunt() {
	local p
	for p in $(pgrep -P "$supervisor" -f 'chassisd: aaamgr'); do kill -9 "$p"; done
	false
}
bed_until 600 0.02 hunt &
hunter=$!
at_end() { kill "$hunter" 2>/dev/null; }
loops() { logged a 'critical: aaamgr:1 dies too often: the next one is started in 2 seconds'; }
eventually "aaamgr:1 dies too often" loops
check "A is active" is a Active
status_of_a() { bed_ctl a 'show session recovery status verbose' | grep -q -- "$1"; }
check "the status is not ready" status_of_a 'AAAMGR Not Ready For Recovery'
check "and says why" status_of_a '  aaamgr:1 dies too often'
check "every flow is answered" serves
kill "$hunter" && wait "$hunter" 2>/dev/null
living() { [ "$(pgrep -c -P "$supervisor" -f 'chassisd: aaamgr:[12]')" = 2 ]; }
eventually "they are started when they can live" living
mirrored() { [ "$(rows a 'show task resources' store_sessions task=aaamgr instance=1)" -gt 0 ]; }
eventually "and hold the sessions" mirrored
PAIR_DEATHS=$(cat "$BED"/[ab].log | grep -c 'is dead and is started again')
check "nothing but mirrors has died of that" [ "$(grep -c 'is dead and is started again' <(
	grep -hv aaamgr "$BED/a.log" "$BED/b.log"))" = 10 ]
pair_ends
