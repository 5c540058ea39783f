#!/bin/bash
# Configuration at the shell: feature keys, session recovery required and taken back, save and reload,
# in service and out of service; what is refused, and that nothing changed then. Each check names the
# statement of the session recovery chapter that it is of (chassis-requirements(7)).
. "$(dirname "$0")/lib/pair.sh"
BED_SR_SESSIONS=2000 BED_SR_FLOWS=6000
pair_begin

keys() { # FILE LINE...
	local file=$BED/$1
	shift
	printf '%s\n' "$@" >"$file"
	chmod 600 "$file" # the tasks could not read it
}
keys features '# of the bed' session-recovery 'flow-recovery expires 2999-12-31'
keys others flow-recovery
keys ended 'session-recovery expires 2001-01-01'
keys spoilt flow-recovery 'session-recovery expires never'

# --- one chassis --------------------------------------------------------------------------------

shell() { timeout 20 "$BED_CHASSISCTL" -s "$BED/a.sock" "$@"; }
tell() { # LINE...: as a script; what is said is in $out, how it ended in $status
	out=$(printf '%s\n' "$@" | shell 2>&1)
	status=$?
}
enter() { tell configure "$@" end; }
told() { grep -qF -- "$1" <<<"$out"; } # for check
of() { shell -c "$1" 2>/dev/null; }
shows() { of "$1" | grep -Eq -- "$2"; } # COMMAND EXTENDED-REGULAR-EXPRESSION
answering() { of 'show version' | grep -q Version; }

tasks() { ps -o args= -p "$(ip netns pids "$(bed_ns a)" | paste -sd,)" | grep -c "$1"; }
mirrored() { [ "$(tasks 'aaamgr:[0-9]')" = "$1" ]; } # INSTANCES
no_mirror() { [ "$(tasks 'aaamgr\|standby')" = 0 ]; }
pid_of() {
	ps -o pid=,args= -p "$(ip netns pids "$(bed_ns a)" | paste -sd,)" | awk -v t="$1" '$3 == t {print $1}'
}
overall() { of 'show session recovery status' | sed -n 's/^ *Overall Status *: //p'; }
ready() { [ "$(overall)" = "Ready For Recovery" ]; }
enabled() { [ -n "$(overall)" ] && [ "$(overall)" != "Session Recovery Is Not Enabled" ]; }
off() { [ "$(overall)" = "Session Recovery Is Not Enabled" ]; }

starts_with() { # FILE: of the bed
	cp "$BED/$1" "$BED/a.cfg" && bed_chassis_start a
	eventually "the chassis is up" answering
}
stops() { bed_chassis_stop a; }

reloads() { # TEXT COMMAND...: succeeds, and the chassis has begun again
	local text=$1 before
	before=$(pid_of sct)
	shift
	"$@" || fail "$text: $out"
	eventually "$text" began_again "$before"
}
began_again() { local now; now=$(pid_of sct) && [ -n "$now" ] && [ "$now" != "$1" ] && answering; }
confirmed() { # ANSWER
	tell reload "$1"
	told 'Are you sure? [Yes|No]:' && [ $status = 0 ]
}
without_question() {
	tell 'reload -noconfirm'
	! told 'Are you sure' && [ $status = 0 ]
}

# Nothing that is configured has changed since `note`.
note() { of 'show configuration' >"$BED/noted"; }
unchanged() { of 'show configuration' | diff "$BED/noted" - >&2; }

refuses() { # TEXT REASON LINE...: of configuration mode
	local text=$1 reason=$2
	shift 2
	note
	enter "$@"
	[ $status = 1 ] && grep -q "^Failure: .*$reason" <<<"$out" ||
		fail "$text: status $status: $out"
	unchanged || fail "$text: the configuration changed"
	say "ok: $text: $(grep -m 1 '^Failure:' <<<"$out")"
}

# --- out of service -----------------------------------------------------------------------------

printf 'configure\nend\n' >"$BED/empty.cfg"
starts_with empty.cfg

