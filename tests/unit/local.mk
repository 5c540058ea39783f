## A program per folder. A new module: its test file here, its row in <folder>.def.
if HAVE_CUNIT
UNIT_MAIN = %D%/main.c %D%/suites.h
UNIT_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(CUNIT_CFLAGS)

check_PROGRAMS += %D%/stats %D%/srp %D%/ecs %D%/recovery %D%/chassis
TESTS += %D%/stats %D%/srp %D%/ecs %D%/recovery %D%/chassis

%C%_stats_SOURCES = $(UNIT_MAIN) %D%/stats.def %D%/json_check.h %D%/doc_out.h %D%/chapter_table.h %D%/stats_doc_test.c \
	%D%/stats_histogram_test.c \
	%D%/stats_rate_test.c \
	%D%/stats_segment_test.c \
	%D%/stats_stats_test.c
%C%_stats_CPPFLAGS = $(UNIT_CPPFLAGS) -DSUITES='"stats.def"'
%C%_stats_LDADD = $(STATS_LIBS) $(CUNIT_LIBS)

%C%_srp_SOURCES = $(UNIT_MAIN) %D%/srp.def \
	%D%/srp_backlog_test.c \
	%D%/srp_beat_test.c \
	%D%/srp_bucket_test.c \
	%D%/srp_ckpt_test.c \
	%D%/srp_counters_test.c \
	%D%/srp_election_test.c \
	%D%/srp_err_test.c \
	%D%/srp_frame_test.c \
	%D%/srp_hash_test.c \
	%D%/srp_hello_test.c \
	%D%/srp_link_machine_test.c \
	%D%/srp_mp_test.c \
	%D%/srp_role_test.c \
	%D%/srp_role_machine_test.c \
	%D%/srp_role_pair_test.c \
	%D%/srp_switch_test.c
%C%_srp_CPPFLAGS = $(UNIT_CPPFLAGS) -DSUITES='"srp.def"'
%C%_srp_LDADD = $(SRP_LIBS) $(CUNIT_LIBS)

%C%_ecs_SOURCES = $(UNIT_MAIN) %D%/ecs.def %D%/ecs_packets.h \
	%D%/ecs_analyze_test.c \
	%D%/ecs_base_test.c \
	%D%/ecs_death_test.c \
	%D%/ecs_dynamic_test.c \
	%D%/ecs_edr_test.c %D%/ecs_edr_rebase_test.c %D%/ecs_edr_recovered_test.c %D%/ecs_edr_kit.h \
	%D%/ecs_record_copy_test.c \
	%D%/ecs_content_test.c %D%/ecs_db_test.c %D%/ecs_enforce_test.c \
	%D%/ecs_enforce_rig.h %D%/ecs_shift_test.c %D%/ecs_open_test.c %D%/ecs_p2p_test.c \
	%D%/ecs_engine_test.c %D%/ecs_rig.h \
	%D%/ecs_flow_test.c \
	%D%/ecs_fresh_test.c \
	%D%/ecs_handshake_test.c \
	%D%/ecs_trace_test.c \
	%D%/ecs_call_test.c \
	%D%/ecs_reorder_test.c \
	%D%/ecs_parent_test.c \
	%D%/ecs_rtsp_test.c \
	%D%/ecs_actions_test.c %D%/ecs_redirect_test.c %D%/ecs_redirect_rig.h \
	%D%/ecs_redirect_recovered_test.c \
	%D%/ecs_session_test.c \
	%D%/ecs_flow_table_test.c \
	%D%/ecs_kind_flow_test.c %D%/ecs_kind_flow_more_test.c \
	%D%/ecs_kpi_test.c \
	%D%/ecs_kind_session_test.c \
	%D%/ecs_kind_usage_test.c %D%/ecs_owed_test.c \
	%D%/ecs_kit.h \
	%D%/ecs_ledger_test.c \
	%D%/ecs_packet_test.c \
	%D%/ecs_police_test.c %D%/ecs_limits.h \
	%D%/ecs_kind_limit_test.c \
	%D%/ecs_commit_test.c \
	%D%/ecs_timedef_test.c \
	%D%/ecs_trigger_test.c \
	%D%/ecs_unsent_test.c %D%/ecs_shifts_test.c \
	%D%/ecs_splice_rig.h %D%/ecs_splice_test.c %D%/ecs_splice_limits_test.c \
	%D%/ecs_splice_streams_test.c \
	%D%/ecs_recoverable_test.c \
	%D%/ecs_recoverable_again_test.c \
	%D%/ecs_tether_test.c \
	%D%/ecs_reserve_test.c \
	%D%/ecs_rule_digest_test.c \
	%D%/ecs_rule_field_test.c \
	%D%/ecs_rule_limit_test.c \
	%D%/ecs_rule_lint_test.c \
	%D%/ecs_rule_match_test.c %D%/ecs_rule_packet.h \
	%D%/ecs_rule_oracle.h %D%/ecs_rule_oracle_test.c \
	%D%/ecs_rule_print_test.c \
	%D%/ecs_rule_scan_test.c \
	%D%/ecs_rule_scheme_test.c \
	%D%/ecs_rule_text.h \
	%D%/ecs_rule_text_test.c \
	%D%/ecs_ruleref_test.c \
	%D%/ecs_sets_test.c \
	%D%/ecs_literal_test.c \
	%D%/ecs_wheel_test.c
