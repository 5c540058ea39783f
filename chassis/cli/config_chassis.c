#include <config.h>
#include "chassis/cli/config_impl.h"

#include <string.h>

#include "srp/err.h"

#define SEVERITIES 8

static const char *const severities[SEVERITIES] = {"emergency", "alert", "critical", "error",
                                                   "warning", "notice", "info", "debug"};

int cfg_open_block(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)c, (void)m, (void)arg;
	return SRP_OK;
}

int cfg_hostname(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	snprintf(c->conf->hostname, sizeof(c->conf->hostname), "%s", chassis_match_text(m, "name"));
	return SRP_OK;
}

int cfg_sessmgrs(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	_Static_assert(CHASSIS_SESSMGRS_MAX == 32, "the range stands in config.def");
	(void)arg;
	c->conf->sessmgrs = (uint32_t)chassis_match_num(m, "num", 1);
	return SRP_OK;
}

int cfg_logging(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	snprintf(c->conf->logging, sizeof(c->conf->logging), "%s",
	         chassis_match_has(m, "syslog") ? "syslog" : "stderr");
	for (int i = 0; i < SEVERITIES; i++)
		if (chassis_match_has(m, severities[i]))
			c->conf->severity = i;
	return SRP_OK;
}

int cfg_require_acs(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->conf->require_active_charging = !chassis_match_has(m, "no");
	return SRP_OK;
}

int cfg_context(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	if (!c->nonlocal_line && strcmp(chassis_match_text(m, "name"), "local") != 0)
		c->nonlocal_line = c->line;
	return SRP_OK;
}

/* --- interfaces ----------------------------------------------------------------------------- */

int cfg_iface(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *name = chassis_match_text(m, "name");
	struct chassis_config *conf = c->conf;

	(void)arg;
	for (size_t i = 0; i < conf->niface; i++) {
		c->iface = &conf->iface[i];
		if (strcmp(c->iface->name, name) != 0)
			continue;
		if (strcmp(c->iface->context, cfg_name(c)) != 0)
			return cfg_refuse(
				c, "name",
				"expected an interface of this context: it is in context %s",
				c->iface->context);
		if (chassis_match_has(m, "loopback"))
			c->iface->loopback = true;
		return SRP_OK;
	}
	if (conf->niface == CHASSIS_IFACES_MAX)
		return cfg_refuse(c, "name", "expected at most %d interfaces", CHASSIS_IFACES_MAX);
	c->iface = &conf->iface[conf->niface++];
	snprintf(c->iface->name, sizeof(c->iface->name), "%s", name);
	snprintf(c->iface->context, sizeof(c->iface->context), "%s", cfg_name(c));
	c->iface->loopback = chassis_match_has(m, "loopback");
	return SRP_OK;
}

int cfg_side(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->iface->side = chassis_match_has(m, "access")   ? CHASSIS_SIDE_ACCESS
	                 : chassis_match_has(m, "core") ? CHASSIS_SIDE_CORE
	                                                : CHASSIS_SIDE_NONE;
	return SRP_OK;
}

/* The address of a line in either form: A/len, or A and a mask. */
static const char *address_of(const struct chassis_match *m, struct ecs_addr *a, uint8_t *len,
                              bool *v6)
{
	static const char *const keys[] = {"prefix4", "prefix6", "addr4"};
	const char *key = NULL;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (chassis_match_text(m, keys[i]))
			key = keys[i];
	if (!key || chassis_addr_parse(chassis_match_text(m, key), a, len, v6) != SRP_OK)
		return NULL;
	if (chassis_match_text(m, "mask4"))
		*len = (uint8_t)chassis_match_num(m, "mask4", 32);
	return key;
}

