/* app: applications as nDPI detects them, by name and by number, and the detection itself. */
#ifndef ECS_APP_H
#define ECS_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "ecs/packet.h"
#include "ecs/rule/service.h"
#include "srp/time.h"

/** Packets with payload that nDPI sees of one flow before it must guess. */
#define ECS_APP_PACKETS_MAX 24

/** nDPI's number of an application, by its name in any case ("BitTorrent"); -1 unknown. Works
 *  without an engine; not thread safe at first use. */
int ecs_app_by_name(const char *name);
/** The name of an application; "Unknown" for 0, NULL for a number that is none. */
const char *ecs_app_name(uint16_t id);

/** True for an application that shares files between subscribers (BitTorrent, eDonkey ...). */
bool ecs_app_shares_files(uint16_t id);
/** What kind of traffic an application is (enum ecs_traffic), from nDPI's category of it; 0 not known
 *  (yet); UNCLASSIFIED once it is @p final and nothing is known. */
uint8_t ecs_app_traffic(uint16_t app, uint16_t master, bool final);
/** How it behaves (enum ecs_behavior); 0 not known. */
uint8_t ecs_app_behavior(uint16_t app, uint16_t master);

struct ecs_app;
struct ecs_app_flow;

/** A detection module with all protocols enabled; NULL without memory. */
struct ecs_app *ecs_app_new(void);
void ecs_app_free(struct ecs_app *a);
/** What nDPI keeps of one flow; freed with ecs_app_flow_free. NULL without memory. */
struct ecs_app_flow *ecs_app_flow_new(void);
void ecs_app_flow_free(struct ecs_app_flow *f);
/**
 * Shows one packet of a flow to nDPI and writes what it knows into @p l7 (app, app_master,
 * app_category).
 * @return true when it will say nothing more of this flow
 */
bool ecs_app_packet(struct ecs_app *a, struct ecs_app_flow *f, const struct ecs_packet *p,
                    struct srp_time now, struct ecs_l7 *l7);

#endif