say "No key (SR-01, SR-18, SR-19)"
check "SR-01: a fresh start mirrors nothing" no_mirror
check "SR-01: the status says not enabled" off
check "SR-18: the feature is shown as Disabled" \
	shows 'show license info' '^[^ ]+ +0 Session Recovery .*Disabled'
check "SR-18: no key, no good status" refused shows 'show license info' 'License Status +Good'
refuses "SR-19: it is refused without a key" 'its key is not installed' 'require session recovery'
refuses "SR-19: ... with the key of another feature" 'its key is not installed' \
	"license key-file $BED/others" 'require session recovery' "no license key-file"
refuses "SR-19: ... with a key that has ended" 'its key has expired' \
	"license key-file $BED/ended" 'require session recovery' "no license key-file"
refuses "a file of keys with a bad line is refused whole" 'line 2: ' "license key-file $BED/spoilt"
refuses "one that is not there" 'No such file' "license key-file $BED/absent"
refuses "one that is no file" 'plain file' "license key-file $BED"
refuses "one that is not named whole" 'begins with /' "license key-file features"

say "The key, and no command (SR-14, SR-18)"
enter "license key-file $BED/features"
check "the key is taken" [ $status = 0 ]
check "SR-18: the feature is shown as Enabled" \
	shows 'show license info' '^[^ ]+ +1 Session Recovery .*Enabled'
check "SR-18: the status is good" shows 'show license info' 'License Status +Good \(Redundant\)$'
check "an end is shown" shows 'show license info' 'Flow Recovery +2999-12-31 +Enabled'
tell 'save configuration -noconfirm'
reloads "it is there after a reload" without_question
check "the key stands in the file" grep -q "^  license key-file \"$BED/features\"" "$BED/a.cfg"
check "SR-14: it is off all the same" off
check "SR-14: nothing is mirrored" no_mirror

say "Where the command is known (SR-20)"
refuses "SR-20: not in Exec mode" 'Unknown command' end 'require session recovery' configure
refuses "SR-20: not in a context" "at 'require'" 'context x' 'require session recovery'
refuses "SR-20: not in the service" "at 'require'" 'active-charging service s' 'require session recovery' \
	exit 'no active-charging service s'

say "Out of service, without contexts (SR-13, SR-16, SR-17, SR-20..SR-24)"
check "SR-17: there is no context" refused shows 'show configuration' '^  context'
enter 'require session recovery'
check "SR-20: it is accepted" [ $status = 0 ]
check "SR-16: the shell says when it acts" told 'takes effect after `save configuration` and `reload`'
check "SR-20: it is in the configuration" shows 'show configuration' '^  require session recovery$'
check "SR-16: nothing is mirrored yet" no_mirror
check "SR-16: the status says so" off
enter 'require session recovery'
check "what is configured already changes nothing" [ $status = 0 -a -z "$out" ]

reloads "SR-21: a reload without save" confirmed yes
check "... is told what it loses" told 'not saved are lost'
check "SR-21: it is not enabled then" off
check "SR-21: and not configured" refused shows 'show configuration' 'require session recovery'

enter 'require session recovery' "session-recovery reserve sessions $BED_SR_SESSIONS flows $BED_SR_FLOWS"
tell 'save configuration' yes
check "a save over a file asks" told 'Are you sure? [Yes|No]:'
check "it is saved" grep -q '^  require session recovery$' "$BED/a.cfg"
reloads "SR-21: a reload with save" confirmed yes
eventually "SR-13, SR-24: ready for recovery, with no command between" ready
check "SR-22: an aaamgr beside each sessmgr" mirrored 2
check "SR-22: and the standby-mode tasks" [ "$(tasks standby)" = 2 ]

say "What confirms a reload (SR-26, SR-27)"
supervisor=$(pid_of supervisor)
for answer in no '' maybe yesterday 'yes please' -yes; do
	before=$(pid_of sct)
	tell reload "$answer"
	check "SR-26: it asks" told 'Are you sure? [Yes|No]:'
	check "SR-27: '$answer' does not confirm, and it is said" told 'Failure: not confirmed: nothing was done'
	check "SR-27: nothing was done" [ $status = 1 -a "$(pid_of sct)" = "$before" ]
