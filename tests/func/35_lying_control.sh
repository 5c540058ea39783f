#!/bin/bash
# A peer with the right certificate that lies on the control connection: what it says is refused, counted
# and named in the log; the chassis lives, stays active and serves; the true peer is let in afterwards.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
pair_start
pair_sessions
sessions a >"$BED/sessions"
pids=$(bed_chassis_pids a)
bed_chassis_kill b
alone() { info_is a connection None; }
eventually "A is alone" alone
liar_begin role=1 term=0

# TEXT COUNTER LOG CONNECTION WHAT...: said on a connection that has agreed; the connection ends.
lie() {
	local text=$1 counter=$2 log=$3 link=$4 before
	shift 4
	say "$text"
	mark a
	check "the connection is made" answers '^open$' open 0 hello
	[ "$link" = 0 ] || check "that of instance $link, too" answers '^open$' open "$link" hello
	before=$(counter a "$counter")
	check "it is said" answers '^said$' say "$link" "$@"
	check "the connection ends" answers '^closed' ends "$link"
	eventually "counted" counter_above a "$counter" "$before"
	eventually "named in the log" logged a "$log"
}

lie "An unknown type" rx_bad_type \
	'SRP control connection down: frame 0xee of 1 bytes refused: unknown type' 0 type
lie "A length of 4 GiB" rx_bad_length 'frame 0x01 of 4294967295 bytes refused: value or length outside' 0 length
lie "A wrong magic" rx_bad_version 'frame 0x01 of 30 bytes refused: unsupported protocol version' 0 magic
lie "A wrong version" rx_bad_version 'frame 0x01 of 0 bytes refused: unsupported' 0 version
lie "An array of 4 294 967 295 elements" rx_bad_length 'control frame 0x01 refused: ' 0 bomb
lie "Garbage in place of msgpack" rx_bad_body 'control frame 0x01 refused: ' 0 garbage
lie "Arrays in arrays" rx_bad_body 'control frame 0x01 refused: ' 0 deep
lie "Another number of session managers" rx_mismatch \
	'control link refused: hello does not fit: .*sessmgrs here 2, there 3' 0 hello instances=3
lie "The chassis bit of A" rx_mismatch 'control link refused: hello does not fit: duplicate' 0 hello bit=0
lie "A term above the highest it has seen" rx_bad_length \
	'control frame 0x01 refused: ' 0 hello term=900 highest=3

say "What comes before a hello"
mark a
before=$(counter a rx_bad_state)
check "the connection is made" answers '^open$' open 0
check "a handover is said" answers '^said$' say 0 handover 2
check "the connection ends" answers '^closed' ends 0
eventually "counted" counter_above a rx_bad_state "$before"

say "No hello at all"
check "the connection is made" answers '^open$' open 0
check "A gives it up" answers '^closed' ends 0
eventually "named in the log" logged a 'no hello for three intervals|the peer sent no hello'

say "Half a frame, and half a header, and nothing more"
for what in half header; do
	mark a
	check "the connection is made" answers '^open$' open 0 hello
	check "it is said" answers '^said$' say 0 $what
	check "A gives it up" answers '^closed' ends 0
	eventually "named in the log" logged a \
		'control connection (down|reset): (half a frame|no hello)|control link refused'
done

say "A handover and a switchover that nobody asked for, and a hello of a lower term"
mark a
check "the connection is made" answers '^open$' open 0 hello
check "a handover of an old term" answers '^said$' say 0 handover 1
check "a hello with a term lower than before" answers '^said$' say 0 hello term=0
check "a prepare on the active" answers '^said$' say 0 prepare 4
sleep_for_hellos() { counter_above a hello_rx "$((heard + 3))"; }
heard=$(counter a hello_rx)
eventually "hellos go on, or A has ended the connection" sleep_for_hellos
check "A is active" is a Active

say "What came of it"
check "every process of A is the one it was" [ "$(bed_chassis_pids a)" = "$pids" ]
check "A is active" is a Active
check "no switchover was made" [ -z "$(losses a)" ]
check "no session was lost" [ "$(sessions a)" = "$(cat "$BED/sessions")" ]
check "every flow is answered" serves
kill "$LIAR_PID"
bed_chassis_start b
eventually "the true peer is let in and filled" equal a
pair_ends
