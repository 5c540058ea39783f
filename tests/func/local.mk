
EXTRA_DIST += %D%/lib/topology.sh %D%/lib/bed.py
EXTRA_DIST += %D%/lib/traffic.sh %D%/lib/traffic.py
EXTRA_DIST += %D%/lib/quic.py %D%/lib/ruletable.py %D%/lib/shows.py \
	%D%/40_traffic.sh %D%/41_offload.sh %D%/42_addresses.sh %D%/43_sessions.sh \
	%D%/44_rule_lines.sh %D%/45_rule_strings.sh %D%/46_charging.sh %D%/47_programs.sh \
	%D%/48_redirect.sh \
	%D%/50_flow_checkpoints.sh %D%/51_recovered_flows.sh %D%/52_rules_differ.sh \
	%D%/53_control_pending.sh %D%/54_rate_limit.sh %D%/55_control_packets.sh \
	%D%/56_shows.sh %D%/57_ecsreplay.sh %D%/58_captures.sh %D%/59_columns.sh %D%/5a_gates.sh %D%/5b_flows_told.sh \
	%D%/lib/records.sh %D%/lib/records.py %D%/7e_records_lost.sh %D%/7f_url_readdress.sh \
	%D%/74_rules.sh %D%/77_records.sh %D%/78_services.sh %D%/76_kpi.sh

## Faults: run by tests/run.sh
EXTRA_DIST += %D%/lib/packets.py \
	%D%/lib/peer.py \
	%D%/lib/pair.sh \
	%D%/lib/rows.py \
	%D%/lib/talk.py \
	%D%/20_tasks.sh \
	%D%/21_task_death.sh \
	%D%/22_sessmgr_death.sh \
	%D%/23_sessmgr_stuck.sh \
	%D%/24_sessmgr_alone.sh \
	%D%/25_crash_loop.sh \
	%D%/26_switchover.sh \
	%D%/27_killed.sh \
	%D%/2a_lost_volume.sh \
	%D%/28_link_cut.sh \
	%D%/29_host_gone.sh \
	%D%/30_power_cycle.sh \
	%D%/31_stood_still.sh \
	%D%/32_abort.sh \
	%D%/33_reset.sh \
	%D%/34_tls.sh \
	%D%/35_lying_control.sh \
	%D%/36_lying_instance.sh \
	%D%/37_config.sh \
	%D%/38_start.sh \
	%D%/39_disk_full.sh \
	%D%/60_malformed.sh \
	%D%/61_beats.sh

## Storms of faults by lot
EXTRA_DIST += %D%/90_chaos.sh %D%/lib/chaos.py %D%/lib/crowd.py

## Session recovery
EXTRA_DIST += %D%/62_configure.sh %D%/63_session_recovery.sh %D%/64_recovery_status.sh %D%/65_debug_info.sh \
	%D%/71_commit.sh %D%/72_actions.sh %D%/73_dynamic.sh %D%/75_limits.sh	\
	%D%/66_recovery_storm.sh %D%/lib/recovery.py %D%/lib/recovery_storm.py

## The grammar of the active-charging service
EXTRA_DIST += %D%/70_grammar.sh %D%/lib/grammar.py

## An oracle that classifies the same packets
EXTRA_DIST += %D%/lib/oracle.py %D%/lib/oracle_packet.py %D%/lib/oracle_pair.py %D%/lib/oracle_rules.py \
	%D%/lib/oracle_rows.py %D%/lib/oracle_said.py %D%/lib/oracle_talk.py %D%/lib/oracle_world.py %D%/79_oracle.sh %D%/7a_flow_recovery.sh \
	%D%/7b_oracle_captures.sh %D%/7c_parent.sh %D%/7d_packet_trace.sh
