/* capture: where the IP packet begins in a frame of a capture. */
#ifndef CHASSIS_CAPTURE_H
#define CHASSIS_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** True for the link types (DLT_*) that are read: Ethernet, Linux cooked, loopback, PPP, raw IP. */
bool chassis_capture_known(int link);
/** Offset of the IP header in a frame, after VLAN tags and PPPoE; SIZE_MAX: there is none. */
size_t chassis_capture_ip(int link, const uint8_t *b, size_t len);

#endif
