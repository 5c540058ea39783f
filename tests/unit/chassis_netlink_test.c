#include "config.h"

#include "suites.h"

#include "chassis/io/netlink.h"
#include "netns.h"
#include "srp/err.h"

/** True when the output of a command of iproute2 has @p text. */
static bool shows(const char *command, const char *text)
{
	return netns_run("ip %s | grep -q -- '%s'", command, text);
}

static struct chassis_nl *open_dev(void)
{
	struct chassis_nl *n = chassis_nl_open();

	CU_ASSERT_PTR_NOT_NULL_FATAL(n);
	CU_ASSERT_FATAL(netns_run("ip link add h-a type veth peer name h-b"));
	CU_ASSERT(chassis_nl_up(n, "h-a") == 0);
	CU_ASSERT(chassis_nl_up(n, "h-b") == 0);
	return n;
}

static void test_links(void)
{
	int home = netns_enter();
	uint8_t mac[6] = {0};
	struct chassis_nl *n;

	if (home < 0)
		return;
	n = open_dev();
	CU_ASSERT(shows("link show h-a", "state UP"));
	CU_ASSERT(chassis_nl_txqlen(n, "h-a", 20000) == 0);
	CU_ASSERT(shows("link show h-a", "qlen 20000"));
	CU_ASSERT(netns_run("ip link set h-a address 02:00:00:00:00:07"));
	CU_ASSERT(chassis_nl_mac("h-a", mac) == 0);
	CU_ASSERT(memcmp(mac, "\2\0\0\0\0\7", 6) == 0);
	CU_ASSERT(chassis_nl_ifindex("h-a") > 0);
	CU_ASSERT(chassis_nl_ifindex("h-none") == SRP_ENOENT);
	CU_ASSERT(chassis_nl_mac("h-none", mac) == SRP_ENOENT);
	CU_ASSERT(chassis_nl_mac("a-name-that-is-too-long", mac) == SRP_EINVAL);
	CU_ASSERT(chassis_nl_up(n, "h-none") == SRP_ENOENT);
	chassis_nl_close(n);
	netns_leave(home);
}

static void test_addresses(void)
{
	int home = netns_enter();
	struct ecs_addr v4 = netns_addr("192.0.2.1"), v6 = netns_addr("2001:db8::1");
	struct chassis_nl *n;

	if (home < 0)
		return;
	n = open_dev();
	for (int twice = 0; twice < 2; twice++) {
		CU_ASSERT(chassis_nl_addr(n, true, "h-a", &v4, 32) == 0);
		CU_ASSERT(chassis_nl_addr(n, true, "h-a", &v6, 128) == 0);
	}
	CU_ASSERT(shows("addr show h-a", "192.0.2.1/32"));
	CU_ASSERT(shows("addr show h-a", "2001:db8::1/128 scope global nodad"));
	CU_ASSERT(!shows("addr show h-a", "2001:db8::1.*tentative"));
	for (int twice = 0; twice < 2; twice++) {
		CU_ASSERT(chassis_nl_addr(n, false, "h-a", &v4, 32) == 0);
		CU_ASSERT(chassis_nl_addr(n, false, "h-a", &v6, 128) == 0);
	}
	CU_ASSERT(!shows("addr show h-a", "192.0.2.1"));
	CU_ASSERT(!shows("addr show h-a", "2001:db8::1"));
	CU_ASSERT(chassis_nl_addr(n, true, "h-a", &v4, 33) == SRP_ERANGE);
	CU_ASSERT(chassis_nl_addr(n, true, "h-a", &v6, 129) == SRP_ERANGE);
	CU_ASSERT(chassis_nl_addr(n, true, "h-none", &v4, 32) == SRP_ENOENT);
	CU_ASSERT(chassis_nl_addr(n, false, "h-none", &v4, 32) == 0);
	chassis_nl_close(n);
	netns_leave(home);
}

