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
	X(BEARER_CREATE, "session bearer create", SESSMGR, "callid, ebi, qci, arp") \
	X(BEARER_DELETE, "session bearer delete", SESSMGR, "callid, ebi") \
	X(CLEAR_STATS, "clear statistics", SESSMGR, "")
#define X(sym, name, task, args) CHASSIS_CMD_##sym,
enum chassis_command { CHASSIS_COMMANDS(X) CHASSIS_CMD__N };
#undef X

#endif
