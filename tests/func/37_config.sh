#!/bin/bash
# A bad configuration is refused with its file, line, word and what was expected, by `chassisd -t` and by
# a start, and nothing is started.
. "$(dirname "$0")/lib/pair.sh"

pair_begin
bed_in a ip -o link | awk -F': ' '{print $2}' >"$BED/links"

# TEXT LINE EXPECTED...: of bad.cfg; each expected piece must be in the message
refused_with() {
	local text=$1 line=$2 how out status piece
	shift 2
	for how in -t -f; do
		out=$(bed_in a timeout 20 "$BED_CHASSISD" -c "$BED/bad.cfg" -s "$BED/bad.sock" $how 2>&1)
		status=$?
		[ $status != 0 ] && [ $status != 124 ] || fail "$text: chassisd $how ends with $status: $out"
		grep -q "bad.cfg:$line: " <<<"$out" || fail "$text: chassisd $how names no line $line: $out"
		for piece; do
			grep -qF -- "$piece" <<<"$out" || fail "$text: chassisd $how does not say '$piece': $out"
		done
	done
	say "ok: $text: $(grep -m 1 "bad.cfg:$line: " <<<"$out" | sed 's/.*bad.cfg/bad.cfg/')"
	check "nothing was started" [ -z "$(ip netns pids "$(bed_ns a)")" -a ! -e "$BED/bad.sock" ]
	check "nothing was made" diff "$BED/links" <(bed_in a ip -o link | awk -F': ' '{print $2}')
}

line_of() { grep -n -m 1 -- "$1" "$BED/bad.cfg" | cut -d: -f1; }

check "the configuration of the bed is valid" bed_in a "$BED_CHASSISD" -t -c "$BED/a.cfg"

sed '$d' "$BED/a.cfg" | sed '$d' >"$BED/bad.cfg" # the last `#exit` and `end`
refused_with "a block that is not closed" '[0-9]*' 'expected `end`' \
	"opened at line $(line_of '^  active-charging service') is not closed"

sed 's/^    ruledef web$/&\n      http hots = www.example.test/' "$BED/a.cfg" >"$BED/bad.cfg"
refused_with "an unknown keyword" "$(line_of hots)" hots expected host

sed 's/^      hello-interval .*/      hello-intervall msec 100/' "$BED/a.cfg" >"$BED/bad.cfg"
refused_with "an unknown command" "$(line_of hello-intervall)" hello-intervall

name=$(printf 'n%.0s' {1..64})
sed "s/^    ruledef web\$/    ruledef $name/" "$BED/a.cfg" >"$BED/bad.cfg"
refused_with "a name of 64 characters" "$(line_of "$name")" "$name" 63
sed "s/\\bweb\\b/${name%n}/g" "$BED/a.cfg" >"$BED/bad.cfg"
check "one of 63 is valid" bed_in a "$BED_CHASSISD" -t -c "$BED/bad.cfg"

sed 's/^      action priority 20 /      action priority 10 /' "$BED/a.cfg" >"$BED/bad.cfg"
refused_with "a priority that is used twice" "$(line_of 'priority 10 ruledef files')" \
	10 'priority 10 is held by ruledef web'

ruledefs() { # NUMBER: in addition to those of the bed
	awk -v n="$1" '{ print } /^  active-charging service/ {
		for (i = 1; i <= n; i++)
			printf "    ruledef many%d\n      udp either-port = %d\n    #exit\n", i, i }' "$BED/a.cfg"
}
have=$(grep -c '^    ruledef ' "$BED/a.cfg")
ruledefs $((2048 - have)) >"$BED/bad.cfg"
check "2048 ruledefs are valid" bed_in a timeout 60 "$BED_CHASSISD" -t -c "$BED/bad.cfg"
ruledefs $((2049 - have)) >"$BED/bad.cfg"
last=$(grep -n '^    ruledef ' "$BED/bad.cfg" | tail -n 1 | cut -d: -f1)
refused_with "2049 ruledefs" "$last" 2048

sed 's/^      dead-interval .*/      dead-interval msec 0/' "$BED/a.cfg" >"$BED/bad.cfg"
refused_with "a number outside its limits" "$(line_of 'dead-interval')" 0
sed 's/^      peer-ip-address .*/      peer-ip-address 10.3.0.256/' "$BED/a.cfg" >"$BED/bad.cfg"
refused_with "an address that is none" "$(line_of peer-ip-address)" 10.3.0.256

say "A file that is not there"
out=$(bed_in a "$BED_CHASSISD" -t -c "$BED/absent.cfg" 2>&1) && fail "an absent file is valid"
check "is named" grep -q "absent.cfg: .*No such file" <<<"$out"
pair_ends