%C%_ecs_CPPFLAGS = $(UNIT_CPPFLAGS) -DSUITES='"ecs.def"'
%C%_ecs_LDADD = $(ECS_LIBS) $(CUNIT_LIBS)

%C%_recovery_SOURCES = $(UNIT_MAIN) %D%/recovery.def %D%/recovery_kit.h \
	tests/sim/toy.c tests/sim/toy.h \
	%D%/recovery_ack_test.c \
	%D%/recovery_audit_test.c \
	%D%/recovery_counters_test.c \
	%D%/recovery_fill_test.c %D%/recovery_damage_test.c %D%/recovery_mirror.h \
	%D%/recovery_gates_test.c \
	%D%/recovery_lists_test.c \
	%D%/recovery_paced_test.c \
	%D%/recovery_passed_test.c \
	%D%/recovery_question_test.c \
	%D%/recovery_sink_test.c \
	%D%/recovery_store_test.c %D%/recovery_view_test.c %D%/recovery_box.h \
	%D%/recovery_sync_test.c \
	%D%/recovery_wire_test.c
%C%_recovery_CPPFLAGS = $(UNIT_CPPFLAGS) -DSUITES='"recovery.def"'
%C%_recovery_LDADD = $(RECOVERY_LIBS) $(CUNIT_LIBS)

%C%_chassis_SOURCES = $(UNIT_MAIN) %D%/chassis.def %D%/json_check.h %D%/netns.h \
	%D%/chassis_announce_test.c \
	%D%/chassis_bulk_test.c \
	%D%/chassis_calls_test.c %D%/chassis_wait_test.c %D%/chassis_held_test.c \
	%D%/chassis_call_line_test.c \
	%D%/chassis_capture_test.c \
	%D%/chassis_config_edit_test.c \
	%D%/chassis_config_test.c %D%/chassis_config_lines_test.c %D%/config_kit.h \
	%D%/chassis_conn_test.c \
	%D%/chassis_grammar_test.c %D%/chassis_icap_test.c \
	%D%/chassis_license_test.c \
	%D%/chassis_registry_test.c \
	%D%/sup_kit.h %D%/standby_kit.h \
	%D%/chassis_standby_test.c %D%/chassis_crash_test.c %D%/chassis_again_test.c \
	%D%/chassis_save_test.c %D%/chassis_vpn_test.c \
	%D%/chassis_store_test.c %D%/ecs_rig.h %D%/ecs_packets.h \
	%D%/ecs_rule_text.h %D%/ecs_rule_text_test.c \
	%D%/chassis_commit_test.c %D%/chassis_running_test.c %D%/running_kit.h \
	%D%/chassis_task_test.c \
	%D%/chassis_tls_test.c \
	%D%/chassis_netlink_test.c \
	%D%/chassis_record_test.c %D%/chassis_sess_record_test.c %D%/chassis_quic_test.c \
	%D%/show_kit.h %D%/doc_out.h %D%/chapter_table.h \
	%D%/chassis_show_test.c %D%/chassis_show_checkpoint_test.c %D%/chassis_show_recovery_test.c \
	%D%/chassis_show_tasks_test.c %D%/chassis_answer_test.c %D%/chassis_exec_test.c \
	%D%/chassis_tun_test.c
%C%_chassis_CPPFLAGS = $(UNIT_CPPFLAGS) -DSUITES='"chassis.def"'
%C%_chassis_LDADD = $(CHASSIS_LIBS) $(CUNIT_LIBS)
endif