done
out=$(shell -c reload </dev/null 2>&1)
check "SR-27: nor does the end of the input" told 'not confirmed'
for answer in Yes y YES; do
	reloads "SR-27: '$answer' restarts" confirmed "$answer"
done
reloads "SR-26: with -noconfirm there is no question" without_question
automatic() { tell autoconfirm reload; ! told 'Are you sure' && [ $status = 0 ]; }
reloads "SR-26: nor with autoconfirm" automatic
check "the process is the same" [ "$(pid_of supervisor)" = "$supervisor" ]

say "Switched off again (SR-30, SR-31)"
eventually "it is ready" ready
enter 'no require session recovery'
check "SR-30: it is gone from the configuration" refused shows 'show configuration' 'require session'
check "SR-31: the shell says that a reload is needed" told 'takes effect after `save configuration` and `reload`'
check "SR-31: the mirrors still work" ready
check "SR-31: and are there" mirrored 2
tell 'save configuration -noconfirm'
reloads "a reload" without_question
check "SR-31: they are gone" no_mirror
check "SR-30: the status is as configured" off
stops

# --- in service ---------------------------------------------------------------------------------

say "In service (SR-13, SR-25)"
bed_config a
grep -v '^  license key-file ' "$BED/a.cfg" >"$BED/service.cfg" # the keys of this test stand in their place
sed "s|^configure\$|&\n  license key-file $BED/features|" "$BED/service.cfg" >"$BED/licensed.cfg"
starts_with licensed.cfg
eventually "it is active" is a Active
tell 'session add imsi 1 apn internet ip-address 10.45.0.1'
check "it serves a session" [ "$(session_count a)" = 1 ]
check "SR-14: the key is there, and the feature is off" eval '
	shows "show license info" " 1 Session Recovery .*Enabled" && off'
kill -9 "$(pid_of sessmgr:1)" "$(pid_of sessmgr:2)"
PAIR_DEATHS=$((PAIR_DEATHS + 2))
successors() { [ "$(starts a sessmgr 1) $(starts a sessmgr 2)" = "2 2" ]; }
eventually "the session managers start again" successors
eventually "SR-14: no mirror gives the session back" eval '[ "$(session_count a)" = 0 ]'
tell 'session add imsi 1 apn internet ip-address 10.45.0.1'
check "it serves another one" [ "$(session_count a)" = 1 ]
enter 'require session recovery'
check "accepted" [ $status = 0 ]
check "the session is undisturbed" [ "$(session_count a)" = 1 ]
tell "save configuration $BED/other.cfg"
check "to a file that is not there no question" [ $status = 0 -a -s "$BED/other.cfg" ]
tell "save configuration $BED/other.cfg" no
check "to one that is there: a question" told 'not confirmed'
cd / || fail "no root"
tell 'save configuration relative.cfg'
check "nor where the path begins beside the configuration" [ $status = 0 -a -s "$BED/relative.cfg" ]
check "(no question was asked)" refused told 'Are you sure'
tell 'save configuration relative.cfg' no
check "to one that is there: a question" told 'not confirmed'
ln -s a.cfg "$BED/link.cfg"
tell 'save configuration link.cfg' no
check "and to a link" told 'not confirmed'
tell 'save configuration -noconfirm'
first=$(grep -n 'require session recovery' "$BED/a.cfg" | cut -d: -f1)
check "SR-25: it stands before the first context and service" [ "$first" -lt \
	"$(grep -nE -m 1 '^  (context|active-charging service) ' "$BED/a.cfg" | cut -d: -f1)" ]
