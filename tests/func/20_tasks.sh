#!/bin/bash
# Tasks of a chassis: what ps and the operator see of them, and an orderly end that hands the role over
# and leaves nothing behind.
. "$(dirname "$0")/lib/pair.sh"

titles() { # CHASSIS: of its processes as ps shows them
	ps -o args= -p "$(bed_chassis_pids "$1" | paste -sd,)" | sort
}

# What a chassis puts into the kernel: devices, addresses, routes and rules of its own. That the host
# forwards stays, and with it the kernel's anycast addresses.
network() {
	bed_in "$1" ip -o link | awk -F': ' '{print $2}'
	bed_in "$1" ip -o addr | awk '{print $2, $4}' | grep -v fe80
	bed_in "$1" ip rule
	bed_in "$1" ip -6 rule
	bed_in "$1" ip route show table all | grep -v -e fe80 -e ^anycast
}

pair_begin
network a | sort >"$BED/before"
pair_start
pair_sessions

say "Titles"
want=$(printf 'chassisd: %s\n' demuxmgr sct sessmgr:1 sessmgr:2 supervisor vpnmgr)
[ "$(titles a)" = "$want" ] || fail "ps shows: $(titles a)"
say "ok: ps shows every task by its name"

say "show task resources"
for t in sct/0 vpnmgr/0 demuxmgr/0 sessmgr/1 sessmgr/2; do
	pid=$(task_pid a "${t%/*}" "${t#*/}")
	check "$t runs as $pid, of this chassis" grep -qx "$pid" <(bed_chassis_pids a)
	check "$t was started once and gives beats" [ \
		"$(rows a 'show task resources' starts,status "pid=$pid")" = "1 good" ]
done
total=$(rows a 'show task resources' sessions task=sessmgr | awk '{n += $1} END {print n}')
check "the slabs of the session managers hold $total sessions" [ "$total" = "$(session_count a)" ]
check "each of them has some" refused grep -qx 0 <(rows a 'show task resources' sessions task=sessmgr)

say "SIGTERM"
sessions a >"$BED/sessions"
flows a >"$BED/flows"
pids=$(bed_chassis_pids a)
mark b
kill "$(cat "$BED/a.pid")"
# shellcheck disable=SC2086
check "all processes end" bed_wait_gone 8000 $pids
eventually "B is active" is b Active
eventually "the role was handed over" loss_is b "planned shutdown"
eventually "the log of B says so" logged b 'notice: .*reason shutdown'
eventually "the log of A ends" logged a 'the chassis has ended'
check "B has the sessions" [ "$(sessions b)" = "$(cat "$BED/sessions")" ]
check "B has the flows, on their rules" [ "$(flows b)" = "$(cat "$BED/flows")" ]
check "every flow is answered" serves
check "the operator's socket is gone" [ ! -e "$BED/a.sock" ]
check "no rule, route, address or device is left" diff "$BED/before" <(network a | sort)

say "Return"
bed_chassis_start a
eventually "A follows and is filled" equal b
check "B was not disturbed" serves

say "SIGTERM before digests were ever compared"
for c in a b; do
	pids=$(bed_chassis_pids $c)
	kill "$(cat "$BED/$c.pid")"
	# shellcheck disable=SC2086
	check "all processes of $c end" bed_wait_gone 8000 $pids
done
mark a
pair_start
kill "$(cat "$BED/a.pid")"
eventually "B is active" is b Active
check "the role was handed over" loss_is b "planned shutdown"
check "A made an audit for it" logged a 'shutting down: the role goes to the peer first'
pair_ends
