#!/bin/bash
# A peer with the right certificate, active by its own word, that lies on the connections of instances to
# a chassis that follows it: a record for a session that does not exist, the same record twice, a lower
# term, garbage, deletions that nobody asked for. Each is refused or answered, counted, and changes nothing
# else; the chassis lives.
. "$(dirname "$0")/lib/pair.sh"

received() { # KIND COLUMN: of the received table
	local n
	n=$(rows a 'show srp checkpoint statistics' "$2" "checkpoint_type=$1" | tail -n 1)
	echo "${n:-0}"
}
above() { [ "$(received "$1" "$2")" -gt "$3" ]; }
held() { [ -n "$(rows a 'show subscribers all' callid "callid=$(printf '%08x' "$1")")" ]; }

pair_begin
bed_chassis_start a
eventually "A answers" bed_answers a
liar_begin role=3 term=2001 complete=1
check "the control connection is made" answers '^open$' open 0 hello
eventually "A follows" is a Standby
pids=$(bed_chassis_pids a)

link() { # of instance 1, agreed
	check "the connection of instance 1 is made" answers '^open$' open 1 hello
}
# An acknowledgement, or a refusal of records: [stream, position, [first, number, code, ...]].
acked() { # POSITION "REFUSED"
	answers "^\[[0-9]+, $1, \[$2\]\]$" wait 1 3
}
# TEXT LOG WHAT...: the connection ends, is counted and named; A follows on.
breach() {
	local text=$1 log=$2 before
	shift 2
	say "$text"
	mark a
	link
	before=$(counter a peer_down)
	check "it is said" answers '^said$' say 1 "$@"
	check "the connection ends" answers '^closed' ends 1
	eventually "counted" counter_above a peer_down "$before"
	eventually "named in the log" logged a "$log"
}

say "Records"
check "the connection of instance 2 is made" answers '^open$' open 2 hello
check "half a frame is said" answers '^said$' say 2 half # see below
link
check "a session" answers '^said$' say 1 session 11
check "is acknowledged" acked 1 ''
eventually "A has it" held 11
check "the same again" answers '^said$' say 1 session 11
check "is acknowledged" acked 2 ''
check "and counted" above 'Full Checkpoint' duplicates 0
check "A has one session" [ "$(session_count a)" = 1 ]
check "a flow of a session that does not exist" answers '^said$' say 1 stranger 999 2
check "is refused: no such session" acked 3 '3, 1, 13'
check "and counted" above ACS_FLOW_INFO refused_session 0
check "a kind that does not exist" answers '^said$' say 1 kind
check "is refused: unknown type" acked 4 '4, 1, 6'
eventually "and counted" counter_above a unknown_kind 0
check "three records, two of them malformed" answers '^said$' say 1 broken 12
check "the two are refused" acked 7 '5, (1, [0-9]+, 6, 1, [0-9]+|2, [0-9]+)'
check "and counted" above 'Full Checkpoint' decode_failed 0
eventually "the third is applied" held 12
check "a record of a lower term" answers '^said$' say 1 stale 13
check "is refused: stale" acked 8 '8, 1, 16'
check "and counted" above 'Full Checkpoint' refused_stale 0
check "A does not have it" refused held 13
check "a record of another stream" answers '^said$' say 1 foreign
eventually "is passed over and counted" counter_above a stale_frames 1
check "A does not have it" refused held 78
before=$(counter a stale_frames)
check "an acknowledgement from who sends" answers '^said$' say 1 ack
eventually "is passed over and counted" counter_above a stale_frames "$before"
check "a deletion that was not asked about" answers '^said$' say 1 purge 11
check "a session again, under the next version" answers '^said$' say 1 session 12 2
liar ends 1 # whether the deletion ended the connection or was passed over: nothing is deleted
check "A has both sessions" [ "$(session_count a)" = 2 ]

# What A shows of a call of which the liar is asked for its copy, with what the liar answers, if anything.
shown() { # WHAT CALL-ID
	local id began=$(date +%s%N)
	bed_ctl a 'show subscriber debug-info callid b' >"$BED/shown" 2>&1 &
	answers '^\[[0-9]+, b' wait 1 14 || return 1
	id=${answer#[}
	id=${id%%,*}
	[ "$1" = silence ] || liar say 1 answer "$id" "$@"
	wait $!
	took=$((($(date +%s%N) - began) / 1000000))
}
refuses() { # WHAT CALL-ID: as what could not be read
	local before
	before=$(counter a answers_refused)
	shown "$@" && grep -q '^Redundancy Status: None (the answer of the peer chassis could not be read)$' \
		"$BED/shown" && counter_above a answers_refused "$before"
}
say "Questions"
link
check "its copy of a call" shown session 11
check "is shown as the peer call line" grep -q '^Redundancy Status: Original Session$' "$BED/shown"
check "with what it says of itself" grep -Eq '^  Full: +5 +4 +300ms +200ms$' "$BED/shown"
check "the copy of another call is refused" refuses session 12
check "so is one that only aaamgr could have" refuses mirror 11
check "and what is none" refuses junk
check "it has no such call" shown nothing
check "which is said" grep -q '^Redundancy Status: None (the peer chassis has no such call)$' "$BED/shown"
before=$(counter a answers_void)
check "an answer to no question" answers '^said$' say 1 answer 4711 session 11
eventually "is passed over and counted" counter_above a answers_void "$before"
check "no answer" shown silence
check "is said" grep -q 'did not answer within a second' "$BED/shown"
check "after a second: $took ms" [ "$took" -ge 1000 ]
check "it asks itself" answers '^said$' say 1 ask 11
check "and is answered" answers '000000000000011' wait 1 15
check "about a call that there is not" answers '^said$' say 1 ask 999
check "with nothing" answers "^\\[7, b''\\]$" wait 1 15

for n in 'junk:Records that are no msgpack' 'count:More records announced than there are' \
	'gap:Records that are not the next' 'bomb:An array of 4 294 967 295 elements' \
	'garbage:Garbage in place of a hello' 'deep:Arrays in arrays'; do
	before=$(counter a protocol_errors)
	breach "${n#*:}" 'sessmgr:1.* error: peer broke the protocol' "${n%%:*}"
	eventually "as a breach of the protocol" counter_above a protocol_errors "$before"
done
breach "An unknown type" 'instance 1 connection down: frame 0xee of 1 bytes refused: unknown type' type
breach "A length of 4 GiB" 'instance 1 connection down: frame 0x01 of 4294967295 bytes refused' length
breach "A wrong magic" 'instance 1 connection down: frame 0x01 of 30 bytes refused: unsupported' magic
breach "A hello of another instance" 'peer broke the protocol: HELLO' hello number=5 instance=2

say "Half a frame, and nothing more for a while"
check "the connection of instance 2 ends" answers '^closed' ends 2
check "named in the log" grep -q 'instance 2 connection down: half a frame' "$BED/a.log"

say "What came of it"
check "every process of A is the one it was" [ "$(bed_chassis_pids a)" = "$pids" ]
check "A follows still" is a Standby
check "A has the sessions that it was given in order, and no other" [ "$(session_count a)" = 2 ]
check "its replicas' equations hold" [ \
	"$(rows a 'show srp replica' equations | sort -u)" = hold ]
kill "$LIAR_PID"
eventually "the liar is gone: A takes over" is a Active
bed_chassis_start b
eventually "the true peer is let in and filled" equal a
pair_ends