check "what was saved is what is shown" diff "$BED/a.cfg" <(of 'show configuration')
check "and it loads" bed_in a "$BED_CHASSISD" -t -c "$BED/a.cfg"
reloads "a reload" confirmed yes
eventually "SR-13: ready for recovery" ready
eventually "it is active" is a Active
check "the rest of the configuration is as it was" shows 'show configuration' 'ruledef web'

say "What may not be written"
key_sum=$(sha256sum <"$BED/a.key")
for path in "$BED/a.key" "$BED/features" /etc/chassis-saved.cfg "$BED/../outside.cfg"; do
	tell "save configuration $path -noconfirm"
	check "not over or to $path" [ $status = 1 ]
done
say "A file of keys that changes under the chassis"
of_keys() { shows 'show license info' "^    Key File State +$1\$"; }
check "it is as it was read" of_keys 'as it was read'
echo '# of later' >>"$BED/features"
eventually "a change is told" of_keys 'changed since it was read: acts from the next reload on'
check "what acts is shown" shows 'show license info' '^[^ ]+ +1 Session Recovery .*Enabled'
mv "$BED/features" "$BED/features.away"
eventually "and that it is gone" of_keys 'gone since it was read: it is missed at the next reload'
mv "$BED/features.away" "$BED/features"
eventually "and that it is back, changed" of_keys 'changed since it was read: acts from the next reload on'
cp "$BED/features" "$BED/copy"
enter "license key-file $BED/copy"
check "another file acts when it is saved, and there is a reload" \
	of_keys 'entered: session recovery obeys it after .save configuration. and .reload.'
enter "license key-file $BED/features"
check "the key is what it was" [ "$(sha256sum <"$BED/a.key")" = "$key_sum" -a ! -e /etc/chassis-saved.cfg ]
check "a reload of a file that does not load is refused" eval '
	echo nonsense >>"$BED/a.cfg"
	before=$(pid_of sct)
	tell "reload -noconfirm"
	[ $status = 1 ] && told "a.cfg:" && told nonsense && [ "$(pid_of sct)" = "$before" ]'

# --- the shell's modes --------------------------------------------------------------------------

say "Modes, by line, script and terminal"
out=$(shell -c configure -c 'context y' -c 'apn z' -c 'timeout idle 5' -c '#exit' -c end -c 'show configuration')
check "the mode is kept between commands" told '    apn z'
out=$(shell -c $'configure\ncontext y\napn z2\nend')
check "a command may be several lines" shows 'show configuration' '    apn z2'
tell configure 'context y' 'apn z3'
check "the end of a script is an end" shows 'show configuration' '    apn z3'
check "a dead connection is not" eval '
	mkfifo "$BED/lines"
	{ "$BED_CHASSISCTL" -s "$BED/a.sock" <"$BED/lines" >"$BED/said" 2>&1 & }
	lost=$!
	exec 5>"$BED/lines"
	printf "configure\ncontext y\napn z4\nasdf\n" >&5
	until_true 10 grep -q Failure "$BED/said" && kill -9 $lost
	wait $lost 2>/dev/null
	exec 5>&-
	refused shows "show configuration" "apn z4"'
tell configure 'context y' 'ap?' 'apn ?'
check "help lists what follows" told 'apn '
check "with what it is" told 'a name of 1 to 63 characters'
refuses "a block that is not whole is not taken" 'dead-interval' 'context gateway' service-redundancy-protocol \
	'hello-interval 3600'
refuses "nor what lacks something" 'expected the name of a configured APN' 'context y' \
	'ip pool p 10.99.0.0/24 first-packet apn none'

check "of two operators the second one is told" eval '
	{ "$BED_CHASSISCTL" -s "$BED/a.sock" <"$BED/lines" >"$BED/said" 2>&1 & }
	exec 5>"$BED/lines"
	printf "configure\nsystem hostname first\nasdf\n" >&5
	until_true 10 grep -q Failure "$BED/said"
	enter "system hostname second"
	echo end >&5
	exec 5>&-
	until_true 10 grep -q "another operator changed the configuration" "$BED/said" &&
		shows "show configuration" "system hostname second"'

