noinst_LIBRARIES += %D%/libsrp.a
%C%_libsrp_a_SOURCES = \
	%D%/ckpt.c	%D%/ckpt.h	\
	%D%/err.c	%D%/err.h	%D%/err.def	\
	%D%/frame.c	%D%/frame.h	\
	%D%/mp.c	%D%/mp.h	\
	%D%/time.h
SRP_LIBS = %D%/libsrp.a $(STATS_LIBS) $(MSGPACK_LIBS)
