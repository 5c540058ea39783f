#!/bin/bash
# The grammar of the active-charging service, read from its tables: every command with its arguments at
# their limits, its `no` and `default` forms, in its mode; what is past the limits, too long, too much or
# in another mode is refused, and the line of the file is named. What was entered is printed, and what was
# printed gives the same configuration again. Cases name the statements of the flow recovery chapter.
. "$(dirname "$0")/lib/pair.sh"
pair_begin

echo 'flow-recovery' >"$BED/features"
chmod 600 "$BED/features"
grammar() { python3 -S "$PAIR_LIB/grammar.py" "$@"; }
tests() { timeout 60 "$BED_CHASSISD" -t -c "$1"; }

# --- files ---------------------------------------------------------------------------------------

mkdir "$BED/lines"
check "the tables are read" grammar "$BED/lines" "$BED/features" "${CC:-cc}"
check "every command loads, at its limits (FR-098, FR-099, FR-104, FR-106, FR-107, FR-116, FR-117, FR-120, FR-122)" \
	tests "$BED/lines/good.cfg"

refused_lines() { # FILE
	tests "$1" 2>&1 | grammar --refused "${1%.cfg}.json"
}
for file in "$BED"/lines/bad-*.cfg; do
	refused_lines "$file" || fail "lines of $file are not refused as they should be"
done
say "ok: what is past a limit, too long, of another mode or not provided is refused with its line (FR-067, FR-068, FR-071, FR-104, FR-110, FR-120, FR-122)"

# --- what is printed -----------------------------------------------------------------------------

shell() { timeout 20 "$BED_CHASSISCTL" -s "$BED/a.sock" "$@"; }
answering() { shell -c 'show version' | grep -q Version; }
starts_with() { # FILE
	cp "$1" "$BED/a.cfg" && bed_chassis_start a
	eventually "it starts" answering
}
starts_with "$BED/lines/good.cfg"
shell -c 'show configuration' >"$BED/printed.cfg"
check "what was entered is printed; what was taken back is not (FR-100, FR-114, FR-116, FR-120)" \
	grammar --printed "$BED/lines" "$BED/printed.cfg"
check "what was printed loads" tests "$BED/printed.cfg"
bed_chassis_stop a

# The sample of the chapter as it is printed there, with a rule of its name in front.
{
	printf '%s\n' configure "license key-file $BED/features" 'active-charging service s1' 'ruledef rule01' \
		'http host = a.example' '#exit' 'charging-action ca' '#exit' 'rulebase rb' \
		'action priority 1 ruledef rule01 charging-action ca' '#exit' '#exit' end
	cat <<-'SAMPLE'
		configure 
		   active-charging service s1 
		      trigger-action ta1 
		         flow-recovery 
		      #exit 
		      trigger-condition tc1 
		         rule-name = rule01 
		         delay = 600 
		      #exit 
		      service-scheme ss1 
		          trigger flow-create 
		             priority 1 trigger-condition tc1  trigger-action ta1 
		          #exit 
		      #exit 
		   end 
	SAMPLE
} >"$BED/sample.cfg"
check "FR-090: the sample of the chapter loads as printed" tests "$BED/sample.cfg"
starts_with "$BED/printed.cfg"
check "the same is printed again" diff "$BED/printed.cfg" <(shell -c 'show configuration')

# --- at the shell --------------------------------------------------------------------------------

tell() { # LINE...
	out=$(printf '%s\n' "$@" | shell 2>&1)
	status=$?
}
told() { grep -qE -- "$1" <<<"$out"; }
enter() { tell configure 'active-charging service s1' "$@" end; }
shows() { shell -c "$1" 2>/dev/null | grep -Eq -- "$2"; } # COMMAND EXTENDED-REGULAR-EXPRESSION
accepts() { # TEXT LINE...
	local text=$1
	shift
	enter "$@"
	[ $status = 0 ] || fail "$text: $out"
	say "ok: $text"
}
refuses() { # TEXT REASON LINE...
	local text=$1 reason=$2
	shift 2
	enter "$@"
	{ [ $status = 1 ] && told "^Failure: .*$reason"; } || fail "$text: status $status: $out"
	say "ok: $text: $(grep -m 1 '^Failure:' <<<"$out")"
}