python3 -S - "$BED_CHASSISCTL" "$BED/a.sock" <<'PYTHON' || fail "at a terminal"
import os, pty, select, sys, time

pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "-s", sys.argv[2]])
seen = ""


def until(text):
    global seen
    end = time.monotonic() + 20
    while text not in seen:
        ready = select.select([fd], [], [], max(0, end - time.monotonic()))[0]
        if not ready:
            sys.exit(f"no {text!r} in {seen!r}")
        seen += os.read(fd, 4096).decode()
    seen = seen.split(text, 1)[1]


def say(line, then):
    os.write(fd, (line + "\n").encode())
    until(line)
    until(then)


until("[local]chassis-a# ")
say("configure", "[local]chassis-a(config)# ")
say("context gateway", "[gateway]chassis-a(config-ctx)# ")
say("service-redundancy-protocol", "[gateway]chassis-a(config-srp)# ")
say("nonsense", "Failure: ")
until("[gateway]chassis-a(config-srp)# ")
say("#exit", "[gateway]chassis-a(config-ctx)# ")
say("end", "[local]chassis-a# ")
say("reload", "Are you sure? [Yes|No]:")
say("nonsense", "not confirmed")
until("[local]chassis-a# ")
os.write(fd, b"exit\n")
until("exit")
if os.waitpid(pid, 0)[1]:
    sys.exit("the shell ends with a failure")
PYTHON
say "ok: at a terminal the prompt names context and mode"

note
kill -9 "$(pid_of sct)"
PAIR_DEATHS=$((PAIR_DEATHS + 1))
eventually "a successor of sct answers" answering
check "what was entered outlives the task" unchanged
stops

# --- an editor ----------------------------------------------------------------------------------

say "Written into the file (SR-28, SR-29)"
first_line() { sed "s|^configure\$|&\n  license key-file $BED/$1\n  require session recovery|" "$BED/service.cfg"; }
first_line features >"$BED/edited.cfg"
starts_with edited.cfg
eventually "SR-28: among the first lines it is enabled at the start" ready
stops

invalid() { # TEXT LINE REASON: bad.cfg is refused by a check and by a start
	local how out status
	for how in -t -f; do
		out=$(bed_in a timeout 20 "$BED_CHASSISD" -c "$BED/bad.cfg" -s "$BED/bad.sock" $how 2>&1)
		status=$?
		[ $status != 0 ] && [ $status != 124 ] || fail "$1: chassisd $how ends with $status"
		grep -q "bad.cfg:$2: .*$3" <<<"$out" || fail "$1: chassisd $how says: $out"
	done
	check "$1: $(grep -m 1 -o 'bad.cfg:.*' <<<"$out")" [ -z "$(ip netns pids "$(bed_ns a)")" ]
}
sed "s|^configure\$|&\n  license key-file $BED/features|; s|^  active-charging service |  require session recovery\n&|" \
	"$BED/service.cfg" >"$BED/bad.cfg"
invalid "SR-29: behind a context it is refused" "$(grep -n 'require session' "$BED/bad.cfg" | cut -d: -f1)" \
	"begins at line $(grep -n -m 1 '^  context ' "$BED/bad.cfg" | cut -d: -f1)"
sed 's|^  context gateway|  context local\n  #exit\n  require session recovery\n&|; s|^configure$|&\n  license key-file '"$BED"'/features|' \
	"$BED/service.cfg" >"$BED/local.cfg"
check "SR-29: behind the context local it is not" bed_in a "$BED_CHASSISD" -t -c "$BED/local.cfg"
first_line others >"$BED/bad.cfg"
invalid "SR-19: without the key it is refused in a file" 3 'its key is not installed'
first_line ended >"$BED/bad.cfg"
invalid "SR-19: so it is with a key that has ended" 3 'its key has expired'
first_line spoilt >"$BED/bad.cfg"
invalid "a bad file of keys names its line" 2 'line 2: '
first_line absent >"$BED/bad.cfg"
invalid "one that is not there" 2 'No such file'
pair_ends
