/* rows: what tasks answer to sct's queries. A row is a msgpack array with these elements in this order;
 * sct renders it as a table or JSON by the same list. Types: u unsigned, s string, b bool; behind them, what
 * the manual says, where it does. */
#ifndef CHASSIS_TASK_ROWS_H
#define CHASSIS_TASK_ROWS_H

/** sessmgr, one per flow. */
#define CHASSIS_ROW_FLOW(X) \
	X(instance, u) X(callid, u) X(flow_id, u) X(recovered, b) X(protocol, u) \
	X(subscriber, s) X(subscriber_port, u) X(server, s) X(server_port, u) \
	X(rule, s) X(rulebase, s) X(checkpointed, b) X(bind, s) X(application, s) \
	X(packets_up, u) X(bytes_up, u) X(packets_down, u) X(bytes_down, u) \
	X(age_s, u) X(idle_s, u) X(idle_timeout_s, u) X(bearer, u) X(tethered, b) \
	X(parent, u)

/** sessmgr, one per session. */
#define CHASSIS_ROW_SUBSCRIBER(X) \
	X(instance, u) X(callid, u) X(imsi, s) X(username, s) X(apn, s) X(rulebase, s) \
	X(v4, s) X(v6, s) X(recovered, b) X(pending, u) X(flows, u) X(checkpointed_flows, u) \
	X(packets_up, u) X(bytes_up, u) X(packets_down, u) X(bytes_down, u) \
	X(age_s, u) X(idle_s, u) X(ready_for_recovery, b) X(service, s) X(bandwidth_policy, s) \
	X(created, s) X(bearers, u) X(dynamic_rules, u) X(predefined_rules, u) X(session_id, s)

/** sessmgr, one per volume of a session (`show active-charging sessions` and tests). */
#define CHASSIS_ROW_USAGE(X) \
	X(instance, u) X(callid, u) X(bearer, u) X(of, s) X(name, s) \
	X(packets_up, u) X(bytes_up, u) X(packets_down, u) X(bytes_down, u)

/** sessmgr, one per rule that the control plane has given a call. */
#define CHASSIS_ROW_DYNRULE(X) \
	X(instance, u) X(callid, u) X(rule, s) X(type, s) X(precedence, u) X(flow_status, s) \
	X(bearer, u) X(bound, b) X(qci, u) X(arp, u) X(mbr_uplink, u) X(mbr_downlink, u) \
	X(content_id, u) X(rating_group, u) X(service_identifier, u) X(matches, b) X(filters, s) \
	X(charging_action, s) X(definition, s)

/** sessmgr, one per bearer. */
#define CHASSIS_ROW_BEARER(X) \
	X(instance, u) X(callid, u) X(bearer, u) X(type, s) X(rat, s) X(qci, u) X(arp, u) \
	X(mbr_uplink, u) X(mbr_downlink, u) X(updated, b) X(filters, s) \
	X(conformed_packets, u) X(conformed_bytes, u) X(violated_packets, u) X(violated_bytes, u)

/** sessmgr, one per rate limit of a session that a packet has met. Rates in bits a second, tokens in
 *  bytes. */
#define CHASSIS_ROW_LIMIT(X) \
	X(instance, u) X(callid, u) X(of, s) X(name, s) X(id, s) \
	X(rate_up, u) X(committed_rate_up, u) X(tokens_up, u) \
	X(conformed_packets_up, u) X(conformed_bytes_up, u) X(exceeded_packets_up, u) \
	X(exceeded_bytes_up, u) X(violated_packets_up, u) X(violated_bytes_up, u) \
	X(rate_down, u) X(committed_rate_down, u) X(tokens_down, u) \
	X(conformed_packets_down, u) X(conformed_bytes_down, u) X(exceeded_packets_down, u) \
	X(exceeded_bytes_down, u) X(violated_packets_down, u) X(violated_bytes_down, u)

/** sessmgr, one per rating group of a call that is under credit control. */
#define CHASSIS_ROW_QUOTA(X) \
	X(instance, u) X(callid, u) X(rating_group, u) X(grants, u) X(granted_bytes, u) \
	X(used_bytes, u) X(used_packets, u) X(left_bytes, u) X(redirect_url, s)

