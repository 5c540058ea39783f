/* commands: what sct asks other tasks to do (frame COMMAND): [id, command, args...]. */
#ifndef CHASSIS_TASK_COMMANDS_H
#define CHASSIS_TASK_COMMANDS_H

/* X(symbol, name, task, arguments) */
#define CHASSIS_COMMANDS(X) \
	X(SESSION_ADD, "session add", DEMUXMGR, "imsi, username, apn, v4 text, v6 text, rulebase, idle-timeout") \
	X(SESSION_DEL, "session delete", DEMUXMGR, "callid (0: all)") \
	X(SWITCHOVER, "srp initiate-switchover", VPNMGR, "force, timeout seconds") \
	X(VALIDATE, "srp validate-switchover", VPNMGR, "") \
	X(VALIDATE_CONFIG, "srp validate-configuration", VPNMGR, "") \
	X(AUDIT, "srp initiate-audit", SESSMGR, "") \
	X(FLOWS_CLEAR, "clear active-charging flows", SESSMGR, "callid (0: all)") \
	X(CONTROL, "session control", SESSMGR, "callid, begin") \
	X(RULE, "session rule", SESSMGR, "callid, operation, name, changed, precedence, status, bearer, qci, arp, mbr up, mbr down, content-id, rating-group, service-identifier, filters") \
	X(BEARER, "session bearer", SESSMGR, "callid, operation, id, changed, qci, arp, mbr up, mbr down, filters") \
	X(HANDOFF, "session handoff", SESSMGR, "callid, rat-type") \
	X(QUOTA, "session quota", SESSMGR, "callid, rating-group, bytes, redirect-url") \
	X(TRACE, "active-charging packet-trace", SESSMGR, "callid, on, imsi, rows") \
	X(UNSETTLE, "debug session unsettled", SESSMGR, "callid") \
	X(CLEAR_STATS, "clear statistics", SESSMGR, "")
#define X(sym, name, task, args) CHASSIS_CMD_##sym,
enum chassis_command { CHASSIS_COMMANDS(X) CHASSIS_CMD__N };
#undef X

/** Operations of RULE and BEARER. */
enum chassis_give { CHASSIS_GIVE_ADD, CHASSIS_GIVE_CHANGE, CHASSIS_GIVE_REMOVE, CHASSIS_GIVE_ACTIVATE,
                    CHASSIS_GIVE__N };
#define CHASSIS_SDF_TEXT 2600u /**< of all filters of a command, with its end */

#endif