accepts "FR-098: trigger-action opens" 'trigger-action fr' 'flow-recovery' exit
check "FR-099, FR-152: flow-recovery is shown as enabled" \
	shows 'show active-charging trigger-action name fr' 'Flow recovery: +Enabled'
accepts "FR-100: no flow-recovery" 'trigger-action fr' 'no flow-recovery' exit
check "FR-100, FR-152: ... is shown as disabled" \
	shows 'show active-charging trigger-action name fr' 'Flow recovery: +Disabled'
accepts "FR-098: no trigger-action" 'no trigger-action fr'
check "FR-098: ... is gone" refused shows 'show active-charging trigger-action all' 'Name: +fr$'
refuses "FR-104: a delay of 0 s" '1 to 600' 'trigger-condition fr' 'delay = 0' exit
refuses "FR-104: a delay of 601 s" '1 to 600' 'trigger-condition fr' 'delay = 601' exit
many=()
for ((i = 1; i <= 15; i++)); do many+=("rule-name contains part$i"); done
accepts "FR-111: fifteen entries" 'trigger-condition fr' "${many[@]}" exit
refuses "FR-111: one more" '15' 'trigger-condition fr' 'rule-name = more' exit
check "FR-111: the first fifteen are in force" [ \
	"$(shell -c 'show configuration' | sed -n '/trigger-condition fr$/,/#exit/p' | grep -c rule-name)" = 15 ]
accepts "FR-111: delay is none of them" 'trigger-condition fr' 'delay = 5' exit
check "FR-153: the delay is shown" shows 'show active-charging trigger-condition name fr' \
	'Trigger Action Delay: +5$'
check "FR-154: each entry is shown" shows 'show active-charging trigger-condition name fr' \
	'Rule-name/GOR: +contains part1, .*contains part15$'
accepts "FR-114: an entry is removed in its own form" 'trigger-condition fr' 'no rule-name contains part1' exit
refuses "FR-114: ... and in no other" 'no such rule-name' 'trigger-condition fr' 'no rule-name = part2' exit
accepts "FR-109: a rule that is not known" 'trigger-condition fr' 'rule-name = dyn1' exit
check "FR-109: is named by show configuration errors" shows 'show configuration errors' \
	'Rule-name = <dyn1> of trigger-condition <fr> matches no ruledef'
check "FR-103: a condition without flow-recovery is named too" shows 'show configuration errors' \
	'Trigger-condition <fr> is not used'

# What makes flow recovery do nothing is named, and nothing that does not.
accepts "rules that are eligible in vain" 'ruledef gm' 'tcp dst-port = 81' exit 'ruledef els' 'tcp dst-port = 82' \
	exit 'ruledef l7' 'http host = a.example' exit 'ruledef pp' 'rule-application post-processing' \
	'ip version = ipv4' exit 'group-of-ruledefs gg' 'add-ruledef priority 1 ruledef gm' \
	'add-ruledef priority 2 ruledef pp' exit \
	'group-of-ruledefs none' exit 'charging-action ec' exit 'rulebase er' \
	'action priority 1 group-of-ruledefs gg charging-action ec' 'action priority 2 ruledef l7 charging-action ec' \
	'action priority 3 group-of-ruledefs none charging-action ec' \
	'flow control-handshaking charge-to-application initial-packets' exit 'rulebase eo' \
	'action priority 1 ruledef els charging-action ec' exit 'trigger-action ea' 'flow-recovery' exit \
	'trigger-condition ec' 'rule-name = gm' 'rule-name = els' 'rule-name = l7' 'rule-name = none' \
	'any-match = FALSE' exit 'service-scheme es' 'trigger flow-create' \
	'priority 1 trigger-condition ec trigger-action ea' exit exit 'subs-class ek' 'rulebase = er' exit \
	'subs-class en' 'rulebase = er' 'rulebase = eo' exit 'subs-class eu' 'apn = nosuch' exit \
	'subscriber-base default' 'priority 1 subs-class ek bind service-scheme es' \
	'priority 2 subs-class ek bind service-scheme es' 'priority 3 subs-class en bind service-scheme es' \
	'priority 4 subs-class eu bind service-scheme es' exit
while read -r finding; do
	check "named: $finding" [ "$(shell -c 'show configuration errors' | grep -cF -- "$finding")" = 1 ]
