noinst_LIBRARIES += %D%/librecovery.a
%C%_librecovery_a_SOURCES = \
	%D%/ack.c	%D%/audit.c	%D%/change.c	%D%/check.c	%D%/compare.c	\
	%D%/counters.c	%D%/counters.h	%D%/counters.def	%D%/kind_counters.def	\
	%D%/digest.c	%D%/gates.c	%D%/hash.c	%D%/hello.c	%D%/keys.c	%D%/list.c	\
	%D%/orphan.c	%D%/question.c	%D%/receiver.c	%D%/sender.c	%D%/sink.c	%D%/tomb.c	\
	%D%/replica.c	%D%/replica.h	%D%/replica_impl.h	\
	%D%/store.c	%D%/store.h	%D%/store_impl.h	%D%/store_kind.c	%D%/store_query.c	%D%/view.c	\
	%D%/fill.c	%D%/fill.h	\
	%D%/wire.c	%D%/frame.def
RECOVERY_LIBS = %D%/librecovery.a $(SRP_LIBS) $(LZ4_LIBS)
