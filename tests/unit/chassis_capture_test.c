#include "config.h"
#include "suites.h"

#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "chassis/capture.h"

/* The offset in a copy of exactly this size, so that a read past it is found. */
static size_t offset(int link, const uint8_t *b, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	size_t at;

	memcpy(copy, b, len);
	at = chassis_capture_ip(link, copy, len);
	free(copy);
	return at;
}

static const struct {
	int link;
	size_t at, len;
	uint8_t b[48];
} frames[] = {
	{DLT_EN10MB, 14, 15, {[12] = 0x08, [13] = 0x00, [14] = 0x45}},
	{DLT_EN10MB, 14, 15, {[12] = 0x86, [13] = 0xdd, [14] = 0x60}},
	{DLT_EN10MB, 18, 19, {[12] = 0x81, [16] = 0x08, [18] = 0x45}},
	{DLT_EN10MB, 30, 31, {[12] = 0x88, 0xa8, [16] = 0x81, [20] = 0x91, [24] = 0x81,
	                      [28] = 0x08, [30] = 0x45}},
	{DLT_EN10MB, 22, 23, {[12] = 0x88, 0x64, [21] = 0x21, [22] = 0x45}},
	{DLT_LINUX_SLL, 16, 17, {[14] = 0x08, [16] = 0x45}},
	{DLT_LINUX_SLL2, 20, 21, {0x86, 0xdd, [20] = 0x60}},
	{DLT_NULL, 4, 5, {2, [4] = 0x45}},
	{DLT_LOOP, 4, 5, {[3] = 30, 0x60}},
	{DLT_PPP, 4, 5, {0xff, 3, 0, 0x21, 0x45}},
	{DLT_PPP, 2, 3, {0, 0x57, 0x60}},
	{DLT_RAW, 0, 1, {0x45}},
	{DLT_IPV4, 0, 1, {0x45}},
};

static void frames_of_every_link(void)
{
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		CU_ASSERT_TRUE(chassis_capture_known(frames[i].link));
		CU_ASSERT_EQUAL(offset(frames[i].link, frames[i].b, frames[i].len), frames[i].at);
		for (size_t n = 0; n < frames[i].len; n++) {
			size_t at = offset(frames[i].link, frames[i].b, n);

			CU_ASSERT_TRUE(at == SIZE_MAX || at == frames[i].at);
			CU_ASSERT_TRUE(at == SIZE_MAX || at <= n);
		}
	}
}

static void frames_without_ip(void)
{
	static const uint8_t arp[48] = {[12] = 0x08, [13] = 0x06};
	static const uint8_t pppoe[48] = {[12] = 0x88, 0x64, [20] = 0xc0, [21] = 0x21};
	uint8_t tags[64] = {0};

	CU_ASSERT_EQUAL(offset(DLT_EN10MB, arp, sizeof(arp)), SIZE_MAX);
	CU_ASSERT_EQUAL(offset(DLT_EN10MB, pppoe, sizeof(pppoe)), SIZE_MAX);
	CU_ASSERT_EQUAL(offset(DLT_NULL, arp, sizeof(arp)), SIZE_MAX);
	for (size_t i = 0; i < 5; i++) /* one tag more than are stepped over */
		tags[12 + 4 * i] = 0x81;
	tags[32] = 0x08;
	CU_ASSERT_EQUAL(offset(DLT_EN10MB, tags, sizeof(tags)), SIZE_MAX);
	CU_ASSERT_FALSE(chassis_capture_known(DLT_IEEE802_11));
	CU_ASSERT_EQUAL(offset(DLT_IEEE802_11, arp, sizeof(arp)), SIZE_MAX);
}

CU_TestInfo chassis_capture_tests[] = {
	{"frames of every link", frames_of_every_link},
	{"frames without IP", frames_without_ip},
	CU_TEST_INFO_NULL,
};
