#include "config.h"
#include "ecs/app.h"

#include <ndpi_api.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_CAP 48

struct ecs_app {
	struct ndpi_detection_module_struct *mod;
};

struct ecs_app_flow {
	struct ndpi_flow_struct *flow;
	uint16_t packets; /* with payload */
};

/* Names, filled once: nDPI gives them only through a module. */
static char names[NDPI_MAX_SUPPORTED_PROTOCOLS][NAME_CAP];
static bool named;

static struct ndpi_detection_module_struct *module_new(void)
{
	struct ndpi_detection_module_struct *m = ndpi_init_detection_module(ndpi_no_prefs);
	NDPI_PROTOCOL_BITMASK all;

	if (!m)
		return NULL;
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(m, &all);
	return m;
}

static void fill_names(void)
{
	struct ndpi_detection_module_struct *m;

	if (named)
		return;
	m = module_new();
	if (!m)
		return;
	for (uint16_t i = 0; i < NDPI_MAX_SUPPORTED_PROTOCOLS; i++) {
		const char *n = ndpi_get_proto_name(m, i);

		if (n && (i == 0 || strcasecmp(n, "Unknown") != 0))
			snprintf(names[i], NAME_CAP, "%s", n);
	}
	ndpi_exit_detection_module(m);
	named = true;
}

int ecs_app_by_name(const char *name)
{
	fill_names();
	for (int i = 1; i < NDPI_MAX_SUPPORTED_PROTOCOLS; i++)
		if (names[i][0] && strcasecmp(names[i], name) == 0)
			return i;
	return -1;
}

const char *ecs_app_name(uint16_t id)
{
	if (id == 0)
		return "Unknown";
	fill_names();
	return id < NDPI_MAX_SUPPORTED_PROTOCOLS && names[id][0] ? names[id] : NULL;
}

struct ecs_app *ecs_app_new(void)
{
	struct ecs_app *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->mod = module_new();
	if (!a->mod) {
		free(a);
		return NULL;
	}
	ndpi_finalize_initialization(a->mod);
	return a;
}

void ecs_app_free(struct ecs_app *a)
{
	if (!a)
		return;
	ndpi_exit_detection_module(a->mod);
	free(a);
}

struct ecs_app_flow *ecs_app_flow_new(void)
{
	struct ecs_app_flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->flow = ndpi_flow_malloc(SIZEOF_FLOW_STRUCT);
	if (!f->flow) {
		free(f);
		return NULL;
	}
	memset(f->flow, 0, SIZEOF_FLOW_STRUCT);
	return f;
}

void ecs_app_flow_free(struct ecs_app_flow *f)
{
	if (!f)
		return;
	ndpi_free_flow(f->flow);
	free(f);
}

bool ecs_app_packet(struct ecs_app *a, struct ecs_app_flow *f, const struct ecs_packet *p,
                    struct srp_time now, struct ecs_l7 *l7)
{
	size_t len = p->cap > 0xffff ? 0xffff : p->cap;
	ndpi_protocol r;
	bool over;

	r = ndpi_detection_process_packet(a->mod, f->flow, p->data, (unsigned short)len,
	                                  now.us / 1000);
	if (p->payload_len)
		f->packets++;
	over = r.app_protocol != NDPI_PROTOCOL_UNKNOWN &&
	       !ndpi_extra_dissection_possible(a->mod, f->flow);
	if (!over && f->packets >= ECS_APP_PACKETS_MAX) {
		uint8_t guessed;

		/* without guessing by port: that is no ground for a charge */
		if (r.app_protocol == NDPI_PROTOCOL_UNKNOWN)
			r = ndpi_detection_giveup(a->mod, f->flow, 0, &guessed);
		over = true;
	}
	if (r.app_protocol != NDPI_PROTOCOL_UNKNOWN || r.master_protocol != NDPI_PROTOCOL_UNKNOWN) {
		l7->app = r.app_protocol;
		l7->app_master = r.master_protocol;
		l7->app_category = (uint8_t)r.category;
	}
	return over;
}
