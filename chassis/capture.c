#include "config.h"
#include "chassis/capture.h"

#include <pcap/pcap.h>
#include <stdint.h>

#define VLAN_TAGS_MAX 4u

static unsigned get16(const uint8_t *b)
{
	return (unsigned)b[0] << 8 | b[1];
}

static bool is_ip(unsigned ethertype)
{
	return ethertype == 0x0800 || ethertype == 0x86dd;
}

/* Steps over what follows an Ethernet type: VLAN tags, PPPoE sessions. SIZE_MAX: no IP. */
static size_t past_ethertype(const uint8_t *b, size_t len, size_t at)
{
	for (unsigned i = 0; i <= VLAN_TAGS_MAX; i++) {
		unsigned type;

		if (len < at + 2)
			return SIZE_MAX;
		type = get16(b + at);
		if (is_ip(type))
			return at + 2;
		if (type == 0x8864) /* 6 bytes of PPPoE, then the PPP protocol */
			return len >= at + 10 && (get16(b + at + 8) == 0x0021 ||
			                          get16(b + at + 8) == 0x0057)
			               ? at + 10
			               : SIZE_MAX;
		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			return SIZE_MAX;
		at += 4;
	}
	return SIZE_MAX;
}

size_t chassis_capture_ip(int link, const uint8_t *b, size_t len)
{
	switch (link) {
	case DLT_EN10MB:
		return past_ethertype(b, len, 12);
	case DLT_LINUX_SLL:
		return past_ethertype(b, len, 14);
	case DLT_LINUX_SLL2:
		return len >= 20 && is_ip(get16(b)) ? 20 : SIZE_MAX;
	case DLT_NULL:
	case DLT_LOOP:
		/* the family, in the byte order of who wrote the file: the version says the same */
		return len > 4 && (b[4] >> 4 == 4 || b[4] >> 4 == 6) ? 4 : SIZE_MAX;
	case DLT_PPP:
		if (len > 4 && b[0] == 0xff && b[1] == 3)
			return get16(b + 2) == 0x0021 || get16(b + 2) == 0x0057 ? 4 : SIZE_MAX;
		return len > 2 && (get16(b) == 0x0021 || get16(b) == 0x0057) ? 2 : SIZE_MAX;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return len > 0 ? 0 : SIZE_MAX;
	default:
		return SIZE_MAX;
	}
}

bool chassis_capture_known(int link)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_NULL:
	case DLT_LOOP:
	case DLT_PPP:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return true;
	default:
		return false;
	}
}
