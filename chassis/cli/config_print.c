#include <config.h>
#include "chassis/cli/config_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "srp/hash.h"

/* One printer for the file and for the digest: what the two chassis may have different is left out
 * of the digest, line by line. */
struct print {
	const struct chassis_config *c;
	FILE *out;
	bool common;       /* only what both chassis must have equal */
};

static void line(const struct print *p, unsigned indent, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void line(const struct print *p, unsigned indent, const char *fmt, ...)
{
	va_list ap;

	fprintf(p->out, "%*s", (int)indent * 2, "");
	va_start(ap, fmt);
	vfprintf(p->out, fmt, ap);
	va_end(ap);
	fputc('\n', p->out);
}

static void addresses(const struct print *p, const struct chassis_iface *f)
{
	char text[CHASSIS_ADDR_TEXT];

	for (size_t i = 0; i < f->naddr; i++) {
		const struct chassis_if_addr *a = &f->addr[i];

		if (p->common && !a->activate)
			continue;
		line(p, 3, "%s address %s/%u%s", chassis_addr_v6(&a->addr) ? "ipv6" : "ip",
		     chassis_addr_text(&a->addr, text), a->len, a->activate ? " srp-activate" : "");
	}
}

static void iface(const struct print *p, const struct chassis_iface *f)
{
	static const char *const sides[] = {[CHASSIS_SIDE_ACCESS] = "access",
	                                    [CHASSIS_SIDE_CORE] = "core"};

	/* the name of a device is its chassis' own */
	line(p, 2, "interface %s%s", p->common ? "-" : f->name, f->loopback ? " loopback" : "");
	if (f->side != CHASSIS_SIDE_NONE)
		line(p, 3, "side %s", sides[f->side]);
	addresses(p, f);
	line(p, 2, "#exit");
}

static void pool(const struct print *p, const struct chassis_pool *o)
{
	char text[CHASSIS_ADDR_TEXT], class[16] = "";

	if (o->kind_class >= 0)
		snprintf(class, sizeof(class), " %d", o->kind_class);
	line(p, 2, "%s pool %s %s/%u%s%s%s%s%s%s", o->v6 ? "ipv6" : "ip", o->name,
	     chassis_addr_text(&o->prefix, text), o->len, o->kind[0] ? " " : "", o->kind, class,
	     o->activate ? " srp-activate" : "", o->first_packet_apn[0] ? " first-packet apn " : "",
	     o->first_packet_apn);
}

static void apn(const struct print *p, const struct chassis_apn *a)
{
	line(p, 2, "apn %s", a->name);
	if (a->rulebase[0])
		line(p, 3, "active-charging rulebase %s", a->rulebase);
	if (a->idle_timeout)
		line(p, 3, "timeout idle %u", a->idle_timeout);
	line(p, 2, "#exit");
}

static void interval(const struct print *p, const char *keyword, uint32_t ms)
{
	if (ms % 1000)
		line(p, 3, "%s msec %u", keyword, ms);
	else
		line(p, 3, "%s %u", keyword, ms / 1000);
}

static void path(const struct print *p, unsigned indent, const char *keyword, const char *text)
{
	char quoted[2 * CHASSIS_PATH_MAX + 1];
	size_t n = 0;

	if (!text[0])
		return;
	for (; *text; text++) {
		if (*text == '\\')
			quoted[n++] = '\\';
		quoted[n++] = *text;
	}
	quoted[n] = '\0';
	line(p, indent, "%s \"%s\"", keyword, quoted);
}

/* What belongs to one chassis of the pair. */
static void srp_own(const struct print *p, const struct chassis_srp_config *s)
{
	char text[CHASSIS_ADDR_TEXT];

	line(p, 3, "chassis-mode %s", s->mode == CHASSIS_PRIMARY ? "primary" : "backup");
	line(p, 3, "priority %u", s->priority);
	if (s->has_peer)
		line(p, 3, "peer-ip-address %s", chassis_addr_text(&s->peer, text));
	if (s->has_bind)
		line(p, 3, "bind address %s", chassis_addr_text(&s->bind, text));
	line(p, 3, "route-modifier initial %u", s->route_modifier);
	path(p, 3, "tls certificate", s->cert);
	path(p, 3, "tls key", s->key);
	path(p, 3, "tls ca", s->ca);
	path(p, 3, "tls peer-name", s->peer_name);
	path(p, 3, "state-file", p->c->state_file);
}

static void srp(const struct print *p, const struct chassis_srp_config *s)
{
	line(p, 2, "service-redundancy-protocol");
	if (!p->common)
		srp_own(p, s);
	line(p, 3, "port %u", s->port);
	interval(p, "hello-interval", s->hello_ms);
	interval(p, "dead-interval", s->dead_ms);
	interval(p, "delay-interval", s->delay_ms);
	interval(p, "relay-time", s->relay_ms);
	line(p, 3, "checkpoint session duration %u", s->session_duration);
	line(p, 3, "checkpoint session compression %s", s->lz4 ? "lz4" : "none");
	if (s->rate)
		line(p, 3, "checkpoint rate-limit %u burst %u", s->rate, s->burst);
	line(p, 3, "audit periodicity %u", s->audit_minutes);
	line(p, 3, "control-pending timeout %u", s->pending_s);
	line(p, 2, "#exit");
}

static void records(const struct print *p, const struct chassis_record_conf *r, const char *module)
{
	/* files are the chassis' own */
	if (p->common)
		return;
	line(p, 2, "%s active-charging-service", module);
	path(p, 3, "file directory", r->directory);
	if (r->name[0])
		line(p, 3, "file name %s", r->name);
	line(p, 3, "file current-prefix %s", r->current);
	line(p, 3, "file rotation num-records %u", r->rotate_records);
	line(p, 3, "file rotation time %u", r->rotate_s);
	line(p, 3, "file rotation volume %llu", (unsigned long long)r->rotate_bytes);
	if (!r->headers)
		line(p, 3, "no file headers");
	line(p, 2, "#exit");
}

/* The contexts have no list of their own: each is printed where it is named first. */
static void context(const struct print *p, const char *name)
{
	const struct chassis_config *c = p->c;

	line(p, 1, "context %s", name);
	for (size_t i = 0; i < c->niface; i++)
		if (strcmp(c->iface[i].context, name) == 0)
			iface(p, &c->iface[i]);
	/* a pool may name an APN of any context: names are resolved at the end of the file */
	for (size_t i = 0; i < c->npool; i++)
		if (strcmp(c->pool[i].context, name) == 0)
			pool(p, &c->pool[i]);
	for (size_t i = 0; i < c->napn; i++)
		if (strcmp(c->apn[i].context, name) == 0)
			apn(p, &c->apn[i]);
	if (c->srp.present && strcmp(c->srp.context, name) == 0)
		srp(p, &c->srp);
	for (unsigned i = 0; i < CHASSIS_RECORDS__N; i++)
		if (c->records[i].present && strcmp(c->records[i].context, name) == 0)
			records(p, &c->records[i], i == CHASSIS_RECORDS_UDR ? "udr-module" : "edr-module");
	line(p, 1, "#exit");
}

static void contexts(const struct print *p)
{
	const struct chassis_config *c = p->c;
	const char *seen[CHASSIS_IFACES_MAX + CHASSIS_POOLS_MAX + CHASSIS_APNS_MAX + 1 + CHASSIS_RECORDS__N];
	size_t n = 0, srp_at = c->niface + c->npool + c->napn,
	       total = srp_at + 1 + (p->common ? 0 : CHASSIS_RECORDS__N);

	for (size_t i = 0; i < total; i++) {
		size_t k = i;
		const char *name;
		bool old = false;

		if (k < c->niface)
			name = c->iface[k].context;
		else if ((k -= c->niface) < c->npool)
			name = c->pool[k].context;
		else if ((k -= c->npool) < c->napn)
			name = c->apn[k].context;
		else if ((k -= c->napn) == 0)
			name = c->srp.present ? c->srp.context : "";
		else
			name = c->records[k - 1].present ? c->records[k - 1].context : "";
		if (!name[0])
			continue;
		for (size_t j = 0; j < n && !old; j++)
			old = strcmp(seen[j], name) == 0;
		if (!old) {
			seen[n++] = name;
			context(p, name);
		}
	}
}

static void put_service(void *arg, const char *text)
{
	const struct print *p = arg;

	line(p, 1, "%s", text);
}

/* What must stand before contexts and services, and what else belongs to one chassis. */
static void print_first(const struct print *p)
{
	const struct chassis_config *c = p->c;

	path(p, 1, "license key-file", c->license_file);
	if (c->session_recovery)
		line(p, 1, "require session recovery");
	line(p, 1, "session-recovery reserve sessions %u flows %u", c->reserve_sessions,
	     c->reserve_flows);
	if (c->crash_cores && c->crash_dir[0])
		path(p, 1, "crash enable directory", c->crash_dir);
	else if (c->crash_cores)
		line(p, 1, "crash enable");
}

static void text(const struct print *p, unsigned indent, const char *keyword, const char *s)
{
	char quoted[2 * CHASSIS_BULK_FORMAT + 1];
	size_t n = 0;

	if (!s[0])
		return;
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			quoted[n++] = '\\';
		quoted[n++] = *s;
	}
	quoted[n] = '\0';
	line(p, indent, "%s \"%s\"", keyword, quoted);
}

