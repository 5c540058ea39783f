# shellcheck shell=bash
# pair: two chassis with sessions and traffic, for the tests of faults; on the bed of topology.sh. To be
# sourced by a test, which begins with pair_begin. BUILD names the directory of chassisd and chassisctl.
#
# A test waits for conditions and never for time: what a wait allows is a bound, not an expectation.

PAIR_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${BUILD:?the directory of chassisd and chassisctl}"
BED_CHASSISD=${BED_CHASSISD:-$BUILD/chassisd}
BED_CHASSISCTL=${BED_CHASSISCTL:-$BUILD/chassisctl}
BED_BUILD=$BUILD
BED_SUBSCRIBERS=${BED_SUBSCRIBERS:-12}
BED_WALKINS=${BED_WALKINS:-2}
PAIR_TALKERS=${PAIR_TALKERS:-6} # of the subscribers, by IPv4 and IPv6
PAIR_WAIT=${PAIR_WAIT:-30}      # seconds that a condition may take on a slow machine
# A machine that stands still for a moment must not look like the fault that a test is about.
BED_HELLO_MS=${BED_HELLO_MS:-500}
BED_DEAD_MS=${BED_DEAD_MS:-3000}
PAIR_DEATHS=0                   # tasks that this test kills; see pair_ends
# shellcheck source=tests/func/lib/topology.sh
. "$PAIR_LIB/topology.sh"

say() { printf '%s\n' "$*"; }
fail() {
	printf 'FAIL: %s\n' "$*"
	exit 1
}
skip() {
	printf '%s\n' "$*"
	exit 77
}

check() { # TEXT COMMAND...: succeeds now
	local text=$1
	shift
	"$@" || fail "$text"
	say "ok: $text"
}

refused() { ! "$@"; } # for check and eventually: the command fails

until_true() { # SECONDS COMMAND...: a question to a chassis costs more than a look at a file
	local seconds=$1
	shift
	bed_until "$seconds" 0.1 "$@"
}

eventually() { # TEXT COMMAND...: succeeds within PAIR_WAIT seconds
	local text=$1
	shift
	until_true "$PAIR_WAIT" "$@" || fail "$text: not within $PAIR_WAIT s"
	say "ok: $text"
}

# --- what a chassis says ------------------------------------------------------------------------

rows() { # CHASSIS COMMAND KEY[,KEY...] [KEY=VALUE...]: see rows.py
	local chassis=$1 command=$2
	shift 2
	bed_ctl "$chassis" "$command | json" | python3 -S "$PAIR_LIB/rows.py" "$@"
}

role() { rows "$1" 'show srp info' chassis_state; }
is() { [ "$(role "$1")" = "$2" ]; } # CHASSIS ROLE
info() { rows "$1" 'show srp info' "$2"; }
info_is() { [ "$(info "$1" "$2")" = "$3" ]; } # CHASSIS ITEM VALUE
counter() { rows "$1" 'show srp statistics' "$2"; }
counter_above() { [ "$(counter "$1" "$2")" -gt "$3" ]; } # CHASSIS COUNTER VALUE
tls_refused() { rows "$1" 'show srp statistics' count "reason=$2"; }
task_pid() { rows "$1" 'show task resources' pid "task=$2" "instance=${3:-0}"; }
starts() { rows "$1" 'show task resources' starts "task=$2" "instance=${3:-0}"; }
sessions() { rows "$1" 'show subscribers all' callid | sort; }
session_count() { sessions "$1" | wc -l; }
# The flows that recovery is for, each with the rule that it is charged by.
flows() {
	rows "$1" 'show active-charging flows all' callid,flow_id,protocol,subscriber,server,rule \
		checkpointed=True | sort
}
recovered() { rows "$1" 'show active-charging flows all' callid,flow_id recovered=True | wc -l; }
losses() { rows "$1" 'show srp call-loss statistics' kind,reason; }
last_loss() { losses "$1" | tail -n 1; }
loss_is() { [ "$(last_loss "$1")" = "$2" ]; } # CHASSIS "KIND REASON"