static void test_routes(void)
{
	int home = netns_enter();
	struct ecs_addr v4 = netns_addr("198.51.100.77"), any4 = netns_addr("0.0.0.0");
	struct ecs_addr v6 = netns_addr("2001:db8:7::9"), any6 = netns_addr("::");
	struct ecs_addr gw = netns_addr("192.0.2.254"), gw6 = netns_addr("2001:db8::254");
	struct chassis_nl *n;

	if (home < 0)
		return;
	n = open_dev();
	CU_ASSERT_FATAL(netns_run("ip addr add 192.0.2.1/24 dev h-a && ip -6 addr add "
				  "2001:db8::1/64 nodad dev h-a"));
	for (int twice = 0; twice < 2; twice++) {
		/* Bits behind the prefix are cut off. */
		CU_ASSERT(chassis_nl_route(n, true, 1000, &v4, 24, "h-a", NULL, 0) == 0);
		CU_ASSERT(chassis_nl_route(n, true, 1000, &v6, 48, NULL, &gw6, 7) == 0);
		CU_ASSERT(chassis_nl_route(n, true, 70000, &any4, 0, "h-a", &gw, 10) == 0);
		CU_ASSERT(chassis_nl_route(n, true, 70000, &any6, 0, "h-a", NULL, 10) == 0);
		CU_ASSERT(chassis_nl_blackhole(n, true, 70000, false, 100) == 0);
		CU_ASSERT(chassis_nl_blackhole(n, true, 70000, true, 100) == 0);
	}
	CU_ASSERT(shows("route show table 1000", "198.51.100.0/24 dev h-a.*scope link"));
	CU_ASSERT(shows("-6 route show table 1000",
			"2001:db8:7::/48 via 2001:db8::254 dev h-a.*metric 7"));
	CU_ASSERT(shows("route show table 70000", "default via 192.0.2.254 dev h-a.*metric 10"));
	CU_ASSERT(shows("route show table 70000", "blackhole default.*metric 100"));
	CU_ASSERT(shows("-6 route show table 70000", "default dev h-a.*metric 10"));
	CU_ASSERT(shows("-6 route show table 70000", "blackhole default.*metric 100"));
	/* Another next hop at the same place replaces. */
	gw = netns_addr("192.0.2.253");
	CU_ASSERT(chassis_nl_route(n, true, 70000, &any4, 0, "h-a", &gw, 10) == 0);
	CU_ASSERT(!shows("route show table 70000", "192.0.2.254"));
	CU_ASSERT(shows("route show table 70000", "192.0.2.253"));
	for (int twice = 0; twice < 2; twice++) {
		CU_ASSERT(chassis_nl_route(n, false, 1000, &v4, 24, "h-a", NULL, 0) == 0);
		CU_ASSERT(chassis_nl_route(n, false, 1000, &v6, 48, NULL, &gw6, 7) == 0);
		CU_ASSERT(chassis_nl_route(n, false, 70000, &any4, 0, NULL, NULL, 10) == 0);
		CU_ASSERT(chassis_nl_blackhole(n, false, 70000, true, 100) == 0);
	}
	CU_ASSERT(!shows("route show table 1000", "198.51"));
	CU_ASSERT(!shows("-6 route show table 1000", "2001:db8:7"));
	CU_ASSERT(!shows("route show table 70000", "via"));
	CU_ASSERT(shows("route show table 70000", "blackhole"));
	CU_ASSERT(!shows("-6 route show table 70000", "blackhole"));
	CU_ASSERT(chassis_nl_route(n, true, 1000, &v4, 33, "h-a", NULL, 0) == SRP_ERANGE);
	CU_ASSERT(chassis_nl_route(n, true, 1000, &v4, 24, NULL, NULL, 0) == SRP_EINVAL);
	CU_ASSERT(chassis_nl_route(n, true, 1000, &v4, 24, "h-a", &gw6, 0) == SRP_EINVAL);
	CU_ASSERT(chassis_nl_route(n, true, 1000, &v4, 24, "h-none", NULL, 0) == SRP_ENOENT);
	chassis_nl_close(n);
	netns_leave(home);
}