static void print_bulk_file(const struct print *p, unsigned number, const struct chassis_bulk_file *f)
{
	char keyword[CHASSIS_BULK_NAME + 32];

	line(p, 2, "file %u", number);
	text(p, 3, "remotefile format", f->remote);
	text(p, 3, "header format", f->header);
	text(p, 3, "footer format", f->footer);
	for (size_t i = 0; i < CHASSIS_BULK_SCHEMAS && f->schema[i].name[0]; i++) {
		snprintf(keyword, sizeof(keyword), "flow-kpi schema %s format", f->schema[i].name);
		text(p, 3, keyword, f->schema[i].format);
	}
	line(p, 2, "#exit");
}

static void print_bulk(const struct print *p)
{
	const struct chassis_bulk *b = &p->c->bulk;
	bool said = p->c->bulk_dir[0] || b->sample_min != CHASSIS_BULK_SAMPLE ||
	            b->transfer_min != CHASSIS_BULK_TRANSFER;

	for (unsigned i = 0; i < CHASSIS_BULK_FILES; i++)
		said = said || b->file[i].used;
	if (b->collect)
		line(p, 1, "bulkstats collection");
	if (!said)
		return;
	line(p, 1, "bulkstats mode");
	path(p, 2, "directory", p->c->bulk_dir);
	line(p, 2, "sample-interval %u", b->sample_min);
	line(p, 2, "transfer-interval %u", b->transfer_min);
	for (unsigned i = 0; i < CHASSIS_BULK_FILES; i++)
		if (b->file[i].used)
			print_bulk_file(p, i + 1, &b->file[i]);
	line(p, 1, "#exit");
}

