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
static uint8_t categories[NDPI_MAX_SUPPORTED_PROTOCOLS];
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
		categories[i] = (uint8_t)ndpi_get_proto_category(m, (ndpi_protocol){.app_protocol = i});
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

static unsigned category(uint16_t app, uint16_t master)
{
	unsigned c;

	fill_names();
	c = app < NDPI_MAX_SUPPORTED_PROTOCOLS ? categories[app] : 0;
	if (!c && master < NDPI_MAX_SUPPORTED_PROTOCOLS)
		c = categories[master];
	return c;
}

/* nDPI has one category for transfers of files and for sharing them: those that share. */
bool ecs_app_shares_files(uint16_t id)
{
	switch (id) {
	case NDPI_PROTOCOL_BITTORRENT:
	case NDPI_PROTOCOL_EDONKEY:
	case NDPI_PROTOCOL_GNUTELLA:
	case NDPI_PROTOCOL_APPLEJUICE:
	case NDPI_PROTOCOL_DIRECTCONNECT:
	case NDPI_PROTOCOL_OPENFT:
	case NDPI_PROTOCOL_FASTTRACK:
	case NDPI_PROTOCOL_THUNDER:
	case NDPI_PROTOCOL_STEALTHNET:
		return true;
	default:
		return category(id, 0) == NDPI_PROTOCOL_CATEGORY_FILE_SHARING;
	}
}

uint8_t ecs_app_traffic(uint16_t app, uint16_t master, bool final)
{
	switch (category(app, master)) {
	case CUSTOM_CATEGORY_ADVERTISEMENT:
		return ECS_TRAFFIC_ADS;
	case NDPI_PROTOCOL_CATEGORY_MUSIC:
		return ECS_TRAFFIC_S_AUDIO;
	case NDPI_PROTOCOL_CATEGORY_DATA_TRANSFER:
	case NDPI_PROTOCOL_CATEGORY_DOWNLOAD_FT:
	case NDPI_PROTOCOL_CATEGORY_FILE_SHARING:
	case NDPI_PROTOCOL_CATEGORY_SW_UPDATE:
		return ECS_TRAFFIC_FILE;
	case NDPI_PROTOCOL_CATEGORY_CHAT:
		return ECS_TRAFFIC_IM;
	case NDPI_PROTOCOL_CATEGORY_STREAMING:
	case NDPI_PROTOCOL_CATEGORY_VIDEO:
		return ECS_TRAFFIC_S_VIDEO;
	case NDPI_PROTOCOL_CATEGORY_MEDIA:
		return ECS_TRAFFIC_VIDEO;
	case NDPI_PROTOCOL_CATEGORY_VPN:
		return ECS_TRAFFIC_TUNNEL;
	case NDPI_PROTOCOL_CATEGORY_VOIP:
		return ECS_TRAFFIC_VOIPOUT;
	default:
		return final ? ECS_TRAFFIC_UNCLASSIFIED : ECS_TRAFFIC_NONE;
	}
}

uint8_t ecs_app_behavior(uint16_t app, uint16_t master)
{
	if (ecs_app_shares_files(app) || ecs_app_shares_files(master))
		return ECS_BEHAVIOR_P2P;
	if (app == NDPI_PROTOCOL_YOUTUBE_UPLOAD)
		return ECS_BEHAVIOR_UPLOAD;
	switch (category(app, master)) {
	case NDPI_PROTOCOL_CATEGORY_DOWNLOAD_FT:
	case NDPI_PROTOCOL_CATEGORY_SW_UPDATE:
		return ECS_BEHAVIOR_DOWNLOAD;
	case NDPI_PROTOCOL_CATEGORY_MEDIA:
	case NDPI_PROTOCOL_CATEGORY_STREAMING:
	case NDPI_PROTOCOL_CATEGORY_VIDEO:
		return ECS_BEHAVIOR_VIDEO;
	case NDPI_PROTOCOL_CATEGORY_VOIP:
		return ECS_BEHAVIOR_VOIP;
	default:
		return ECS_BEHAVIOR_NONE;
	}
}

struct ecs_app *ecs_app_new(void)
{
	struct ecs_app *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	fill_names();
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
