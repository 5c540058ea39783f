#!/bin/bash
# What is in the way of a start: a TUN of the same name, a port in use, an operator's socket in use, a
# state file in use, certificates that cannot be used. The daemon ends with a clear message and takes
# nothing away from whom it belongs to. What an earlier life left behind is no obstacle.
. "$(dirname "$0")/lib/pair.sh"

# TEXT MESSAGE...: a start of A ends, in the foreground (and in the background: HOWS), with a status and
# these pieces in its log; nothing is left of it
ends_with() {
	local text=$1 how out status piece
	shift
	for how in "${HOWS[@]}"; do
		# shellcheck disable=SC2086
		out=$(bed_in a timeout 20 "$BED_CHASSISD" -c "$BED/a.cfg" -s "$BED/a.sock" $how 2>&1 </dev/null)
		status=$?
		[ $status != 0 ] && [ $status != 124 ] ||
			fail "$text: chassisd ${how:-without -f} ends with $status: $out"
		for piece; do
			grep -qE -- "$piece" <<<"$out" || fail "$text: '$piece' is not said: $out"
		done
	done
	say "ok: $text: $(tail -n 1 <<<"$out" | sed 's/.*error: //')"
	check "no rule or route was made" [ -z "$(bed_in a ip rule | grep 470)" ]
}

# Of one that was started in the background.
supervisor_of_a() {
	ps -o pid=,args= -p "$(ip netns pids "$(bed_ns a)" | paste -sd,)" | awk '/supervisor/ {print $1}'
}
ended() { [ -z "$(ip netns pids "$(bed_ns a)")" ]; }
stop() {
	kill "$(supervisor_of_a)"
	eventually "it ends on SIGTERM" ended
}

HOWS=(-f '')
pair_begin

has_link() { bed_in a ip link show "$1" >/dev/null 2>&1; }
say "A TUN that is there already"
bed_in a ip tuntap add dev acc mode tun
ends_with "a device named acc" 'acc' 'already|busy|in use|exists'
check "it is there still" has_link acc
check "the others were not left behind" [ -z "$(bed_in a ip -o link | grep -E ' (core|svc):')" ]
bed_in a ip tuntap del dev acc mode tun
HOWS=(-f)
bed_in a ip tuntap add dev svc mode tun
ends_with "a device named svc" 'svc' 'already|busy|in use|exists'
check "it is there still" has_link svc
bed_in a "$BED_CHASSISD" -c "$BED/a.cfg" -s "$BED/a.sock" -n 2 >>"$BED/a.log" 2>&1 </dev/null ||
	fail "it does not start with names of its own"
check "it starts with names of its own" has_link svc2
stop
bed_in a ip tuntap del dev svc mode tun

hold() { # PYTHON: holds something until it is killed
	rm -f "$BED/held"
	ip netns exec "${BED_PREFIX}a" python3 -S -c "$1
import signal
print('held', flush=True)
signal.pause()" >"$BED/held" 2>&1 </dev/null &
	held=$!
	eventually "it is held" grep -q held "$BED/held"
}
release() { kill $held && wait $held 2>/dev/null; }

say "Ports in use"
hold "import socket; s = socket.create_server(('10.3.0.2', 4713))"
ends_with "TCP port 4713" "TCP port 4713 on 10.3.0.2: Address already in use"
release
hold "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.3.0.2', 4712))"
ends_with "UDP port 4712" 'UDP port 4712 on 10.3.0.2: Address already in use'
release

say "The operator's socket"
hold "import socket; s = socket.socket(socket.AF_UNIX); s.bind('$BED/a.sock'); s.listen()"
ends_with "a socket on which somebody answers" "another chassisd answers on $BED/a.sock"
check "it is there still" [ -S "$BED/a.sock" ]
release
rm -f "$BED/a.sock"
echo mine >"$BED/a.sock"
ends_with "a file of that name" "$BED/a.sock exists and is not a socket"
check "it is there still" grep -q mine "$BED/a.sock"
rm "$BED/a.sock"

say "Certificates"
HOWS=(-f '')
cp "$BED/a.pem" "$BED/a.pem.good"
cp "$BED/b.pem" "$BED/a.pem"
ends_with "a key of another certificate" "key $BED/a.key" "mismatch|is not the key"
rm "$BED/a.pem"
ends_with "no certificate" "certificate $BED/a.pem: No such file"
echo garbage >"$BED/a.pem"
ends_with "a certificate that is none" "certificate $BED/a.pem: "
mv "$BED/a.pem.good" "$BED/a.pem"

say "Few descriptors"
cp "$BED/a.cfg" "$BED/plain.cfg"
BED_SR=yes bed_config a
few() { # NUMBER: the chassis starts with so many, if it does
	bed_in a sh -c "ulimit -n $1; exec \"\$@\"" sh "$BED_CHASSISD" -c "$BED/a.cfg" -s "$BED/a.sock" \
		>"$BED/few" 2>&1 </dev/null
}
check "too few: it does not start" refused few 34
check "and says what it lacks" grep -q 'Too many open files' "$BED/few"
check "which is not memory" refused grep -q 'out of memory' "$BED/few"
check "enough for service, and not for what a standby reserves: it starts" few 60
status_says() { bed_ctl a 'show session recovery status verbose' | grep -q -- "$1"; }
eventually "it is not ready for recovery" status_says 'SESSMGR Not Ready For Recovery'
eventually "and says why" status_says 'standby sessmgr: [0-9]* of 64 descriptors: Too many open files'
eventually "mirrors run" status_says ' 1/0 Active   2 .* 2 .* 1 '
check "nobody had to die for it" refused grep -Eq 'is dead|does not read|out of memory| lost' "$BED/few"
stop
cp "$BED/plain.cfg" "$BED/a.cfg"

say "Another chassis is there"
bed_chassis_start a
eventually "A answers" bed_answers a
pids=$(bed_chassis_pids a)
second() { out=$(bed_in a timeout 20 "$BED_CHASSISD" -c "$BED/a.cfg" -f "$@" 2>&1); }
check "a second one ends" refused second -s "$BED/a.sock"
check "and says why" grep -q "another chassisd answers on $BED/a.sock" <<<"$out"
check "with names of its own, too" refused second -s "$BED/second.sock" -n 2
check "and says why: the state file is in use" grep -q 'state file .* in use' <<<"$out"
check "the first one was not disturbed" [ "$(bed_chassis_pids a)" = "$pids" ]
check "it answers" bed_answers a

say "What a chassis that was killed left behind"
bed_chassis_kill a
check "its socket" [ -S "$BED/a.sock" ]
check "its rules" [ -n "$(bed_in a ip rule | grep 470)" ]
bed_in a "$BED_CHASSISD" -c "$BED/a.cfg" -s "$BED/a.sock" >>"$BED/a.log" 2>&1 </dev/null ||
	fail "it does not start in the background"
check "is no obstacle: it starts, and answers once the command has ended" bed_answers a
supervisor=$(supervisor_of_a)
check "it left the session of who started it" [ "$(ps -o sid= -p "$supervisor" | tr -d ' ')" = "$supervisor" ]
check "its rules are there once" [ "$(bed_in a ip rule | grep -c 'iif acc0')" = 1 ]
stop
check "nothing of it is left" [ ! -e "$BED/a.sock" -a -z "$(bed_in a ip rule | grep 470)" ]
pair_ends
