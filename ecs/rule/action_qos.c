/* action_qos: commands of a charging-action that mark packets, bind the rule to a bearer, or choose
 * where packets go. */
#include "config.h"
#include "ecs/rule/action_own.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecs/rule/service_impl.h"

#define DSCP_MASK  0xfcu
#define LOWER_MASK 0x3fu

/* --- ip tos ----------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	uint8_t dscp;
} dscps[] = {{"be", 0},    {"ef", 46},   {"af11", 10}, {"af12", 12}, {"af13", 14},
             {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28},
             {"af33", 30}, {"af41", 34}, {"af42", 36}, {"af43", 38}};

#define NDSCPS (sizeof(dscps) / sizeof(dscps[0]))

static int take_tos(struct ecs_words *w, struct ecs_tos *t, struct ecs_err *e)
{
	uint32_t v = 0;
	int rc;

	for (size_t i = 0; i < NDSCPS; i++)
		if (ecs_words_take(w, dscps[i].word)) {
			*t = (struct ecs_tos){(uint8_t)(dscps[i].dscp << 2), DSCP_MASK};
			return 0;
		}
	if (ecs_words_take(w, "lower-bits")) {
		rc = ecs_words_num(w, "lower-bits", 0, LOWER_MASK, &v, e);
		*t = (struct ecs_tos){(uint8_t)v, LOWER_MASK};
	} else {
		rc = ecs_words_num(w, "tos byte", 0, 255, &v, e);
		*t = (struct ecs_tos){(uint8_t)v, 0xff};
	}
	return rc;
}

int own_TOS_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	struct ecs_tos t = {0, 0};
	bool up, down;
	int rc = form == ECS_FORM_SET ? take_tos(&w, &t, e) : 0;

	up = !w.n || strcmp(w.w[0], "uplink") == 0;
	down = !w.n || strcmp(w.w[0], "downlink") == 0;
	if (w.n && (up || down))
		ecs_words_next(&w);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	if (up)
		a->tos_up = t;
	if (down)
		a->tos_down = t;
	return 0;
}

static const char *tos_text(const struct ecs_tos *t, char buf[24])
{
	snprintf(buf, 24, t->mask == LOWER_MASK ? "lower-bits %u" : "%u", t->value);
	for (size_t i = 0; t->mask == DSCP_MASK && i < NDSCPS; i++)
		if (dscps[i].dscp << 2 == t->value)
			snprintf(buf, 24, "%s", dscps[i].word);
	return buf;
}

static bool tos_same(const struct ecs_tos *a, const struct ecs_tos *b)
{
	return a->mask == b->mask && a->value == b->value;
}

static void print_tos(const struct ecs_tos *t, const char *way, ecs_option_put_fn *put, void *arg)
{
	char line[64], text[24];

	if (!t->mask)
		return;
	snprintf(line, sizeof(line), "ip tos %s%s", tos_text(t, text), way);
	put(arg, line);
}

void own_TOS_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;

	if (tos_same(&a->tos_up, &a->tos_down)) {
		print_tos(&a->tos_up, "", put, arg);
		return;
	}
	print_tos(&a->tos_up, " uplink", put, arg);
	print_tos(&a->tos_down, " downlink", put, arg);
}

void own_TOS_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char up[24], down[24], text[96];

	if (!a->tos_up.mask && !a->tos_down.mask) {
		tell(arg, 0, "IP Type of Service", "Not Configured");
		return;
	}
	snprintf(text, sizeof(text), "uplink %s, downlink %s",
	         a->tos_up.mask ? tos_text(&a->tos_up, up) : "Not Configured",
	         a->tos_down.mask ? tos_text(&a->tos_down, down) : "Not Configured");
	tell(arg, 0, "IP Type of Service", text);
}

/* --- nexthop-forwarding-address --------------------------------------------------------------- */

int own_NEXTHOP_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	struct ecs_addr to = {{0}};
	int rc = form == ECS_FORM_SET ? ecs_words_addr(&w, &to, e) : 0;

	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		a->nexthop = to;
	return rc;
}

void own_NEXTHOP_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char line[96], text[48];

	if (ecs_addr_none(&a->nexthop))
		return;
	snprintf(line, sizeof(line), "nexthop-forwarding-address %s",
	         ecs_addr_word(&a->nexthop, text));
	put(arg, line);
}

void own_NEXTHOP_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char text[48];

	tell(arg, 0, "Nexthop Forwarding Address",
	     ecs_addr_none(&a->nexthop) ? "Not Configured" : ecs_addr_word(&a->nexthop, text));
}

