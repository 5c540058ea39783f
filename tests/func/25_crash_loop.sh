#!/bin/bash
# A task that dies again and again ends its chassis: the role is handed over first, then all of it ends.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
supervisor=$(cat "$BED/a.pid")
runs() { # a task of that name that is not the one before
	pid=$(pgrep -P "$supervisor" -f 'chassisd: demuxmgr') && [ "$pid" != "$last" ]
}
last='' pid=''
for n in 1 2 3 4 5 6; do
	eventually "demuxmgr runs, the ${n}th" runs
	last=$pid
	kill -9 "$pid"
done
PAIR_DEATHS=5
check "the chassis ends" bed_wait_gone 10000 "$supervisor"
check "its log says why" logged a \
	'critical: demuxmgr has died more than 5 times in 60 seconds: this chassis gives up'
eventually "the peer is active" is b Active
check "it was handed the role" logged a 'shutting down: the role goes to the peer first'
check "as in a planned switchover" grep -q '^planned' <(losses b)
eventually "every flow is answered" serves
check "nothing of A is left" [ ! -e "$BED/a.sock" ]
check "its devices are gone" refused bed_in a ip link show svc
pair_ends
