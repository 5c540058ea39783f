noinst_LIBRARIES += %D%/libecs.a
%C%_libecs_a_SOURCES = \
	%D%/analyze.c	%D%/analyze.h	\
	%D%/app.c	%D%/app.h	\
	%D%/call.c	%D%/call.h	\
	%D%/call_debug.h		\
	%D%/call_machine.c	%D%/call_machine.def	%D%/call_machine.h	\
	%D%/chain.c	%D%/chain.h	\
	%D%/charge.c			\
	%D%/content.c	%D%/content.h	%D%/hold.c	%D%/tether.c	\
	%D%/counters.c	%D%/counters.def	\
	%D%/dns.c	%D%/dns.h	\
	%D%/enforce.c	%D%/enforce.def	%D%/enforce.h	\
	%D%/engine.c	%D%/engine.h	%D%/engine_impl.h	\
	%D%/flow.c	%D%/flow.h	\
	%D%/flow_table.c		\
	%D%/frag.c	%D%/frag.h	\
	%D%/header.c	%D%/header.h	\
	%D%/http.c	%D%/http.h	\
	%D%/kpi.c	%D%/kpi.def	%D%/kpi.h	\
	%D%/ledger.c	%D%/ledger.h	\
	%D%/names.c	%D%/names.h	\
	%D%/packet.c	%D%/packet.h	\
	%D%/classify.c	%D%/inspect.c	%D%/path.c	%D%/path.h	\
	%D%/acted.c	%D%/acted.h	%D%/acted.def	\
	%D%/police.c	%D%/police.h	%D%/kind_police.c	\
	%D%/parent.c	%D%/parent.h	\
	%D%/pool.c	%D%/pool.h	\
	%D%/post.c			\
	%D%/random.c	%D%/readdress.c	%D%/rebase.c	\
	%D%/reply.c	%D%/reply.h	\
	%D%/reserve.c	%D%/route.c	\
	%D%/rewrite.c	%D%/rewrite.h	\
	%D%/quic.c	%D%/quic.h	\
	%D%/again.c	%D%/redirect.c	%D%/redirect.h	\
	%D%/response.c	%D%/response.h	\
	%D%/rtsp.c	%D%/rtsp.h	\
	%D%/session.c	%D%/session.h	%D%/session_table.c	\
	%D%/shift.c			\
	%D%/stream.c	%D%/stream.h	\
	%D%/tcp.c	%D%/tcp.h	\
	%D%/tls_hello.c	%D%/tls_hello.h	\
	%D%/trace.c	%D%/trace.def	%D%/trace.h	\
	%D%/edr.c	%D%/edr.h	\
	%D%/quota.c	%D%/quota.h	\
	%D%/lost.c	%D%/said.c	%D%/tally.c	%D%/tally.h	%D%/tally_impl.h	%D%/udr.c	\
	%D%/record_copy.c	%D%/record_copy.h	%D%/record_copy_impl.h	%D%/kind_record.c	\
	%D%/wheel.c	%D%/wheel.h	\
	%D%/xheader.c			\
	%D%/kind.c	%D%/kind.h	\
	%D%/bearer.c	%D%/dynamic.c	%D%/dynamic.h	%D%/rejudge.c	\
	%D%/kind_dynamic.c	%D%/sdf.c	%D%/sdf.h	\
	%D%/kind_call.c	%D%/kind_flow.c	%D%/kind_rules.c	\
	%D%/kind_session.c	%D%/kind_usage.c	\
	%D%/recoverable.c	%D%/recoverable.h	\
	%D%/unsent.c	%D%/unsent.h	\
	%D%/shift.h	%D%/shifts.c	\
	%D%/splice.c	%D%/splice.h	%D%/splices.c	\
	%D%/ruleref.c	%D%/ruleref.h	\
	%D%/owed.c	%D%/usage.c	%D%/usage.h	\
	%D%/times.c	%D%/trigger.c	\
	%D%/rule/timedef.c	%D%/rule/timedef.h	%D%/rule/timedef_impl.h	%D%/rule/obj.h	%D%/rule/pools.h	%D%/rule/scheme.h	\
	%D%/rule/detect.c	%D%/rule/detect.h	%D%/rule/detect_impl.h	\
	%D%/rule/action.c	%D%/rule/action.def	%D%/rule/action.h	\
	%D%/rule/action_own.c	%D%/rule/action_own.h	\
	%D%/rule/action_forms.c	%D%/rule/agents.c	%D%/rule/agents.h	%D%/rule/lint_action.c	\
	%D%/rule/action_qos.c		\
	%D%/rule/base.c	%D%/rule/base_content.c	\
	%D%/rule/base_own.c	%D%/rule/base_own.h	%D%/rule/base_records.c	\
	%D%/rule/compile.c		\
	%D%/rule/digest.c		\
	%D%/rule/eligible.c		\
	%D%/rule/exact.c		\
	%D%/rule/field.def		\
	%D%/rule/filter.c	%D%/rule/filter.def	%D%/rule/filter.h	\
	%D%/rule/group.c		\
	%D%/rule/limit.c	%D%/rule/limit.def	%D%/rule/limit.h	\
	%D%/rule/limit_bind.c		\
	%D%/rule/lint.c			\
	%D%/rule/lint_impl.h		\
	%D%/rule/lint_refs.c		\
	%D%/rule/idle.c			\
	%D%/rule/index.c		\
	%D%/rule/keys.c			\
	%D%/rule/literal.c		\
	%D%/rule/method.def		\
	%D%/rule/eval.c	%D%/rule/match.c	%D%/rule/match_impl.h	\
	%D%/rule/needs.c		\
	%D%/rule/hosts.c			\
	%D%/rule/print.c		\
	%D%/rule/option.c	%D%/rule/option.h	\
	%D%/rule/record.c	%D%/rule/record.def	%D%/rule/record.h	\
	%D%/rule/recover.def	\
	%D%/rule/recorded.c		\
	%D%/rule/range.c		\
	%D%/rule/rulebase.c	%D%/rule/rulebase.def	%D%/rule/rulebase.h	\
	%D%/rule/ruledef.c		\
	%D%/rule/scheme.c		\
	%D%/rule/service.c	%D%/rule/service.h	%D%/rule/who.h	%D%/rule/service_impl.h	\
	%D%/rule/sets.c			\
	%D%/rule/stages.c		\
	%D%/rule/stringset.c		\
	%D%/rule/xheader.c	%D%/rule/xheader.h	\
	%D%/rule/lint_content.c		\
	%D%/rule/lint_eligible.c	\
	%D%/rule/content.c	%D%/rule/content.h	\
	%D%/rule/db.c	%D%/rule/db.h	\
	%D%/rule/value.c	%D%/rule/value.h	\
	%D%/rule/trigger.c	%D%/rule/trigger.def	%D%/rule/trigger.h	\
	%D%/rule/view.c
ECS_LIBS = %D%/libecs.a $(SRP_LIBS) $(HS_LIBS) $(NDPI_LIBS)
