/* sct_give: commands that give a call rules and bearers, from words to arguments. */
#include "config.h"
#include "chassis/task/sct.h"

#include "ecs/dynamic.h"
#include "ecs/session.h"
#include "srp/err.h"

#define LOWEST_ARP 15 /* of a bearer for which none is given: the lowest priority */

#define TIME_S 30u

static const char *text_of(const struct chassis_match *m, const char *key)
{
	const char *text = chassis_match_text(m, key);

	return text ? text : "";
}

static void put_num(struct srp_mp_w *w, const struct chassis_match *m, const char *key)
{
	srp_mp_w_uint(w, chassis_match_num(m, key, 0));
}

static void put_qos(struct srp_mp_w *w, const struct chassis_match *m, unsigned arp)
{
	put_num(w, m, "qci");
	srp_mp_w_uint(w, chassis_match_num(m, "arp", arp));
	put_num(w, m, "up");
	put_num(w, m, "down");
}

/* Bits of what stands in a line. */
static unsigned said(const struct chassis_match *m, const char *const *keys, const unsigned *bits,
                     size_t n)
{
	unsigned what = 0;

	for (size_t i = 0; i < n; i++)
		if (chassis_match_has(m, keys[i]))
			what |= bits[i];
	return what;
}

static unsigned status_of(const struct chassis_match *m)
{
#define X(sym, text) \
	if (chassis_match_has(m, text)) \
		return ECS_STATUS_##sym;
	ECS_FLOW_STATUSES(X)
#undef X
	return ECS_STATUS_ENABLED;
}

void sct_give_rule(struct sct_op *op, const struct chassis_match *m)
{
	static const char *const keys[] = {"precedence", "flow-status", "bearer", "qci", "arp",
	                                   "mbr-uplink", "mbr-downlink", "content-id",
	                                   "rating-group", "service-identifier", "filters"};
	static const unsigned bits[] = {ECS_DYN_PRECEDENCE, ECS_DYN_STATUS, ECS_DYN_BEARER,
	                                ECS_DYN_QOS, ECS_DYN_QOS, ECS_DYN_QOS, ECS_DYN_QOS,
	                                ECS_DYN_CHARGING, ECS_DYN_CHARGING, ECS_DYN_CHARGING,
	                                ECS_DYN_FILTERS};
	static const struct sct_command c = {CHASSIS_CMD_RULE, true, TIME_S, "done"};
	enum chassis_give give = chassis_match_has(m, "install")    ? CHASSIS_GIVE_ADD
	                         : chassis_match_has(m, "activate") ? CHASSIS_GIVE_ACTIVATE
	                         : chassis_match_has(m, "modify")   ? CHASSIS_GIVE_CHANGE
	                                                            : CHASSIS_GIVE_REMOVE;
	uint8_t buf[CHASSIS_SDF_TEXT + 256];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_uint(&w, chassis_match_num(m, "callid", 0));
	srp_mp_w_uint(&w, give);
	srp_mp_w_str(&w, text_of(m, "rule"));
	srp_mp_w_uint(&w, said(m, keys, bits, sizeof(bits) / sizeof(bits[0])));
	put_num(&w, m, "precedence");
	srp_mp_w_uint(&w, status_of(m));
	put_num(&w, m, "bearer");
	put_qos(&w, m, 0);
	put_num(&w, m, "content");
	put_num(&w, m, "rating");
	put_num(&w, m, "service");
	srp_mp_w_str(&w, text_of(m, "sdf"));
	sct_job_command(op, &c, &w, 15);
}

void sct_give_bearer(struct sct_op *op, const struct chassis_match *m)
{
	static const char *const keys[] = {"qci", "arp", "mbr-uplink", "mbr-downlink", "tft"};
	static const unsigned bits[] = {ECS_BEARER_QCI, ECS_BEARER_ARP, ECS_BEARER_UP,
	                                ECS_BEARER_DOWN, ECS_BEARER_TFT};
	static const struct sct_command c = {CHASSIS_CMD_BEARER, true, TIME_S, "done"};
	enum chassis_give give = chassis_match_has(m, "create")   ? CHASSIS_GIVE_ADD
	                         : chassis_match_has(m, "update") ? CHASSIS_GIVE_CHANGE
	                                                          : CHASSIS_GIVE_REMOVE;
	uint8_t buf[CHASSIS_SDF_TEXT + 128];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_uint(&w, chassis_match_num(m, "callid", 0));
	srp_mp_w_uint(&w, give);
	put_num(&w, m, "id");
	srp_mp_w_uint(&w, said(m, keys, bits, sizeof(bits) / sizeof(bits[0])));
	put_qos(&w, m, give == CHASSIS_GIVE_ADD ? LOWEST_ARP : 0);
	srp_mp_w_str(&w, text_of(m, "sdf"));
	sct_job_command(op, &c, &w, 9);
}

void sct_give_handoff(struct sct_op *op, const struct chassis_match *m)
{
	static const struct sct_command c = {CHASSIS_CMD_HANDOFF, true, TIME_S, "done"};
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));
	unsigned rat = ECS_RAT_NONE;

#define X(sym, n, text) \
	if (chassis_match_has(m, text)) \
		rat = (n);
	ECS_RATS(X)
#undef X
	srp_mp_w_uint(&w, chassis_match_num(m, "callid", 0));
	srp_mp_w_uint(&w, rat);
	sct_job_command(op, &c, &w, 2);
}

void sct_give_quota(struct sct_op *op, const struct chassis_match *m)
{
	static const struct sct_command c = {CHASSIS_CMD_QUOTA, true, TIME_S, "done"};
	uint8_t buf[32 + 3 + ECS_URL_MAX];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	put_num(&w, m, "callid");
	put_num(&w, m, "rating");
	put_num(&w, m, "bytes");
	srp_mp_w_str(&w, text_of(m, "url"));
	sct_job_command(op, &c, &w, 4);
}

void sct_give_unsettle(struct sct_op *op, const struct chassis_match *m)
{
	static const struct sct_command c = {CHASSIS_CMD_UNSETTLE, true, TIME_S, "done"};
	uint8_t buf[16];
	struct srp_mp_w w = srp_mp_w_init(buf, sizeof(buf));

	srp_mp_w_uint(&w, chassis_match_num(m, "callid", 0));
	sct_job_command(op, &c, &w, 1);
}