done <<-'LINES'
	Rule-name = <gm> of trigger-condition <ec> matches only members of group-of-ruledefs
	"any-match = FALSE" of trigger-condition <ec> holds for no rule.
	Subs-class <en> holds for no subscriber: its lines cannot be met together
	APN <nosuch> of subs-class <eu> is not configured.
	Subs-class <ek> of subscriber-base <default>, priority 2, is never looked at
	Rule <l7> of rulebase <er> is eligible for flow recovery and looks at L7, but the rulebase has no delay charging of acknowledgements in mid-session
	Ruledef <pp> of group-of-ruledefs <gg> is of another rule-application
LINES
accepts "... and a class that holds for one rulebase only" 'subscriber-base default' 'no priority 4' exit
check "... leaves the rules of the other in vain" shows 'show configuration errors' \
	'Rule-name = <els> of trigger-condition <ec> matches no rule that an action priority names'
check "... and nothing is said of the empty group but that it is empty" [ \
	"$(shell -c 'show configuration errors' | grep -c '<none>')" = 1 ]
check "findings are errors or warnings to programs" shows 'show configuration errors | json' '"kind":"warning"'
accepts "... all of it is taken back" 'no subscriber-base default' 'no subs-class ek' 'no subs-class en' \
	'no subs-class eu' 'no service-scheme es' 'no trigger-condition ec' 'no trigger-action ea' 'no rulebase er' \
	'no rulebase eo' 'no group-of-ruledefs gg' 'no group-of-ruledefs none' 'no ruledef gm' 'no ruledef els' \
	'no ruledef l7' 'no ruledef pp' 'no charging-action ec'
refuses "FR-110: an empty name" '1 to 63' 'trigger-condition fr' 'rule-name = ""' exit
refuses "FR-120: system-limit is of the service" 'expected' 'trigger-condition fr' \
	'system-limit flow-chkpt-per-call 5' exit
refuses "FR-122: a limit of 301" '1 to 300' 'system-limit flow-chkpt-per-call 301'
accepts "FR-123: no limit is the default" 'system-limit flow-chkpt-per-call 300' \
	'no system-limit flow-chkpt-per-call'
check "FR-123: ... of 10" shows 'show configuration' '^ *system-limit flow-chkpt-per-call 10$'
for what in egcdr radius rf; do
	refuses "FR-067, FR-068, FR-071: $what is not provided" "$what is not" 'rulebase fr' \
		"billing-records $what" exit
done

# What is not provided is known, and its `no` does nothing.
while IFS=: read -r mode line; do
	refuses "not provided: $line" 'is not provided: ' "$mode" "$line"
done <<-'LINES'
	rulebase fr:tcp check-window-size
	rulebase fr:cca quota retry-time 60
	rulebase fr:credit-control-group g
	rulebase fr:egcdr threshold interval 60
	rulebase fr:tcp mss 1300 limit-if-present
	ruledef fr:sip any-match = TRUE
	ruledef fr:p2p app-identifier tls-cname = x
	ruledef fr:ip dst-address = address-group 2001:*
	ruledef fr:bearer 3gpp sgsn-address = 192.0.2.1
	group-of-ruledefs fg:group-of-ruledefs-application content-filtering
LINES
refuses "segments are not held back" 'after-reordering is not provided' 'rulebase fr' \
	'tcp packets-out-of-order transmit after-reordering'
accepts "... which is what immediately says" 'rulebase fr' 'tcp packets-out-of-order transmit immediately' \
	'no tcp check-window-size' exit
accepts "what a group is for" 'group-of-ruledefs fa' 'group-of-ruledefs-application post-processing' exit
check "... printed" shows 'show active-charging group-of-ruledefs name fa' '^  group-of-ruledefs-application post-processing$'
accepts "... and taken back" 'group-of-ruledefs fa' 'no group-of-ruledefs-application' exit 'no group-of-ruledefs fa'
accepts "what is detected" 'p2p-detection protocol all' 'p2p-detection behavioral voip video' \
	'no p2p-detection behavioral video'
check "... printed" [ "$(shell -c 'show configuration' | grep -cE '^ +p2p-detection (protocol all|behavioral voip)$')" = 2 ]
accepts "... and taken back" 'no p2p-detection protocol all' 'no p2p-detection behavioral all'
accepts "lines that do nothing are kept" 'rulebase fa' 'action priority 1 timedef night ruledef fa charging-action fa' exit \
	'trigger-action fa' 'step-up' 'step-down by-one' exit