static bool same_addr(const struct ecs_addr *a, const struct ecs_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int cfg_address(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	struct chassis_iface *f = c->iface;
	struct chassis_if_addr a = {.activate = chassis_match_has(m, "srp-activate")};
	bool v6, no = chassis_match_has(m, "no");
	const char *key = address_of(m, &a.addr, &a.len, &v6);

	(void)arg;
	if (!key)
		return cfg_refuse(c, NULL, "expected an address");
	for (size_t i = 0; i < f->naddr; i++) {
		if (!same_addr(&f->addr[i].addr, &a.addr))
			continue;
		if (!no)
			return cfg_refuse(
				c, key, "expected an address that the interface does not have yet");
		memmove(&f->addr[i], &f->addr[i + 1], (f->naddr - i - 1) * sizeof(f->addr[0]));
		f->naddr--;
		return SRP_OK;
	}
	if (no)
		return cfg_refuse(c, key, "expected an address that the interface has");
	if (f->naddr == CHASSIS_ADDRS_MAX)
		return cfg_refuse(c, key, "expected at most %d addresses", CHASSIS_ADDRS_MAX);
	f->addr[f->naddr++] = a;
	return SRP_OK;
}

/* --- pools ---------------------------------------------------------------------------------- */

static bool host_bits(const struct ecs_addr *a, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if (a->b[i / 8] >> (7 - i % 8) & 1)
			return true;
	return false;
}

static bool overlap(const struct chassis_pool *a, const struct chassis_pool *b)
{
	unsigned bits = a->len < b->len ? a->len : b->len;
	struct ecs_addr x = a->prefix;

	if (a->v6 != b->v6)
		return false;
	bits += a->v6 ? 0 : 96;
	for (unsigned i = 0; i < 16; i++)
		x.b[i] ^= b->prefix.b[i];
	for (unsigned i = 0; i < bits; i++)
		if (x.b[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}

static int pool_check(struct cfg *c, const struct chassis_pool *p, const char *key)
{
	const struct chassis_config *conf = c->conf;

	if (host_bits(&p->prefix, p->v6 ? p->len : 96u + p->len))
		return cfg_refuse(c, key, "expected a prefix without host bits");
	if (p->v6 && p->len > 64)
		return cfg_refuse(
			c, key, "expected a prefix of at most 64 bits: each subscriber has a /64");
	if (conf->npool == CHASSIS_POOLS_MAX)
		return cfg_refuse(c, "name", "expected at most %d pools", CHASSIS_POOLS_MAX);
	for (size_t i = 0; i < conf->npool; i++) {
		if (strcmp(conf->pool[i].name, p->name) == 0)
			return cfg_refuse(c, "name", "expected a name that no other pool has");
		if (overlap(&conf->pool[i], p))
			return cfg_refuse(c, key, "expected a prefix that does not overlap pool %s",
			                  conf->pool[i].name);
	}
	return SRP_OK;
}

int cfg_pool(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	static const char *const kinds[] = {"public", "private", "static"};
	struct chassis_pool p = {.kind_class = -1};
	const char *apn = chassis_match_text(m, "apn");
	const char *key = address_of(m, &p.prefix, &p.len, &p.v6);
	int rc;

	(void)arg;
	if (!key)
		return cfg_refuse(c, NULL, "expected an address");
	snprintf(p.name, sizeof(p.name), "%s", chassis_match_text(m, "name"));
	snprintf(p.context, sizeof(p.context), "%s", cfg_name(c));
	rc = pool_check(c, &p, key);
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!chassis_match_has(m, kinds[i]))
			continue;
		if (p.kind[0])
			return cfg_refuse(c, kinds[i],
					  "expected one of public, private and static");
		snprintf(p.kind, sizeof(p.kind), "%s", kinds[i]);
	}
	p.kind_class = (int)chassis_match_num(m, "class", UINT32_MAX);
	p.activate = chassis_match_has(m, "srp-activate");
	if (apn)
		snprintf(p.first_packet_apn, sizeof(p.first_packet_apn), "%s", apn);
	c->pool_line[c->conf->npool] = c->line;
	c->conf->pool[c->conf->npool++] = p;
	return SRP_OK;
}

int cfg_pool_remove(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *name = chassis_match_text(m, "name");
	struct chassis_config *conf = c->conf;

	(void)arg;
	for (size_t i = 0; i < conf->npool; i++) {
		size_t after = conf->npool - i - 1;

		if (strcmp(conf->pool[i].name, name) != 0 ||
		    conf->pool[i].v6 != chassis_match_has(m, "ipv6"))
			continue;
		memmove(&conf->pool[i], &conf->pool[i + 1], after * sizeof(conf->pool[0]));
		memmove(&c->pool_line[i], &c->pool_line[i + 1], after * sizeof(c->pool_line[0]));
		conf->npool--;
		return SRP_OK;
	}
	return cfg_refuse(c, "name", "expected the name of a pool");
}

/* --- APNs ----------------------------------------------------------------------------------- */

int cfg_apn(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *name = chassis_match_text(m, "name");
	struct chassis_config *conf = c->conf;

	(void)arg;
	for (size_t i = 0; i < conf->napn; i++) {
		c->apn = &conf->apn[i];
		if (strcmp(c->apn->name, name) != 0)
			continue;
		if (strcmp(c->apn->context, cfg_name(c)) != 0)
			return cfg_refuse(c, "name",
					  "expected an APN of this context: it is in context %s",
					  c->apn->context);
		return SRP_OK;
	}
	if (conf->napn == CHASSIS_APNS_MAX)
		return cfg_refuse(c, "name", "expected at most %d APNs", CHASSIS_APNS_MAX);
	c->apn = &conf->apn[conf->napn++];
	snprintf(c->apn->name, sizeof(c->apn->name), "%s", name);
	snprintf(c->apn->context, sizeof(c->apn->context), "%s", cfg_name(c));
	return SRP_OK;
}

int cfg_apn_rulebase(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	const char *name = chassis_match_text(m, "name");

	(void)arg;
	snprintf(c->apn->rulebase, sizeof(c->apn->rulebase), "%s", name ? name : "");
	return SRP_OK;
}

int cfg_apn_idle(struct cfg *c, const struct chassis_match *m, size_t arg)
{
	(void)arg;
	c->apn->idle_timeout = (uint32_t)chassis_match_num(m, "num", 0);
	return SRP_OK;
}

void cfg_file_check(struct cfg *c)
{
	const struct chassis_config *conf = c->conf;

	for (size_t i = 0; i < conf->npool; i++) {
		const char *apn = conf->pool[i].first_packet_apn;

		if (apn[0] && !chassis_config_apn(conf, apn))
			cfg_error(c, c->pool_line[i], apn, "expected the name of a configured APN");
	}
	if (conf->require_active_charging && !conf->service)
		cfg_error(c, c->line, "active-charging",
			  "expected an active-charging service, as `require active-charging` asks "
			  "for it");
}