# The log from where `mark` was called last, or from its beginning.
mark() { wc -l <"$BED/$1.log" >"$BED/$1.mark"; }
logged() { # CHASSIS EXTENDED-REGULAR-EXPRESSION
	local from=0
	[ ! -s "$BED/$1.mark" ] || from=$(cat "$BED/$1.mark")
	tail -n +$((from + 1)) "$BED/$1.log" | grep -Eq -- "$2"
}

# --- the pair -----------------------------------------------------------------------------------

other() { [ "$1" = a ] && echo b || echo a; }

# The active and its standby agree, every instance is connected and has what the other has.
level() { # ACTIVE
	local standby
	standby=$(other "$1")
	pair_stands "$1" Active Standby && pair_stands "$standby" Standby Active &&
		[ "$(rows "$standby" 'show srp replica' complete | sort -u)" = True ]
}
pair_stands() { # CHASSIS ROLE ROLE-OF-THE-PEER
	[ "$(rows "$1" 'show srp info' chassis_state,peer_state,sessmgrs_connected)" = \
		"$2 $3 $BED_SESSMGRS" ]
}

# Both hold the same sessions and flows, and have compared equal digests of everything a moment ago.
equal() { # ACTIVE
	level "$1" && [ "$(sessions a)" = "$(sessions b)" ] && [ "$(flows a)" = "$(flows b)" ] &&
		pair_verified "$1"
}
pair_verified() {
	[ "$(rows "$1" 'show srp replica' verified_s | sort -n | tail -n 1)" -le 2 ]
}