check "... printed" [ "$(shell -c 'show configuration' | grep -cE \
	'^ +(action priority 1 timedef night ruledef fa charging-action fa|step-down by-one)$')" = 2 ]
check "... and named" [ "$(shell -c 'show configuration errors' | grep -cE \
	'Timedef <night> of rulebase <fa>, action priority 1, is not configured: the line is in force at all times|"step-(up|down by-one)" of trigger-action <fa> has no effect')" = 3 ]
accepts "... and taken back" 'no rulebase fa' 'no trigger-action fa'
accepts "times of day and of the week" 'timedef td' 'start time 8 0 0 end time 17 59 59' \
	'start day friday time 18 0 0 end day monday time 7 59 59' 'no start time 8 0 0 end time 17 59 59' exit
check "... shown" shows 'show active-charging timedef name td' \
	'^  start day friday time 18 0 0 end day monday time 7 59 59$'
check "... and named where nobody names it" shows 'show configuration errors' 'Timedef <td> is not used in any rulebase'
accepts "... and taken back" 'no timedef td'
accepts "FR-104: default delay" 'trigger-condition fd' 'delay = 5' 'default delay' exit
accepts "FR-100: default flow-recovery" 'trigger-action fd' 'flow-recovery' 'default flow-recovery' exit
check "FR-100: ... takes it back" shows 'show active-charging trigger-action name fd' 'Flow recovery: +Disabled'

# The service is opened and removed from Exec mode too.
tell 'active-charging service s1' 'ruledef fromexec' 'ip any-match = TRUE' end
[ $status = 0 ] || fail "the service from Exec mode: $out"
check "the service is opened from Exec mode" shows 'show active-charging ruledef name fromexec' 'ip any-match = TRUE'
tell 'active-charging service s2'
{ [ $status = 1 ] && told 'Failure: .*there is one service only'; } || fail "a second service: $out"
tell 'no active-charging service s2'
{ [ $status = 1 ] && told 'Failure: .*expected the name of the service'; } || fail "another service is removed: $out"
check "... it is there still" shows 'show configuration' 'active-charging service s1'

# Each mode has its prompt.
timeout 30 python3 -S - "$BED_CHASSISCTL" "$BED/a.sock" <<'PYTHON' || fail "the prompts of the modes"
import os
import pty
import sys

pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "-s", sys.argv[2]])
seen = b""


def until(text):
    global seen
    while text.encode() not in seen:
        seen += os.read(fd, 4096)
    seen = seen[seen.index(text.encode()) + len(text):]


def say(line, mode):
    os.write(fd, (line + "\n").encode())
    until(line)
    until(f"({mode})# " if mode else "# ")


say("configure", "config")
say("active-charging service s1", "config-acs")
for line, mode in (("ruledef p", "config-acs-ruledef"), ("group-of-ruledefs q", "config-acs-group-of-ruledefs"),
                   ("rulebase p", "config-rule-base"), ("charging-action p", "config-charging-action"),
                   ("bandwidth-policy p", "config-bandwidth-policy"),
                   ("qos-group-of-ruledefs p", "config-qos-group"),
                   ("packet-filter p", "config-packet-filter"), ("edr-format p", "config-acs-edr"),
                   ("trigger-action p", "config-acs-trig-action"),
                   ("trigger-condition p", "config-acs-trig-condn"),
                   ("subs-class p", "config-acs-subsclass"), ("subscriber-base p", "config-subscriber-base")):
    say(line, mode)
    say("exit", "config-acs")
say("service-scheme p", "config-acs-servscheme")
say("trigger flow-create", "config-servscheme-trigger")
say("exit", "config-acs-servscheme")
say("end", "")
os.write(fd, b"exit\n")
os.waitpid(pid, 0)
PYTHON
say "ok: FR-098, FR-116: each mode has its prompt"

# --- shows ---------------------------------------------------------------------------------------

accepts "a charging-action" 'charging-action shown' 'content-id 7' \
	'flow limit-for-bandwidth direction uplink peak-data-rate 512000 peak-burst-size 48000' exit
