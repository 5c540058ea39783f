
noinst_LIBRARIES += %D%/libchassis.a
%C%_libchassis_a_SOURCES = \
	%D%/capture.c	%D%/capture.h	%D%/packets.c	%D%/packets.h	%D%/sides.c	%D%/sides.h	\
	%D%/week.c	%D%/week.h	\
	%D%/task/trace_row.c	%D%/task/trace_row.h	\
	%D%/cli/modes.def	%D%/cli/config.def	%D%/cli/config.h	%D%/cli/config_impl.h	\
	%D%/cli/config.c	%D%/cli/config_chassis.c	%D%/cli/config_ecs.c	\
	%D%/cli/show_content.c	%D%/cli/config_content.c	%D%/cli/database.c	%D%/cli/database.h	\
	%D%/cli/config_files.c	%D%/cli/config_record.c	%D%/cli/config_words.c	\
	%D%/cli/config_edit.c	%D%/cli/refused.def	%D%/cli/config_refused.c	%D%/cli/config_feature.c	%D%/cli/show_license.c	\
	%D%/cli/show_limits.c	%D%/cli/show_session.c	%D%/cli/show_trace.c	%D%/task/sess_times.c	%D%/task/sess_trace.c	%D%/task/sct_trace.c	\
	%D%/license.c	%D%/license.def	%D%/license.h	\
	%D%/cli/config_print.c	%D%/cli/config_run.c	%D%/cli/config_srp.c	%D%/cli/config_table.c	\
	%D%/cli/answer.c	%D%/cli/answer.h	\
	%D%/cli/exec.c	%D%/cli/exec.def	%D%/cli/exec.h	\
	%D%/cli/grammar.c	%D%/cli/grammar.h	%D%/cli/line.c	\
	%D%/cli/pipe.c	%D%/cli/pipe.h	%D%/cli/shell.c	%D%/cli/shell.h	\
	%D%/cli/show.h	%D%/cli/show_checkpoint.c	%D%/cli/show_ecs.c	%D%/cli/show_kpi.c	%D%/cli/bulk.c	%D%/cli/bulk.def	%D%/cli/bulk.h	%D%/cli/config_bulk.c	%D%/task/sct_bulk.c	%D%/task/sct_bulk_show.c	%D%/task/sup_bulk.c	%D%/cli/show_rules.c	\
	%D%/cli/show_debug.c	%D%/cli/show_recovery.c	%D%/cli/show_srp.c	%D%/cli/show_system.c	\
	%D%/cli/show_records.c	%D%/cli/show_tasks.c	\
	%D%/task/sct.c	%D%/task/sct.h	%D%/task/sct_job.c	%D%/task/sct_load.c	%D%/task/sct_config.c	%D%/task/sct_entered.c	\
	%D%/task/sct_op.c	%D%/task/sct_run.c	%D%/task/sct_show.c	%D%/task/sct_command.c	\
	%D%/cli/program.c	%D%/cli/program.h	%D%/cli/types.c	%D%/cli/types.h	\
	%D%/log.c	%D%/registry.c	%D%/registry.h	\
	%D%/io/announce.c	%D%/io/announce.h	\
	%D%/io/conn.c	%D%/io/conn.h	%D%/io/conn_impl.h	%D%/io/conn_rx.c	%D%/io/conn_tx.c	\
	%D%/io/netlink.c	%D%/io/netlink.h	\
	%D%/io/quic_crypto.c	%D%/io/quic_crypto.h	\
	%D%/io/steering.c	\
	%D%/io/tls.c	%D%/io/tls.h	%D%/io/tls_impl.h	%D%/io/tls_session.c	%D%/io/tls_session.h	\
	%D%/io/icap.c	%D%/io/icap.h	%D%/io/icap_answer.c	%D%/io/icap_conn.c	%D%/io/icap_impl.h	%D%/io/icap_request.c	\
	%D%/io/tun.c	%D%/io/tun.h	\
	%D%/task/base.h	%D%/task/guard.c	%D%/task/guard.h	%D%/task/ipc.c	%D%/task/life.c	\
	%D%/task/open.c	%D%/task/privilege.c	%D%/task/privilege.h	%D%/task/seccomp.c	\
	%D%/task/crash.c	%D%/task/crash.h	\
	%D%/task/background.c	%D%/task/background.h	%D%/task/commit.c	%D%/task/sup_commit.c	\
	%D%/task/cdrmod.c	%D%/task/record_files.c	%D%/task/record_files.h	\
	%D%/task/record_ring.c	%D%/task/record_ring.h	%D%/task/sess_record.c	%D%/task/sup_record.c	\
	%D%/task/rule_slab.c	%D%/task/running.c	%D%/task/running.h	%D%/task/sct_commit.c	\
	%D%/task/sup_again.c	%D%/task/sup_crash.c	%D%/task/sup_oper.c	%D%/task/sup_sr.c	%D%/task/sup_standby.c	\
	%D%/task/spawn.c	%D%/task/supervisor.c	%D%/task/supervisor_impl.h	%D%/task/task.c	\
	%D%/task/title.c	%D%/task/title.h	%D%/task/watch.c	\
	%D%/task/beats.c	%D%/task/beats.h	%D%/task/calls.c	%D%/task/calls.h	\
	%D%/task/aaa_query.c	%D%/task/aaa_query.h	%D%/task/call_line.c	%D%/task/call_line.h	%D%/task/sess_debug.c	\
	%D%/task/commands.h	%D%/task/counters.c	%D%/task/counters.def	%D%/task/demuxmgr.c	%D%/task/hash.h	\
	%D%/task/sess_held.c	%D%/task/sess_held.h	\
	%D%/task/demux_add.c	%D%/task/demux_wait.c	%D%/task/demux_wait.h	%D%/task/demuxmgr.h	%D%/task/memory.c	%D%/task/memory.h	\
	%D%/task/ipc.def	%D%/task/peer.c	%D%/task/peer.h	%D%/task/proc.c	%D%/task/proc.h	%D%/task/rows.h	\
	%D%/task/aaamgr.c	%D%/task/sess_link.c	%D%/task/sess_news.c	%D%/task/sess_query.c	%D%/task/sess_rate.c	\
	%D%/task/sess_add.c	%D%/task/sess_role.c	%D%/task/sess_give.c	%D%/task/sct_give.c	\
	%D%/task/sess_recover.c	%D%/task/sess_sr.c	%D%/task/sess_tun.c	\
	%D%/task/sessmgr.c	%D%/task/sessmgr.h	%D%/task/slab.h	%D%/task/switch.h	%D%/task/task.h	\
	%D%/task/vpn.h	%D%/task/vpn_hello.c	%D%/task/vpn_link.c	%D%/task/vpn_message.c	%D%/task/vpn_net.c	%D%/task/vpn_net.h	\
	%D%/task/vpn_act.c	%D%/task/vpn_oper.c	%D%/task/vpn_role.c	%D%/task/vpn_state.c	%D%/task/vpnmgr.c