static void test_rules_and_sweep(void)
{
	int home = netns_enter();
	struct ecs_addr pool = netns_addr("10.20.3.4"), pool6 = netns_addr("2001:db8:20::");
	struct ecs_addr any = netns_addr("0.0.0.0");
	struct chassis_nl *n;

	if (home < 0)
		return;
	n = open_dev();
	for (int twice = 0; twice < 2; twice++) {
		CU_ASSERT(chassis_nl_rule(n, true, 1000, "h-a", false, NULL, 0, 1000) == 0);
		CU_ASSERT(chassis_nl_rule(n, true, 1001, "h-a", true, NULL, 0, 1000) == 0);
		CU_ASSERT(chassis_nl_rule(n, true, 1002, "h-b", false, &pool, 16, 70000) == 0);
		CU_ASSERT(chassis_nl_rule(n, true, 1099, "h-b", true, &pool6, 48, 70000) == 0);
		CU_ASSERT(chassis_nl_rule(n, true, 1100, "h-b", false, NULL, 0, 99) == 0);
	}
	CU_ASSERT(shows("rule show", "^1000:.*from all iif h-a lookup 1000"));
	CU_ASSERT(shows("-6 rule show", "^1001:.*from all iif h-a lookup 1000"));
	CU_ASSERT(shows("rule show", "^1002:.*from all to 10.20.0.0/16 iif h-b lookup 70000"));
	CU_ASSERT(shows("-6 rule show", "^1099:.*to 2001:db8:20::/48 iif h-b lookup 70000"));
	CU_ASSERT(!netns_run("test $(ip rule show | grep -c ^1000:) -ne 1"));
	for (int twice = 0; twice < 2; twice++)
		CU_ASSERT(chassis_nl_rule(n, false, 1000, "h-a", false, NULL, 0, 1000) == 0);
	CU_ASSERT(!shows("rule show", "^1000:"));
	CU_ASSERT(chassis_nl_rule(n, true, 1000, "a-name-that-is-too-long", false, NULL, 0, 1) ==
		  SRP_EINVAL);
	CU_ASSERT(chassis_nl_rule(n, true, 1000, "h-a", false, &pool, 33, 1) == SRP_ERANGE);

	CU_ASSERT(chassis_nl_route(n, true, 1000, &any, 0, "h-a", NULL, 0) == 0);
	CU_ASSERT(chassis_nl_route(n, true, 70000, &any, 0, "h-a", NULL, 0) == 0);
	CU_ASSERT(chassis_nl_blackhole(n, true, 70000, true, 100) == 0);
	CU_ASSERT(chassis_nl_route(n, true, 70001, &any, 0, "h-a", NULL, 0) == 0);
	CU_ASSERT(chassis_nl_route(n, true, 254, &pool, 32, "h-a", NULL, 0) == 0);
	for (int twice = 0; twice < 2; twice++)
		CU_ASSERT(chassis_nl_sweep(n, 1000, 1099, 1000, 70000) == 0);
	CU_ASSERT(!shows("rule show", "^10[0-9][0-9]:"));
	CU_ASSERT(!shows("-6 rule show", "^10[0-9][0-9]:"));
	CU_ASSERT(shows("rule show", "^1100:"));
	CU_ASSERT(!shows("route show table 1000", "default"));
	CU_ASSERT(!shows("route show table 70000", "default"));
	CU_ASSERT(!shows("-6 route show table 70000", "default"));
	CU_ASSERT(shows("route show table 70001", "default"));
	CU_ASSERT(shows("route show", "10.20.3.4"));
	/* The host's own are never in reach. */
	CU_ASSERT(chassis_nl_sweep(n, 0, 10, 1000, 1001) == SRP_ERANGE);
	CU_ASSERT(chassis_nl_sweep(n, 1, 32766, 1000, 1001) == SRP_ERANGE);
	CU_ASSERT(chassis_nl_sweep(n, 10, 9, 1000, 1001) == SRP_ERANGE);
	CU_ASSERT(chassis_nl_sweep(n, 1, 32765, 100, 253) == SRP_ERANGE);
	CU_ASSERT(chassis_nl_sweep(n, 1, 32765, 255, 300) == SRP_ERANGE);
	CU_ASSERT(chassis_nl_sweep(n, 1, 32765, 256, 300) == 0);
	chassis_nl_close(n);
	netns_leave(home);
}

static void test_sweep_of_many(void)
{
	enum { N = 3000 }; /* several datagrams of a dump */
	int home = netns_enter();
	struct ecs_addr a = netns_addr("10.30.0.0");
	struct chassis_nl *n;

	if (home < 0)
		return;
	n = open_dev();
	for (unsigned i = 0; i < N; i++) {
		a.b[14] = (uint8_t)(i >> 8);
		a.b[15] = (uint8_t)i;
		CU_ASSERT(chassis_nl_route(n, true, 1000, &a, 32, "h-a", NULL, 0) == 0);
	}
	CU_ASSERT(netns_run("test $(ip route show table 1000 | wc -l) -eq %d", N));
	CU_ASSERT(chassis_nl_sweep(n, 1000, 1000, 1000, 1000) == 0);
	CU_ASSERT(netns_run("test $(ip route show table 1000 | wc -l) -eq 0"));
	chassis_nl_close(n);
	netns_leave(home);
}

static void test_sysctl(void)
{
	int home = netns_enter();

	if (home < 0)
		return;
	CU_ASSERT(chassis_sysctl("ipv4/ip_forward", "1") == 0);
	CU_ASSERT(netns_run("grep -q 1 /proc/sys/net/ipv4/ip_forward"));
	CU_ASSERT(chassis_sysctl("ipv4/ip_forward", "0") == 0);
	CU_ASSERT(netns_run("grep -q 0 /proc/sys/net/ipv4/ip_forward"));
	CU_ASSERT(chassis_sysctl("ipv4/no_such_thing", "1") == SRP_ENOENT);
	CU_ASSERT(chassis_sysctl("ipv4/ip_forward", "nonsense") == SRP_EIO);
	CU_ASSERT(chassis_sysctl("../kernel/hostname", "x") == SRP_EINVAL);
	CU_ASSERT(chassis_sysctl("/etc/hostname", "x") == SRP_EINVAL);
	netns_leave(home);
}

CU_TestInfo chassis_netlink_tests[] = {
	{"links: up, queue length, MAC", test_links},
	{"addresses, twice, both families", test_addresses},
	{"routes by device and next hop, blackholes", test_routes},
	{"rules, and what a sweep removes and leaves", test_rules_and_sweep},
	{"a sweep of many", test_sweep_of_many},
	{"sysctl stays in its folder", test_sysctl},
	CU_TEST_INFO_NULL,
};