for expected in 'Charging Action Name: shown' 'Content ID: 7' 'Limit For Uplink Bandwidth: Enabled' \
	'Peak Data Rate : 512000 bits/second' 'Peak Burst Size: 48000 bytes' 'Violate Action : Discard' \
	'EDRs: Disabled' 'EGCDRs: Disabled' 'Rf: Disabled' 'UDRs: Enabled' 'Flow Idle Timeout: 300 \(secs\)' \
	'Limit For Flow Type: Disabled' 'Redirect URL: Disabled' 'Discard: Disabled' 'Rulebase Change: Disabled' \
	'Terminate-Flow: Disabled' 'Charge Volume: ip bytes'; do
	check "show charging-action: $expected" shows 'show active-charging charging-action name shown' \
		"^ *$expected\$"
done
accepts "a rulebase" 'ruledef plain' 'ip any-match = TRUE' exit 'rulebase shown' \
	'action priority 5 dynamic-only ruledef plain charging-action shown' 'dynamic-rule order first-if-tied' exit
check "show rulebase: its lines" shows 'show active-charging rulebase name shown' \
	'^shown +5 ruledef +plain +shown +dynamic-only'
check "show rulebase: its commands" shows 'show active-charging rulebase name shown' \
	'Dynamic Rule Order: first-if-tied'
accepts "rules that do not charge by themselves" 'ruledef posted' 'rule-application post-processing' \
	'ip any-match = TRUE' exit 'group-of-ruledefs grouped' 'add-ruledef priority 1 ruledef plain' exit
statistics() { shell -c "show active-charging ruledef statistics $1"; }
check "ruledef statistics all charging has ruledefs that charge" grep -q '^plain ' <<<"$(statistics 'all charging')"
check "... and no others" refused grep -Eq '^(posted|grouped) ' <<<"$(statistics 'all charging')"
check "... in total neither" [ "$(statistics 'all charging' | sed -n 's/^Total Ruledef(s) : //p')" = \
	"$(($(shell -c 'show active-charging ruledef charging' | sed -n 's/^Total Ruledef(s): //p')))" ]
check "ruledef statistics all has all" [ "$(statistics all | grep -Ec '^(plain|posted|grouped) ')" = 3 ]
check "show ruledef" shows 'show active-charging ruledef name plain' 'ip any-match = TRUE'
accepts "a packet filter" 'packet-filter shown' 'ip remote-port = 80' exit
accepts "what else has a name" 'host-pool hp' 'ip 192.0.2.0/24' exit 'port-map pm' 'port 80' exit 'subs-class sk' \
	'any-match = TRUE' exit 'subscriber-base sb' 'priority 3 subs-class sk bind service-scheme nosuch' exit \
	'xheader-format xf' 'insert x-a string-constant b' exit 'imsi-pool ip' 'imsi range 26201 to 26209' exit
while IFS=: read -r kind name line; do
	check "show $kind" shows "show active-charging $kind name $name" "^  $line\$"
done <<-'LINES'
	group-of-ruledefs:grouped:add-ruledef priority 1 ruledef plain
	host-pool:hp:ip 192.0.2.0/24
	port-map:pm:port 80
	imsi-pool:ip:imsi range 26201 to 26209
	subs-class:sk:any-match = TRUE
	subscriber-base:sb:priority 3 subs-class sk bind service-scheme nosuch
	xheader-format:xf:insert x-a string-constant "b"
LINES
check "show service has every limit and timer" [ "$(shell -c 'show active-charging service' | grep -cE \
	'^(L4 Flows Per Sessmgr: +No limit|Accounting Sync Timer (ICSR|SR): +Each second|ALG Media Idle Timeout: +120)')" = 4 ]
check "show packet-filter" shows 'show active-charging packet-filter name shown' 'ip remote-port = 80'
accepts "a format of records" 'edr-format shown' 'attribute sn-end-time priority 1' exit
check "show edr-format" shows 'show active-charging edr-format name shown' 'attribute sn-end-time format seconds'
for kind in charging-action rulebase ruledef packet-filter edr-format udr-format group-of-ruledefs host-pool port-map imsi-pool timedef \
	subs-class subscriber-base xheader-format; do
	check "an unknown $kind is refused, and nothing else is said" [ \
		"$(shell -c "show active-charging $kind name nobody" 2>&1)" = 'Failure: there is none of that name' ]
done
tell 'no active-charging service s1 -noconfirm'
[ $status = 0 ] || fail "the service is removed from Exec mode: $out"
check "the service is removed from Exec mode" refused shows 'show configuration' 'active-charging service'
bed_chassis_stop a