/* --- qos-class-identifier, allocation-retention-priority -------------------------------------- */

int own_QCI_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	uint32_t v = 0;
	int rc = form == ECS_FORM_SET ? ecs_words_num(&w, "qos-class-identifier", 1, 9, &v, e) : 0;

	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc == 0)
		a->qci = (uint8_t)v;
	return rc;
}

void own_QCI_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char line[64];

	if (!a->qci)
		return;
	snprintf(line, sizeof(line), "qos-class-identifier %u", a->qci);
	put(arg, line);
}

void own_QCI_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char text[16] = "Not Configured";

	if (a->qci)
		snprintf(text, sizeof(text), "%u", a->qci);
	tell(arg, a->qci ? ECS_TELL_NUMBER : 0, "QoS Class Identifier", text);
}

int own_ARP_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	uint32_t arp = 0, pci = 1, pvi = 0;
	int rc = 0;

	if (form == ECS_FORM_SET)
		rc = ecs_words_num(&w, "allocation-retention-priority", 1, 15, &arp, e);
	while (form == ECS_FORM_SET && rc == 0 && w.n) {
		if (ecs_words_take(&w, "pci"))
			rc = ecs_words_num(&w, "pci", 0, 1, &pci, e);
		else if (ecs_words_take(&w, "pvi"))
			rc = ecs_words_num(&w, "pvi", 0, 1, &pvi, e);
		else
			break;
	}
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	a->arp = (uint8_t)arp;
	a->arp_pci = arp ? (uint8_t)pci : 0;
	a->arp_pvi = arp ? (uint8_t)pvi : 0;
	return 0;
}

void own_ARP_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char line[80];

	if (!a->arp)
		return;
	snprintf(line, sizeof(line), "allocation-retention-priority %u pci %u pvi %u", a->arp,
	         a->arp_pci, a->arp_pvi);
	put(arg, line);
}

void own_ARP_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char text[48] = "Not Configured";

	if (a->arp)
		snprintf(text, sizeof(text), "%u pci %u pvi %u", a->arp, a->arp_pci, a->arp_pvi);
	tell(arg, 0, "Allocation Retention Priority", text);
}

/* --- tft packet-filter ------------------------------------------------------------------------ */

static size_t tft_find(const struct ecs_charging_action *a, const char *name)
{
	size_t i = 0;

	while (i < a->ntft && strcmp(a->tft[i], name) != 0)
		i++;
	return i;
}

int own_TFT_set(void *obj, enum ecs_form form, struct ecs_words w, struct ecs_err *e)
{
	struct ecs_charging_action *a = obj;
	char name[ECS_NAME_MAX + 1];
	size_t i;
	int rc;

	if (form != ECS_FORM_SET && !w.n) {
		memset(a->tft, 0, sizeof(a->tft));
		a->ntft = 0;
		return 0;
	}
	rc = ecs_words_name(&w, "packet-filter", name, e);
	if (rc == 0)
		rc = ecs_words_end(&w, e);
	if (rc)
		return rc;
	i = tft_find(a, name);
	if (form != ECS_FORM_SET) {
		if (i == a->ntft)
			return ecs_refuse(e, SRP_ENOENT, "expected a packet-filter of this action");
		memmove(a->tft[i], a->tft[i + 1], (a->ntft - i - 1) * sizeof(a->tft[0]));
		a->ntft--;
		return 0;
	}
	if (i < a->ntft)
		return 0;
	if (i == ECS_TFT_MAX)
		return ecs_refuse(e, SRP_EFULL, "expected at most %d packet filters", ECS_TFT_MAX);
	ecs_name_copy(a->tft[a->ntft++], name);
	return 0;
}

void own_TFT_print(const void *obj, ecs_option_put_fn *put, void *arg)
{
	const struct ecs_charging_action *a = obj;
	char line[ECS_NAME_MAX + 32];

	for (size_t i = 0; i < a->ntft; i++) {
		snprintf(line, sizeof(line), "tft packet-filter %s", a->tft[i]);
		put(arg, line);
	}
}

void own_TFT_tell(const void *obj, ecs_tell_fn *tell, void *arg)
{
	const struct ecs_charging_action *a = obj;

	char text[ECS_TFT_MAX * (ECS_NAME_MAX + 2)] = "Not Configured";
	size_t n = 0;

	for (size_t i = 0; i < a->ntft; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? ", " : "", a->tft[i]);
	tell(arg, 0, "TFT Packet Filter", text);
}
