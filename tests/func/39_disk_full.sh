#!/bin/bash
# A full disk under the state file: the chassis starts, serves and switches over all the same, and says in
# its log that terms may repeat after a restart. Once there is room, terms are persisted again.
. "$(dirname "$0")/lib/pair.sh"

at_end() { umount "$BED/disk" 2>/dev/null; }

pair_begin
mkdir "$BED/disk"
mount -t tmpfs -o size=64k none "$BED/disk" || skip "cannot mount a tmpfs"
sed -i "s|^      state-file .*|      state-file $BED/disk/state|" "$BED/a.cfg"
head -c 100000 /dev/zero >"$BED/disk/filler" 2>/dev/null
check "the disk is full" [ "$(df --output=avail "$BED/disk" | tail -n 1)" -eq 0 ]
pair_start
eventually "A warned of it" logged a "warning: state file $BED/disk/state: No space left on device"
eventually "and raised an alarm" logged a 'alert: cannot persist the term'
pair_sessions
sessions a >"$BED/sessions"
term=$(info a term)
for to in b a; do
	check "a switchover to $to" bed_ctl "$(other $to)" 'srp initiate-switchover -noconfirm'
	eventually "$to is active, all is the same" equal $to
done
check "A took a new term" [ "$(info a term)" -gt "$term" ]
check "no session was lost" [ "$(sessions a)" = "$(cat "$BED/sessions")" ]
check "every flow is answered" serves

say "There is room again"
rm "$BED/disk/filler"
for to in b a; do
	check "a switchover to $to" bed_ctl "$(other $to)" 'srp initiate-switchover -noconfirm'
	eventually "$to is active, all is the same" equal $to
done
check "the term is persisted" [ -s "$BED/disk/state" ]
term=$(info a term)
bed_chassis_kill a
eventually "B is active" is b Active
bed_chassis_kill b # so that A cannot learn the term from it
mark a
bed_chassis_start a
eventually "A alone becomes active" is a Active
check "in a term above all that it had taken" [ "$(info a term)" -gt "$term" ]
check "without an alarm" refused logged a 'alert:'

say "A state file that is damaged, and one that cannot be made"
bed_chassis_kill a
printf 'garbage garbage ' | dd of="$BED/disk/state" conv=notrunc status=none
mark a
bed_chassis_start a
eventually "A becomes active" is a Active
eventually "and raised an alarm" logged a 'alert: the state file is damaged: terms begin anew'
bed_chassis_kill a
sed -i "s|^      state-file .*|      state-file $BED/absent/state|" "$BED/a.cfg"
mark a
bed_chassis_start a
eventually "A becomes active" is a Active
eventually "and warned" logged a "warning: state file $BED/absent/state: No such file or directory"
pair_ends