/** sessmgr, one per row of the packet trace (ecs/trace.h), with what the manual says of each. */
#define CHASSIS_ROW_TRACE(X) \
	X(instance, u, "Session manager") \
	X(seq, u, "Number of the row there, from 1; each row has the next one") \
	X(packet, u, "Number of the first row of the same packet: its own, but for a row that is late; 0 where that is not known") \
	X(wall_us, u, "When, in microseconds since 1970; of a late row, when it was charged") \
	X(time, s, "The same as a time of day") \
	X(callid, u, "Call; 00000000 where the packet could not be read") \
	X(flow_id, u, "Flow, 0 without one") \
	X(direction, s, "uplink or downlink") \
	X(protocol, u, "Of the packet itself, also where it is an ICMP error") \
	X(subscriber, s, "Address of the subscriber's side; of an ICMP error, that of the flow that it speaks of, like the next three") \
	X(subscriber_port, u, "Its port; of an ICMP echo the identifier") \
	X(server, s, "Address of the other side, as the subscriber knows it, before it is readdressed") \
	X(server_port, u, "Its port") \
	X(length, u, "Bytes of the IP packet as it was read; of a super-packet of offload, all of it") \
	X(packets, u, "Packets as charged, or as they would have been: those of a super-packet are its segments") \
	X(bytes, u, "Bytes likewise") \
	X(charged, b, "The volumes of the rule have grown by these packets and bytes") \
	X(rule, s, "Ruledef, group or dynamic rule; (no rule) where none matched, empty where none was looked for, or not yet") \
	X(charging_action, s, "Its charging-action") \
	X(content_id, u, "Content-id of that, 0 without") \
	X(rating_group, u, "Rating group of that, 0 without") \
	X(bearer, u, "Identity of the bearer, 0 where none was looked for") \
	X(fate, s, "What became of it") \
	X(by, s, "By what") \
	X(did, s, "Stages that acted on it, with commas between") \
	X(ends, s, "flow or session, where a stage has ended that with it; rulebase, where its session gets another one") \
	X(recovered, b, "Of a recovered flow") \
	X(bypassed, b, "By the verdict that its flow had, without matching") \
	X(pending, b, "By the L3/L4 rule, because control was pending") \
	X(late, b, "It was held before, and a row says so") \
	X(anew, b, "A request of a recovered flow, judged by itself (flow-recovery redirect)") \
	X(ip_id, u, "Identification of IPv4, or of the fragment of IPv6, as it came") \
	X(fragment, s, "first or later, of a fragment") \
	X(tcp_flags, u, "As they came, without ECE and CWR; 0 where there are none, like the next two") \
	X(tcp_seq, u, "Sequence number as it came") \
	X(tcp_ack, u, "Acknowledgement number as it came") \
	X(payload_len, u, "Bytes behind the transport header as they came") \
	X(payload_crc, u, "CRC-32 of them")

/** vpnmgr, one: `show srp info`. */
#define CHASSIS_ROW_SRP(X) \
	X(context, s) X(local_address, s) X(chassis_state, s) X(chassis_mode, s) \
	X(chassis_priority, u) X(local_tiebreaker, s) X(route_modifier, u) \
	X(peer_address, s) X(peer_state, s) X(peer_mode, s) X(peer_priority, u) \
	X(peer_tiebreaker, s) X(peer_route_modifier, u) X(last_hello_s, u) X(last_hello_wall, u) \
	X(config_validation, s) X(config_error, s) X(config_event_wall, u) \
	X(validate_status, s) X(connection, s) X(term, u) X(last_switchover_reason, s) \
	X(sessmgrs_connected, u) X(sessmgrs, u) X(last_verified_s, u) X(peer_term, u) \
	X(dead_interval_ms, u) X(hello_interval_ms, u)

/** sessmgr, one: state of the replica of an instance. */
#define CHASSIS_ROW_REPLICA(X) \
	X(instance, u) X(replica, s) X(link, s) X(role, s) X(source, b) X(complete, b) \
	X(term, u) X(stream, u) X(sent, u) X(acked, u) X(peer_stream, u) X(applied, u) \
	X(dirty, u) X(inflight, u) X(refused, u) X(unknown, u) X(tombstones, u) X(objects, u) \
	X(sessions, u) X(flows, u) X(digest, u) X(recomputed_digest, u) X(verified_s, u) \
	X(unknown_kinds, s) X(equations, s)

/** vpnmgr, one per switchover: `show srp call-loss statistics`. */
#define CHASSIS_ROW_LOSS(X) \
	X(number, u) X(kind, s) X(reason, s) X(start_wall_ms, u) X(duration_us, u) \
	X(sessions_before, u) X(sessions_after, u) X(flows_before, u) X(flows_after, u) \
	X(objects_at_most, u) X(record_bytes_at_most, u) X(octets_at_most, u) \
	X(octets_per_s, u) X(figure_age_ms, u) X(term, u)

#define CHASSIS_QUERIES(X) \
	X(FLOW, "flows", SESSMGR, CHASSIS_ROW_FLOW) \
	X(SUBSCRIBER, "subscribers", SESSMGR, CHASSIS_ROW_SUBSCRIBER) \
	X(USAGE, "usage", SESSMGR, CHASSIS_ROW_USAGE) \
	X(DYNRULE, "dynamic-rules", SESSMGR, CHASSIS_ROW_DYNRULE) \
	X(BEARER, "bearers", SESSMGR, CHASSIS_ROW_BEARER) \
	X(LIMIT, "rate-limits", SESSMGR, CHASSIS_ROW_LIMIT) \
	X(QUOTA, "quota", SESSMGR, CHASSIS_ROW_QUOTA) \
	X(TRACE, "packet-trace", SESSMGR, CHASSIS_ROW_TRACE) \
	X(SRP, "srp", VPNMGR, CHASSIS_ROW_SRP) \
	X(REPLICA, "replica", SESSMGR, CHASSIS_ROW_REPLICA) \
	X(LOSS, "loss", VPNMGR, CHASSIS_ROW_LOSS)

#define X(sym, name, task, row) CHASSIS_QUERY_##sym,
enum chassis_query { CHASSIS_QUERIES(X) CHASSIS_QUERY__N };
#undef X

/** One more query, of sessmgr, whose rows are no list of columns: a call with both copies,
 *  [instance, call line, why there is no other one, the other one]; chassis/task/call_line.h. */
#define CHASSIS_QUERY_DEBUG CHASSIS_QUERY__N
/** And one whose rows are those of three others, each with the number of its own behind it: of each session
 *  SUBSCRIBER, then USAGE of its rules, then DYNRULE. */
#define CHASSIS_QUERY_SESSION (CHASSIS_QUERY__N + 1)

#endif
