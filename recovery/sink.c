#include "config.h"
#include "recovery/replica_impl.h"

static bool applying(const struct recovery_sink *s)
{
	if (s->filling)
		return true;
	for (int i = 0; i < SRP_REPLICA__N; i++)
		if (s->replica[i] && s->replica[i]->applying)
			return true;
	return false;
}

static void changed(struct srp_ckpt_sink *sink, struct srp_ckpt_obj *o, struct srp_time now)
{
	struct recovery_sink *s = (struct recovery_sink *)(void *)sink;

	if (applying(s))
		return;
	o->version++;
	o->term = s->term;
	for (int i = 0; i < SRP_REPLICA__N; i++)
		if (s->replica[i])
			recovery_changed(s->replica[i], o, now);
}

static void deleted(struct srp_ckpt_sink *sink, struct srp_ckpt_obj *o, bool tell,
		    struct srp_time now)
{
	struct recovery_sink *s = (struct recovery_sink *)(void *)sink;

	tell = tell && !applying(s);
	if (tell) {
		o->version++;
		o->term = s->term;
	}
	for (int i = 0; i < SRP_REPLICA__N; i++)
		if (s->replica[i])
			recovery_deleted(s->replica[i], o, tell, now);
}

void recovery_sink_init(struct recovery_sink *s)
{
	*s = (struct recovery_sink){.sink = {.changed = changed, .deleted = deleted}};
}
