noinst_LIBRARIES += %D%/libecs.a
%C%_libecs_a_SOURCES = \
	%D%/session.h %D%/flow.h %D%/engine.h %D%/packet.h %D%/ruleref.h %D%/usage.h \
	%D%/recoverable.h %D%/rule/service.h
ECS_LIBS = %D%/libecs.a $(SRP_LIBS) $(HS_LIBS) $(NDPI_LIBS)