CHASSIS_LIBS = %D%/libchassis.a $(RECOVERY_LIBS) $(ECS_LIBS) $(SRP_LIBS) $(OPENSSL_LIBS) $(MNL_LIBS)

sbin_PROGRAMS += chassisd
chassisd_SOURCES = %D%/main.c
chassisd_LDADD = $(CHASSIS_LIBS)
## A backtrace names the functions of the program itself.
chassisd_LDFLAGS = $(AM_LDFLAGS) -rdynamic

bin_PROGRAMS += chassisctl ecsreplay
chassisctl_SOURCES = %D%/chassisctl.c
chassisctl_LDADD = $(CHASSIS_LIBS)
ecsreplay_SOURCES = %D%/ecsreplay.c
ecsreplay_LDADD = $(CHASSIS_LIBS) $(PCAP_LIBS)

## The manual is printed from the tables that the programs read themselves.
noinst_PROGRAMS += %D%/manual
%C%_manual_SOURCES = %D%/manual.c %D%/requirements.def
%C%_manual_LDADD = $(CHASSIS_LIBS)
MANUAL = %D%/man/chassis-counters.7 %D%/man/chassis-requirements.7 %D%/man/chassisctl.8 %D%/man/chassisd.8 \
	%D%/man/chassisd.conf.5 %D%/man/ecsreplay.1
nodist_man_MANS = $(MANUAL)
CLEANFILES += $(MANUAL)
EXTRA_DIST += %D%/man/chassis-counters.in %D%/man/chassis-requirements.in %D%/man/chassisctl.in %D%/man/chassisd.in \
	%D%/man/chassisd.conf.in %D%/man/ecsreplay.in
PAGE = $(AM_V_GEN)$(MKDIR_P) $(@D) && \
	chassis/manual$(EXEEXT) $(srcdir) $< > $@.tmp && mv $@.tmp $@
SUFFIXES = .in .1 .5 .7 .8
.in.1:
	$(PAGE)
.in.5:
	$(PAGE)
.in.7:
	$(PAGE)
.in.8:
	$(PAGE)
$(MANUAL): %D%/manual$(EXEEXT)
%D%/man/chassisd.conf.5: examples/pair-a.conf examples/pair-b.conf
