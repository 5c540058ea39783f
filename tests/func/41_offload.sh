#!/bin/bash
# TCP with segmentation offload: what the chassis reads as one super-packet is charged as the
# segments that are on the wire outside.
. "${0%/*}/lib/traffic.sh"
export BED_GRO=yes # the chassis' own devices put segments together; those of the hosts do not
t_begin

bed_config_charging() {
	cat <<-CONF
		  active-charging service ecs
		    ruledef four
		      ip version = ipv4
		    #exit
		    ruledef six
		      ip version = ipv6
		    #exit
		    charging-action count
		      content-id 1
		    #exit
		    rulebase gold
		      action priority 1 ruledef four charging-action count
		      action priority 2 ruledef six charging-action count
		    #exit
		  #exit
		end
	CONF
}
t_pair
t_python <<'END'
import os
from traffic import *

call = t.add("a", 1)
ue, srv = t.tap("ue", "ue0"), t.tap("srv", "srv0")
for name, sub, server in (("four", sub4(1), v4(60)), ("six", sub6(1), v6(60))):
    reads = t.counter("a", "tun_read")
    up = t.listen("srv", server, 5001)
    c, s = t.connect(up, "ue", sub)
    for one, other in ((c, s), (s, c)):
        push(one, other, os.urandom(3_000_001))
    for x in (c, s, up):
        x.close()

    def outside():
        return volume(ue.packets(peer=server), server)
    t.becomes(outside, lambda got: got == volume(srv.packets(peer=server), server),
              f"{name}: both hosts saw the same segments and bytes")
    t.check(max(p.size for p in ue.packets(peer=server)) <= 1500,
            f"{name}: all of them fit the link")
    t.becomes(lambda: t.rule("a", name), outside(),
              f"{name}: charged are those segments, to the byte")
    t.equal(t.volumes("a", callid=call).get(name), outside(), f"{name}: in the session too")
    reads = t.counter("a", "tun_read") - reads
    total = outside()[0] + outside()[2]
    t.check(reads < total, f"{name}: {total} segments were {reads} reads: some were super-packets")
t.end()
END
