noinst_LIBRARIES += %D%/libsrp.a
%C%_libsrp_a_SOURCES = \
	%D%/backlog.c	%D%/backlog.h	\
	%D%/beat.c	%D%/beat.h	\
	%D%/bucket.c	%D%/bucket.h	\
	%D%/ckpt.c	%D%/ckpt.h	\
	%D%/counters.c	%D%/counters.h	%D%/counters.def	\
	%D%/election.c	%D%/election.h	\
	%D%/err.c	%D%/err.h	%D%/err.def	\
	%D%/frame.c	%D%/frame.h	\
	%D%/hash.c	%D%/hash.h	\
	%D%/hello.c	%D%/hello.h	\
	%D%/link_machine.c	%D%/link_machine.h	%D%/control.def	\
	%D%/message.h	\
	%D%/mp.c	%D%/mp.h	\
	%D%/role.c	%D%/role.h	\
	%D%/role_event.c	\
	%D%/role_machine.c	%D%/role_machine.h	\
	%D%/switch.c	\
	%D%/time.h
SRP_LIBS = %D%/libsrp.a $(STATS_LIBS) $(MSGPACK_LIBS)
EXTRA_DIST += %D%/PROTOCOL.md