static void print_all(const struct print *p)
{
	static const char *const severities[] = {"emergency", "alert",  "critical", "error",
						 "warning",   "notice", "info",     "debug"};
	const struct chassis_config *c = p->c;

	line(p, 0, "configure");
	if (!p->common) {
		print_first(p);
		print_bulk(p);
		line(p, 1, "system hostname %s", c->hostname);
		line(p, 1, "logging %s severity %s", c->logging, severities[c->severity & 7]);
	}
	line(p, 1, "task facility sessmgr max %u", c->sessmgrs);
	if (c->require_active_charging)
		line(p, 1, "require active-charging");
	contexts(p);
	if (c->service && p->common)
		line(p, 1, "active-charging %016llx",
		     (unsigned long long)ecs_service_digest(c->service));
	else if (c->service)
		ecs_service_print(c->service, put_service, (void *)(uintptr_t)p);
	line(p, 0, "end");
}

void chassis_config_print(const struct chassis_config *c, FILE *out)
{
	const struct print p = {.c = c, .out = out};

	print_all(&p);
}

uint64_t chassis_config_digest(const struct chassis_config *c)
{
	struct print p = {.c = c, .common = true};
	char *text = NULL;
	size_t len = 0;
	uint64_t digest = 0;

	p.out = open_memstream(&text, &len);
	if (!p.out)
		return 0;
	print_all(&p);
	if (fclose(p.out) == 0)
		digest = srp_hash64(len, text, len);
	free(text);
	return digest;
}