pair_begin() { # a bed with certificates and configurations
	[ "$(id -u)" = 0 ] || skip "needs root: makes network namespaces"
	local tool
	for tool in ip ss openssl python3 sysctl ethtool; do
		command -v $tool >/dev/null || skip "needs $tool"
	done
	BED=$(mktemp -d "${TMPDIR:-/tmp}/srp.XXXXXX") || fail "no temporary directory"
	trap pair_end EXIT
	trap 'exit 1' HUP INT TERM
	bed_init "$BED" || fail "the bed cannot be made"
	ip netns add "${BED_PREFIX}try" 2>/dev/null || skip "needs network namespaces"
	ip netns del "${BED_PREFIX}try"
	[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
	bed_network_up && bed_certs && bed_config a && bed_config b && bed_subscribers ||
		fail "the bed cannot be made"
	: >"$BED/a.log"
	: >"$BED/b.log"
}

pair_start() { # both chassis; A becomes the active
	bed_chassis_start a
	bed_wait 20 bed_answers a # else B could be alone for long enough to be active
	bed_chassis_start b
	eventually "A is active, B follows" level a
}

pair_sessions() { # loads the subscribers and lets some of them talk; A is active
	bed_ctl a "session load $BED/subscribers.csv" >/dev/null || fail "session load"
	local i talkers=
	for ((i = 1; i <= PAIR_TALKERS; i++)); do
		talkers="$talkers $(bed_sub_v4 $i) $(bed_sub_v6 $i)"
	done
	for ((i = 1; i <= BED_WALKINS; i++)); do talkers="$talkers $(bed_walkin_v4 $i)"; done
	pair_talk talk "$talkers"
	eventually "every subscriber has a session" pair_has_sessions a
	eventually "every flow is answered" serves
	eventually "sessions and flows are the same on both" equal a
	say "   $(sessions a | wc -l) sessions, $(flows a | wc -l) flows"
}
pair_has_sessions() { [ "$(session_count "$1")" = $((BED_SUBSCRIBERS + BED_WALKINS)) ]; }

# Each address talks to the probe (a rule of addresses and ports) and asks for names (a rule of payload).
pair_talk() { # NAME "ADDRESS..."
	local probe names
	probe="$(bed_v4 70)/7007,$(bed_v6 70)/7007"
	names="$(bed_v4 50)/53,$(bed_v6 50)/53"
	if [ ! -e "$BED/serve.out" ]; then
		# shellcheck disable=SC2086
		bed_spawn serve srv python3 -S "$PAIR_LIB/talk.py" serve ${probe/,/ } ${names/,/ }
		eventually "the servers listen" pair_servers
	fi
	# shellcheck disable=SC2086
	bed_spawn "$1" ue python3 -S "$PAIR_LIB/talk.py" talk "$BED/$1.status" "$probe,$names" $2
}
pair_servers() { [ "$(bed_in srv ss -Hlun | grep -Ec ':(53|7007) ')" = 4 ]; }

talk_status() { python3 -S "$PAIR_LIB/rows.py" "$1" <"$BED/${2:-talk}.status"; }
# True when every flow has got an answer to what it sent from now on. Bounded by itself.
serves() { # [NAME]
	local from
	[ -s "$BED/${1:-talk}.status" ] || return
	from=$(talk_status round "$1")
	until_true 10 pair_answered "$from" "$1"
}
pair_answered() { [ "$(talk_status least "$2")" -gt "$1" ]; }

# --- a peer that lies ---------------------------------------------------------------------------

liar_begin() { # KEY=VALUE...: of its HELLO; it takes the place of B, with its certificate
	coproc LIAR { exec ip netns exec "${BED_PREFIX}b" python3 -S "$PAIR_LIB/peer.py" \
		10.3.0.3 10.3.0.2 4711 "$BED/b.pem" "$BED/b.key" "$BED/pair.pem" "$@" 2>"$BED/liar.out"; }
	local answer
	read -r -t 20 answer <&"${LIAR[0]}" && [ "$answer" = ready ] ||
		fail "the lying peer: $(cat "$BED/liar.out")"
}

liar() { # COMMAND...: see peer.py; its answer is in $answer
	echo "$*" >&"${LIAR[1]}"
	read -r -t 60 answer <&"${LIAR[0]}" || fail "the lying peer, $*: $(cat "$BED/liar.out")"
}

answers() { # REGULAR-EXPRESSION COMMAND...
	local want=$1
	shift
	liar "$@"
	[[ $answer =~ $want ]] || {
		say "   $*: $answer"
		return 1
	}
}

# --- its ends -----------------------------------------------------------------------------------

# What each test asserts at its end: nothing died but what the test killed, and no sanitizer spoke.
pair_ends() {
	local n
	n=$(cat "$BED/a.log" "$BED/b.log" | grep -c 'is dead and is started again')
	[ "$n" = "$PAIR_DEATHS" ] || fail "$n tasks died, the test killed $PAIR_DEATHS"
	! grep -hE 'AddressSanitizer|LeakSanitizer|runtime error:' "$BED/a.log" "$BED/b.log" ||
		fail "a sanitizer has spoken"
	say "PASS"
	exit 0
}

pair_state() { # CHASSIS: for the reader of a failure
	timeout 5 "$BED_CHASSISCTL" -s "$BED/$1.sock" -c 'show srp info' | grep -E 'State|Connected|Reason'
	timeout 5 "$BED_CHASSISCTL" -s "$BED/$1.sock" -c 'show srp replica' |
		grep -E 'Instance|Complete|Dirty|Inflight|Refused|Objects|Digest|Verified'
	timeout 5 "$BED_CHASSISCTL" -s "$BED/$1.sock" -c 'show task resources'
} 2>/dev/null

pair_end() {
	local status=$? c
	trap - EXIT
	trap '' HUP INT TERM
	if [ "$status" != 0 ] && [ "$status" != 77 ]; then
		for c in a b; do
			pair_state $c
			[ ! -s "$BED/$c.log" ] || sed "s/^/  $c| /" "$BED/$c.log" | tail -n 60
		done
	fi
	for c in a b; do bed_chassis_kill $c; done
	! declare -F at_end >/dev/null || at_end # what the test itself has to undo
	bed_remove 2>/dev/null
	exit "$status"
}
