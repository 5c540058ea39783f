/* Lines of the configuration: those that load, with their round trip, and why the others do not. */
#include "config.h"
#include "suites.h"

#include "config_kit.h"

static void framed(char *buf, size_t cap, const struct frame *f, const char *line)
{
	snprintf(buf, cap, "%s%s%s", f->open, line, f->close);
}

static const struct {
	struct frame f;
	const char *line;
} good[] = {
	{CONF, "system hostname h"}, {CONF, "task facility sessmgr max 32"},
	{CONF, "logging syslog severity debug"}, {CONF, "no require active-charging"},
	{CONF, "license key-file /k"}, {CONF, "license key-file \"/a b\\\\c\""},
	{CONF, "license key-file /k\nrequire session recovery"},
	{CONF, "license key-file /k\ncontext local\nexit\nrequire session recovery"},
	{CONF, "license key-file /k\nrequire session recovery\nlicense key-file /l"},
	{CONF, "license key-file /k\nno license key-file"},
	{CONF, "no require session recovery"},
	{CONF, "session-recovery reserve sessions 1 flows 1"},
	{CONF, "session-recovery reserve sessions 1000000 flows 4000000"},
	{CONF, "default session-recovery reserve"},
	{CONF, "crash enable"}, {CONF, "crash enable directory /var/cores"},
	{CONF, "crash enable directory /c\nno crash enable"},
	{CTX, "ip pool p 10.0.0.0/8 public 3 srp-activate"},
	{CTX, "ip pool p 10.0.0.0 255.255.255.0 static"},
	{CTX, "ipv6 pool p 2001:db8::/64"},
	{CTX, "ip pool p 10.0.0.0/8\nno ip pool p\nip pool p 10.0.0.0/9"},
	{CTX, "interface lo1 loopback\nip address 192.0.2.1 255.255.255.255 srp-activate\nexit"},
	{IF, "side core"}, {IF, "ipv6 address 2001:db8::1/128 srp-activate"},
	{IF, "ip address 10.0.0.1/8\nno ip address 10.0.0.1/8"},
	{APN, "active-charging rulebase " NAME63}, {APN, "timeout idle 4294967295"},
	{SRP, "chassis-mode primary"}, {SRP, "priority 255"}, {SRP, "port 65503"},
	{SRP, "peer-ip-address 2001:db8::1"}, {SRP, "hello-interval 10\ndead-interval 30"},
	{SRP, "hello-interval msec 1\ndead-interval msec 5"},
	{SRP, "checkpoint session duration 0"}, {SRP, "checkpoint session duration non-ims-session 65535"},
	{SRP, "checkpoint session compression lz4"}, {SRP, "checkpoint rate-limit 1"},
	{SRP, "checkpoint rate-limit 10 burst 20"}, {SRP, "audit periodicity 43200"},
	{SRP, "relay-time msec 1500"}, {SRP, "control-pending timeout 3600"},
	{SRP, "tls certificate \"/etc/a b\\\\c\""}, {SRP, "tls peer-name a.example"},
	{SRP, "state-file relative/path"}, {SRP, "default dead-interval"},
	{ACS, "idle-timeout tcp half-open 0"}, {ACS, "no idle-timeout udp"},
	{ACS, "idle-timeout alg-media 86400\ndefault idle-timeout alg-media"},
	{ACS, "idle-timeout flow-mapping tcp 1\nidle-timeout flow-mapping udp 2"},
	{ACS, "no idle-timeout alg-media\nno idle-timeout flow-mapping tcp"},
	{TA, "exit\nsystem-limit flow-chkpt-per-call 300"}, {TA, "exit\nsystem-limit flow-chkpt-per-call 1"},
	{ACS, "system-limit flow-chkpt-per-call 10\nno system-limit flow-chkpt-per-call\nno flow-recovery p2p"},
	{TC, "delay = 600\nrule-name = r"},
	{ACS, "ruledef " NAME63 "\n#exit"}, {ACS, "ruledef r\n#exit\nno ruledef r"},
	{RULE, "ip any-match = TRUE"}, {RULE, "ip dst-address != 10.0.0.0/8"},
	{RULE, "ip server-ip-address range 10.0.0.1 to 10.0.0.9"},
	{RULE, "ip protocol = udp"}, {RULE, "ip protocol >= 200"}, {RULE, "ip version = ipv6"},
	{RULE, "tcp either-port range 1 to 65535"}, {RULE, "tcp state = established"},
	{RULE, "http host case-sensitive contains \"a b\""}, {RULE, "http url regex \"^a\\\\.b$\""},
	{RULE, "tls sni present"}, {RULE, "dns query-name !ends-with .org"},
	{RULE, "tcp any-match = TRUE\nno tcp any-match = TRUE"}, {RULE, "icmp type = 8"},
	{RB, "action priority 2 timedef night ruledef r charging-action c"},
	{ACS, "p2p-detection protocol all"}, {ACS, "p2p-detection protocol nosuchapp FTP_CONTROL dns\nno p2p-detection protocol dns nosuchapp"},
	{ACS, "p2p-detection behavioral voip download\np2p-detection behavioral all\nno p2p-detection behavioral voip"},
	{ACS, "p2p-detection protocol dns\nno p2p-detection protocol all"},
	{ACS, "imsi-pool p\nimsi 001010000000007\nimsi = 12\nno imsi 12\nimsi range 26201 to 26209\nexit\n"
	 "ruledef z\nbearer 3gpp imsi !range imsi-pool p\nexit"},
	{ACS, "timedef night\nstart time 22 0 0 end time 5 59 59\nstart day saturday time 0 0 0 end day sunday time 23 59 59\n"
	 "no start time 22 0 0 end time 5 59 59\nexit\ntimedef gone\nexit\nno timedef gone"},
	{GOR, "group-of-ruledefs-application charging\nno group-of-ruledefs-application"},
	{GOR, "group-of-ruledefs-application charging"}, {GOR, "group-of-ruledefs-application post-processing"},
	{TA, "step-up\nstep-down a b c"}, {TA, "step-up a\nno step-up\nstep-down a\nstep-down b"},
	{GOR, "add-ruledef priority 10000 ruledef r"}, {GOR, "no add-ruledef priority 1"},
	{RB, "action priority 65535 group-of-ruledefs g charging-action c"},
	{RB, "no action priority 1"}, {RB, "flow control-handshaking charge-to-application mid-session-packets all-packets"},
	{CA, "cca charging credit rating-group 65535"}, {CA, "flow action discard uplink"},
	{CA, "flow action redirect-url \"http://a.example/x?y=z&w#v\""}, {CA, "flow action redirect-url http://a\nno flow action"},
	{CA, "flow action readdress server 192.0.2.1 port 65535"}, {CA, "flow action terminate-flow"},
	{CA, "flow action url-readdress server 2001:db8::1 port 1"}, {CA, "flow action url-readdress server 192.0.2.1\nno flow action"},
	{CA, "flow action redirect-url http://a first-request-only"},
	{CA, "flow action random-drop interval 1 to 999 pkts-to-drop 100 to 100"},
	{CA, "flow action redirect-ocs-url"}, {CA, "flow action rulebase-change other"},
	{CA, "flow action conditional user-agent end-token a23456789b123456789c123456789d12"},
	{CA, "flow action redirect-url http://a\nflow action conditional user-agent end-token done"},
	{ACS, "redirect user-agent Mozilla\nredirect user-agent Opera\nno redirect user-agent mozilla"},
	{CA, "flow limit-for-bandwidth direction downlink violate-action lower-ip-precedence exceed-action discard"},
	{CA, "flow limit-for-bandwidth id 1\nno flow limit-for-bandwidth id"},
	{CA, "ip tos af11\nip tos 1 downlink"}, {CA, "nexthop-forwarding-address ::2"},
	{CA, "allocation-retention-priority 15 pvi 1\nqos-class-identifier 9"},
	{CA, "tft packet-filter a\ntft packet-filter b\nno tft packet-filter a\ntft-notify-ue"},
	{CA, "billing-action create-edrs charging-edr a exclude-from-udrs"},
	{CA, "billing-action create-edrs charging-edr a wait-until-flow-ends\nno billing-action"},
	{CA, "charge-volume constant 65535"}, {CA, "charge-volume udp packets uplink\ndefault charge-volume"},
	{CA, "cca charging credit rating-group 0 preemptively-request"},
	{CA, "content-filtering processing server-group"}, {CA, "xheader-insert xheader-format x"},
	{RB, "action priority 1 dynamic-only adc mute ruledef q charging-action c monitoring-key 4000000000 description \"a b\""},
	{RB, "post-processing priority 65535 group-of-ruledefs g charging-action c description x"},
	{RB, "route priority 1 ruledef q analyzer sip advanced description x\nno route priority 1"},
	{RB, "dynamic-rule order first-if-tied\ndefault dynamic-rule order"},
	{RB, "flow limit-across-applications 4000000000\nflow limit-across-applications tcp 1\nno flow limit-across-applications"},
	{RB, "flow end-condition timeout hagr flow-overflow charging-edr a reporting-edr b\nno flow end-condition hagr"},
	{RB, "edr transaction-complete http charging-edr a\nedr suppress-zero-byte-records"},
	{RB, "billing-records udr udr-format u\nno billing-records"},
	{RB, "tcp 2msl-timeout 20 port-reuse"}, {RB, "no tcp 2msl-timeout"}, {RB, "tcp packets-out-of-order timeout 30000"},
	{RB, "flow control-handshaking charge-separate-from-application"},
	{ACS, "system-limit l4-flows 2147483647"}, {ACS, "no system-limit l4-flows"},
	{ACS, "check-point accounting sync-timer icsr 4 sr 60"}, {ACS, "check-point accounting sync-timer sr 60 icsr 4\nno check-point accounting sync-timer sr"},
	{ACS, "packet-filter f\ndirection downlink\nip local-port range 1 to 2\nip remote-port = 65535\nip protocol = 0\n"
	 "ip remote-address = 192.0.2.0/24\nip tos-traffic-class = 255 mask = 0\npriority 255\nno ip local-port\nexit\nno packet-filter f"},
	{ACS, "edr-format e\nattribute sn-start-time format MM/DD/YY-HH:MM:SS:sss localtime priority 1\nattribute sn-volume-amt ip bytes uplink priority 65535\n"
	 "rule-variable http host priority 2\nevent-label x priority 3\ndelimiter tab\nno event-label x\nexit"},
	{ACS, "udr-format u\nattribute sn-volume-amt tcp pkts downlink priority 1\nno attribute sn-volume-amt tcp pkts downlink\nexit\nno udr-format u"},
	{TA, "activate-predef-rule r\nthrottle-suppress\ntransactional-rule-matching\nservice-chain s\ncharge-request-to-response http all"},
	{TA, "transactional-rule-matching response http get post\nno transactional-rule-matching response http get"},
	{ACS, "ruledef z\ntethering-detection flow-tethered\nno tethering-detection flow-tethered = TRUE\n"
	 "tethering-detection flow-not-tethered\nexit"},
	{TA, "default flow-recovery"}, {TC, "delay = 5\ndefault delay"}, {SUB, "default multi-line-or all-lines"},
	{ACS, "ruledef z\nmulti-line-or all-lines\ndefault multi-line-or all-lines\nexit"},
	{ACS, "exit\nno active-charging service s -noconfirm\nactive-charging service s"},
	{ACS, "end\nactive-charging service s\nexit\nno active-charging service s\nconfigure\nactive-charging service s"},
	{CA, "flow idle-timeout flow-mapping 86400"}, {CA, "flow idle-timeout flow-mapping 0\nno flow idle-timeout flow-mapping"},
	{RB, "tcp packets-out-of-order transmit immediately\ndefault tcp packets-out-of-order transmit"},
	{RB, "p2p dynamic-flow-detection\nno tcp check-window-size\nno cca quota retry-time 60\ndefault tcp mss"},
	{ACS, "edr-format z\nattribute sn-charge-volume priority 1\nattribute sn-charge-volume ip bytes uplink priority 2\n"
	 "attribute sn-charge-volume tcp pkts downlink priority 3\nno attribute sn-charge-volume\nexit"},
	{TC, "content-type contains \"a b\"\nlocal-policy-rule = x\nmulti-line-or all-lines"},
	{ACS, "service-scheme z\ntrigger loc-update\npriority 1 trigger-condition c trigger-action a\nexit\nno trigger loc-update\nexit"},
	{SUB, "v-apn = x"},
	{CA, "flow idle-timeout 0"}, {CA, "default flow idle-timeout"}, {CA, "content-id 2147483647"},
	{TA, "flow-recovery\nno flow-recovery"}, {TA, "flow-recovery"},
	{TA, "exit\nflow-kpi lifetime-buckets 0 1 2592000"},
	{TA, "exit\nflow-recovery redirect"}, {TA, "exit\nflow-recovery redirect\nno flow-recovery redirect"},
	{TA, "exit\nflow-recovery redirect\ndefault flow-recovery redirect"},
	{TA, "exit\nflow-recovery content-filtering\nflow-recovery parent-child\nno flow-recovery parent-child"},
	{TA, "exit\nflow-recovery p2p\nflow-recovery edr\nflow-recovery redirect\nno flow-recovery edr"},
	{CONF, "bulkstats collection\nbulkstat mode\ndirectory \"/var/a b\"\nsample-interval 999999\ntransfer-interval 1\nexit"},
	{CONF, "license key-file /k\nbulkstats mode\nfile 4\nheader format \"a b %date%\\n\"\nfooter format %%\n"
	       "remotefile format x-%host%\nflow-kpi schema one format \"%ecs-flow-rule-name%\\t%ecs-num-active-flow%\"\n"
	       "flow-kpi schema two format x\nflow-kpi schema three format y\nno flow-kpi schema two\nexit\nfile 2\nexit\nno file 2\nexit"},
	{CONF, "bulkstats mode\nfile 1\nheader format x\nno header format\nremotefile format x\nno remotefile format\nexit\ndefault sample-interval"},
	{TA, "flow-recovery\nexit\nflow-kpi lifetime-buckets 3 20 30\nno flow-kpi lifetime-buckets"},
	{TC, "delay = 1"}, {TC, "delay = 600\nno delay"}, {TC, "any-match = TRUE"},
	{TC, "rule-name contains x\nno rule-name contains x"},
	{TRIG, "priority 127 trigger-condition c trigger-action a"},
	{SUB, "any-match = TRUE\nrulebase = b\napn != a\nmulti-line-or all-lines"},
	{BASE, "priority 127 subs-class c bind service-scheme s"},
};

static void test_good_lines(void)
{
	char text[2048];
	struct errors e;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct chassis_config *c;

		framed(text, sizeof(text), &good[i].f, good[i].line);
		c = parse(text, &e);
		if (!c)
			printf("\n%s: %s\n", good[i].line, e.first);
		CU_ASSERT_PTR_NOT_NULL(c);
		if (c)
			round_trip(c);
		chassis_config_free(c);
	}
}

/* Lines that take back what lines before them have said: nothing of it is printed. */
static void test_nothing_left(void)
{
	static const struct {
		const char *lines, *gone;
	} taken[] = {
		{"flow limit-for-bandwidth direction uplink\nflow limit-for-bandwidth id 1\n"
		 "no flow limit-for-bandwidth", "limit-for-bandwidth"},
		{"flow action readdress server 192.0.2.1\nflow action readdress", "flow action"},
		{"flow action terminate-flow\nno flow action", "flow action"},
		{"flow action redirect-url http://a\nflow action conditional user-agent end-token x\n"
		 "flow action discard\nno flow action", "flow action"},
		{"flow action conditional user-agent end-token x\nflow action rulebase-change r",
		 "conditional"},
		{"flow action random-drop interval 1 to 2 pkts-to-drop 3 to 4\n"
		 "flow action conditional user-agent end-token x\nflow action redirect-ocs-url",
		 "random-drop"},
	};
	const struct frame f = CA;
	char text[512];
	struct errors e;

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct chassis_config *c;
		char *out;

		framed(text, sizeof(text), &f, taken[i].lines);
		c = parse(text, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(c);
		out = printed(c);
		CU_ASSERT_PTR_NOT_NULL(strstr(out, "charging-action"));
		CU_ASSERT_PTR_NULL(strstr(out, taken[i].gone));
		free(out);
		chassis_config_free(c);
	}
}

static const struct {
	struct frame f;
	const char *line, *error;
} bad[] = {
	{CONF, "system hostname", "f:2: at end of line: expected a name of 1 to 63 characters"},
	{CONF, "system hostname " NAME63 "4", "f:2: at '" NAME63 "4': expected a name of 1 to 63 characters"},
	{CONF, "task facility sessmgr max 0", "f:2: at '0': expected a number from 1 to 32"},
	{CONF, "task facility sessmgr max 33", "f:2: at '33': expected a number from 1 to 32"},
	{CONF, "logging file", "f:2: at 'file': expected stderr or syslog"},
	{CONF, "frobnicate", "f:2: at 'frobnicate': expected system, task, logging"},
	{CONF, "exit now", "f:2: at 'now': expected end of line"},
	{CONF, "license key-file keys", "f:2: at 'keys': expected a path that begins with /"},
	{CONF, "license key-file /absent", "f:2: at '/absent': expected a feature-key file: not there"},
	{CONF, "license key-file /bad", "f:2: at '/bad': expected a feature-key file: line 1: expected the key word of a feature"},
	{CONF, "require session recovery", "f:2: at 'recovery': expected a feature key: Session Recovery is disabled, its key is not installed (`license key-file`)"},
	{CONF, "require session recovery\nlicense key-file /k", "f:2: at 'recovery': expected a feature key"},
	{CONF, "license key-file /other\nrequire session recovery", "f:3: at 'recovery': expected a feature key: Session Recovery is disabled, its key is not installed"},
	{CONF, "license key-file /old\nrequire session recovery", "f:3: at 'recovery': expected a feature key: Session Recovery is disabled, its key has expired"},
	{CONF, "license key-file /k\ncontext x\nexit\nrequire session recovery", "f:5: at 'recovery': expected before every context but `local`: one begins at line 3"},
	{CONF, "license key-file /k\nrequire session recovery\nno license key-file", "f:4: at 'key-file': expected a key for Session Recovery, which is in use; else first `no require session recovery`"},
	{CONF, "active-charging service s\ntrigger-action t\nflow-recovery", "f:4: at 'flow-recovery': expected a feature key: Flow Recovery is disabled, its key is not installed (`license key-file`)"},
	{CONF, "license key-file /one\nactive-charging service s\ntrigger-action t\nflow-recovery", "f:5: at 'flow-recovery': expected a feature key: Flow Recovery is disabled, its key is not installed"},
	{ACS, "system-limit flow-chkpt-per-call 11", "f:3: at '11': expected a feature key: Flow Recovery is disabled, its key is not installed (`license key-file`)"},
	{ACS, "flow-recovery p2p", "f:3: at 'p2p': expected a feature key: Flow Recovery"},
	{ACS, "flow-recovery edr", "f:3: at 'edr': expected a feature key: Flow Recovery"},
	{ACS, "flow-recovery redirect", "f:3: at 'redirect': expected a feature key: Flow Recovery"},
	{ACS, "flow-recovery parent-child", "f:3: at 'parent-child': expected a feature key: Flow Recovery"},
	{ACS, "flow-recovery content-filtering", "f:3: at 'content-filtering': expected a feature key: Flow Recovery"},
	{TA, "exit\nsystem-limit flow-chkpt-per-call 9\nexit\nno license key-file", "f:8: at 'key-file': expected a key for Flow Recovery, which is in use; else first `no system-limit flow-chkpt-per-call`"},
	{TA, "exit\nflow-recovery edr\nexit\nno license key-file", "f:8: at 'key-file': expected a key for Flow Recovery, which is in use; else first `no flow-recovery edr`"},
	{CONF, "license key-file /one\nactive-charging service s\nflow-kpi lifetime-buckets 0 1 2", "f:4: at '2': expected a feature key: Flow Recovery"},
	{TA, "flow-recovery\nexit\nexit\nlicense key-file /one", "f:8: at '/one': expected a key for Flow Recovery, which is in use; else first `no flow-recovery`"},
	{TA, "exit\nflow-kpi lifetime-buckets 0 1 2\nexit\nno license key-file", "f:8: at 'key-file': expected a key for Flow Recovery, which is in use; else first `no flow-kpi lifetime-buckets`"},
	{CONF, "license key-file /k\nbulkstats mode\nfile 1\nflow-kpi schema x format %host%\nexit\nexit\nno license key-file", "f:8: at 'key-file': expected a key for Flow Recovery, which is in use; else first `no flow-kpi schema`"},
	{CONF, "license key-file /one\nbulkstats mode\nfile 1\nflow-kpi schema x format y", "f:5: at 'y': expected a feature key: Flow Recovery"},
	{CONF, "bulkstats mode\nfile 5", "f:3: at '5': expected a number from 1 to 4"},
	{CONF, "bulkstats mode\nno file 4", "f:3: at '4': expected a file that there is"},
	{CONF, "bulkstats mode\nsample-interval 0", "f:3: at '0': expected a number from 1 to 999999"},
	{CONF, "bulkstats mode\ndirectory here", "f:3: at 'here': expected a path that begins with /"},
	{CONF, "bulkstats mode\nfile 1\nheader format %ecs-num-active-flow%", "f:4: at '%ecs-num-active-flow%': expected a variable, not %ecs-num-active-flow%"},
	{CONF, "bulkstats mode\nfile 1\nno flow-kpi schema x", "f:4: at 'x': expected a schema that the file has"},
	{CONF, "license key-file /k\nbulkstats mode\nfile 1\nflow-kpi schema 1 format 1\nflow-kpi schema 2 format 2\nflow-kpi schema 3 format 3\n"
	       "flow-kpi schema 4 format 4\nflow-kpi schema 5 format 5\nflow-kpi schema 6 format 6\nflow-kpi schema 7 format 7\n"
	       "flow-kpi schema 8 format 8\nflow-kpi schema 9 format 9", "f:13: at '9': expected at most 8 schemas in a file"},
	{TA, "exit\nflow-kpi lifetime-buckets 0 10 10", "f:6: at '10': expected more than 10 seconds: each bucket begins later than the one before"},
	{TA, "exit\nflow-kpi lifetime-buckets 0 10 2592001", "f:6: at '2592001': expected a number from 0 to 2592000"},
	{TA, "exit\nflow-kpi lifetime-buckets 0 10", "f:6: at end of line: expected a number from 0 to 2592000"},
	{CONF, "license key-file /k\nrequire session recovery\nlicense key-file /other", "f:4: at '/other': expected a key for Session Recovery, which is in use; else first `no require session recovery`"},
	{CONF, "session-recovery reserve sessions 0 flows 1", "f:2: at '0': expected a number from 1 to 1000000"},
	{CONF, "session-recovery reserve sessions 1000001 flows 1", "f:2: at '1000001': expected a number from 1 to 1000000"},
	{CONF, "session-recovery reserve sessions 1 flows 4000001", "f:2: at '4000001': expected a number from 1 to 4000000"},
	{CONF, "crash enable directory cores", "f:2: at 'cores': expected a path that begins with /"},
	{CTX, "require session recovery", "f:3: at 'require': expected interface"},
	{CONF, "active-charging service 1234567890123456", "f:2: at '1234567890123456': expected a name of 1 to 15 characters"},
	{CONF, "active-charging service a\nexit\nactive-charging service b\nexit", "f:4: at 'b': expected a: there is one service only"},
	{CONF, "require active-charging", "f:3: at 'active-charging': expected an active-charging service"},
	{CTX, "ip pool p 10.0.0.1/8", "f:3: at '10.0.0.1/8': expected a prefix without host bits"},
	{CTX, "ip pool p 10.0.0.0/33", "f:3: at '10.0.0.0/33': expected an IPv4 address/length"},
	{CTX, "ip pool p 10.0.0.0 255.0.255.0", "f:3: at '255.0.255.0': expected an IPv4 mask"},
	{CTX, "ipv6 pool p 2001:db8::/65", "f:3: at '2001:db8::/65': expected a prefix of at most 64 bits"},
	{CTX, "ip pool p 10.0.0.0/8\nip pool p 11.0.0.0/8", "f:4: at 'p': expected a name that no other pool has"},
	{CTX, "ip pool p 10.0.0.0/8\nip pool q 10.1.0.0/16", "f:4: at '10.1.0.0/16': expected a prefix that does not overlap pool p"},
	{CTX, "ip pool p 10.0.0.0/8 first-packet apn none", "f:3: at 'none': expected the name of a configured APN"},
	{CTX, "ip pool p 10.0.0.0/8 public private", "f:3: at 'private': expected one of public, private and static"},
	{CTX, "no ip pool p", "f:3: at 'p': expected the name of a pool"},
	{CTX, "interface 1234567890123456", "f:3: at '1234567890123456': expected a name of 1 to 15 characters"},
	{IF, "side left", "f:4: at 'left': expected access or core"},
	{IF, "ip address 10.0.0.1", "f:4: at end of line: expected an IPv4 mask"},
	{IF, "ip address 10.0.0.1/8\nip address 10.0.0.1/9", "f:5: at '10.0.0.1/9': expected an address that the interface does not have yet"},
	{IF, "no ip address 10.0.0.1/8", "f:4: at '10.0.0.1/8': expected an address that the interface has"},
	{IF, "ipv6 address 10.0.0.1/8", "f:4: at '10.0.0.1/8': expected an IPv6 address/length"},
	{APN, "timeout idle 4294967296", "f:4: at '4294967296': expected a number from 0 to 4294967295"},
	{SRP, "chassis-mode secondary", "f:4: at 'secondary': expected primary or backup"},
	{SRP, "priority 0", "f:4: at '0': expected a number from 1 to 255"},
	{SRP, "priority 256", "f:4: at '256': expected a number from 1 to 255"},
	{SRP, "port 65504", "f:4: at '65504': expected a number from 1 to 65503"},
	{SRP, "peer-ip-address host", "f:4: at 'host': expected an IPv4 or IPv6 address"},
	{SRP, "hello-interval 10\ndead-interval 29", "f:5: at 'dead-interval': expected at least 3 times the hello-interval of 10000 ms, not 29000 ms"},
	{SRP, "hello-interval msec 10\ndead-interval msec 29", "f:5: at 'dead-interval': expected at least 3 times the hello-interval of 10 ms, not 29 ms"},
	{SRP, "hello-interval 11", "f:4: at 'dead-interval': expected at least 3 times"},
	{SRP, "dead-interval 0", "f:4: at '0': expected a number from 1 to 65535 or msec"},
	{SRP, "checkpoint session compression zlib", "f:4: at 'zlib': expected lz4 or none"},
	{SRP, "checkpoint session duration 65536", "f:4: at '65536': expected ims-session, non-ims-session or a number from 0 to 65535"},
	{SRP, "checkpoint rate-limit 0", "f:4: at '0': expected a number from 1 to 4294967295"},
	{SRP, "audit periodicity 59", "f:4: at '59': expected a number from 60 to 43200"},
	{SRP, "audit periodicity 43201", "f:4: at '43201': expected a number from 60 to 43200"},
	{SRP, "control-pending timeout 0", "f:4: at '0': expected a number from 1 to 3600"},
	{SRP, "bind address ::1\npeer-ip-address 10.0.0.1", "f:6: at 'bind address': expected an address of the peer's family"},
	{SRP, "bind address ::1\npeer-ip-address ::1", "f:6: at 'peer-ip-address': expected another address than the own one"},
	{SRP, "exit\nexit\ncontext d\nservice-redundancy-protocol", "f:7: at 'service-redundancy-protocol': expected it in one context only: it is in context c"},
	{ACS, "ruledef " NAME63 "4\nip any-match = TRUE\n#exit", "f:3: at '" NAME63 "4': expected a name of 1 to 63 characters"},
	{ACS, "idle-timeout tcp 86401", "f:3: at '86401': expected half-open or a number from 0 to 86400"},
	{ACS, "system-limit flow-chkpt-per-call 0", "f:3: at '0': expected a number from 1 to 300"},
	{ACS, "system-limit flow-chkpt-per-call 301", "f:3: at '301': expected a number from 1 to 300"},
	{ACS, "no ruledef r", "f:3: at 'r': expected something else: no ruledef is named r"},
	{ACS, "ruledef g\n#exit\ngroup-of-ruledefs g", "f:5: at 'g': expected something else: g is the name of a ruledef"},
	{RULE, "ip any-match = MAYBE", "f:4: at 'MAYBE': expected TRUE or FALSE"},
	{RULE, "ip dst-address = 10.0.0.0/33", "f:4: at '10.0.0.0/33': expected an address or address/length"},
	{RULE, "ip dst-address contains 1", "f:4: at 'contains': expected =, !=, <=, >=, range or !range"},
	{RULE, "ip protocol = nonsense", "f:4: at 'nonsense': expected a number from 0 to 255 or the name of a protocol"},
	{RULE, "tcp dst-port = 0", "f:4: at '0': expected a number from 1 to 65535"},
	{RULE, "tcp dst-port range 10 to 10", "f:4: at '10': expected the end of the range from 11 to 65535"},
	{RULE, "tcp dst-port range 10", "f:4: at end of line: expected to"},
	{RULE, "tcp state = asleep", "f:4: at 'asleep': expected a TCP state"},
	{RULE, "http host ~ x", "f:4: at '~': expected case-sensitive, =, !=, contains"},
	{RULE, "http url regex \"(\"", "f:4: at '(': expected"},
	{RULE, "p2p protocol = nosuchapp", "f:4: at 'nosuchapp': expected the name of an application"},
	{RULE, "p2p protocol != dns", "f:4: at '!=': expected ="},
	{RULE, "no tcp any-match = TRUE", "f:4: at 'TRUE': expected something else: ruledef r has no such line"},
	{GOR, "add-ruledef priority 1 ruledef other", "f:5: at '1': expected something else: priority 1 is held by ruledef q"},
	{GOR, "add-ruledef priority 10001 ruledef r", "f:5: at '10001': expected a number from 1 to 10000"},
	{RB, "action priority 1 ruledef other charging-action c", "f:5: at '1': expected something else: priority 1 is held by ruledef q"},
	{RB, "action priority 0 ruledef r charging-action c", "f:5: at '0': expected a number from 1 to 65535"},
	{RB, "action priority 2 timedef night ruledef r", "f:5: at end of line: expected charging-action"},
	{GOR, "group-of-ruledefs-application gx-alias", "f:5: at 'gx-alias': expected another command: this group-of-ruledefs-application is not provided"},
	{CA, "flow action random-drop", "f:4: at end of line: expected interval"},
	{CA, "flow action random-drop interval 1", "f:4: at end of line: expected to"},
	{CA, "flow action random-drop interval 0 to 9 pkts-to-drop 1 to 1", "f:4: at '0': expected a number from 1 to 999"},
	{CA, "flow action random-drop interval 1 to 1000 pkts-to-drop 1 to 1", "f:4: at '1000': expected a number from 1 to 999"},
	{CA, "flow action random-drop interval 9 to 8 pkts-to-drop 1 to 1", "f:4: at '1': expected a number from 9 to 999"},
	{CA, "flow action random-drop interval 1 to 1 pkts-to-drop 1 to 101", "f:4: at '101': expected a number from 1 to 100"},
	{CA, "flow action random-drop interval 1 to 1 pkts-to-drop 5 to 4", "f:4: at '4': expected a number from 5 to 100"},
	{CA, "flow action conditional user-agent x", "f:4: at 'x': expected end-token"},
	{CA, "flow action conditional user-agent end-token a23456789b123456789c123456789d123", "f:4: at 'a23456789b123456789c123456789d123': expected"},
	{CA, "flow action redirect-ocs-url x", "f:4: at 'x': expected"},
	{CA, "flow action rulebase-change", "f:4: at end of line: expected"},
	{ACS, "redirect user-agent a23456789b123456789c123456789d123", "f:3: at 'a23456789b123456789c123456789d123': expected"},
	{ACS, "no redirect user-agent Opera", "f:3: at 'Opera': expected a user-agent that is configured"},
	{RB, "tcp packets-out-of-order transmit after-reordering", "f:5: at 'after-reordering': expected immediately: after-reordering is not provided"},
	{RB, "tcp check-window-size", "f:5: at 'check-window-size': expected another command: check-window-size is not provided: segments"},
	{RB, "tcp mss 1300 limit-if-present", "f:5: at 'limit-if-present': expected another command: tcp mss is not provided"},
	{RB, "cca quota retry-time 60", "f:5: at '60': expected another command: cca quota is not provided"},
	{RB, "egcdr threshold interval 60", "f:5: at '60': expected another command: egcdr is not provided"},
	{RB, "credit-control-group g", "f:5: at 'g': expected another command: credit-control-group is not provided"},
	{ACS, "timedef night\nstart time 1 end time 2\nexit", "f:4: at 'end': expected a number from 0 to 59"},
	{ACS, "timedef night\nstart time 24 0 0 end time 2 0 0\nexit", "f:4: at '24': expected a number from 0 to 23"},
	{ACS, "timedef night\nstart day mon time 0 0 0 end day noday time 2 0 0\nexit", "f:4: at 'noday': expected sunday"},
	{ACS, "timedef night\nno start time 1 0 0 end time 2 0 0\nexit", "f:4: at '0': expected something else: timedef night has no such line"},
	{ACS, "ruledef z\nbearer 3gpp imsi range 1 to 2\nexit", "f:4: at '1': expected imsi-pool"},
	{ACS, "p2p-detection behavioral", "f:3: at end of line: expected all, download"},
	{ACS, "no p2p-detection protocol dns", "f:3: at 'dns': expected something else: there is no p2p-detection protocol dns"},
	{ACS, "imsi-pool p\nimsi range 12 to 130\nexit", "f:4: at '130': expected the end of the range: an IMSI of as many digits, above 12"},
	{ACS, "imsi-pool p\nimsi 1234567890123456\nexit", "f:4: at '1234567890123456': expected"},
	{ACS, "ruledef z\nftp any-match = TRUE\nexit", "f:4: at 'TRUE': expected another command: this any-match is not provided: no analyzer"},
	{ACS, "ruledef z\np2p any-match = TRUE\nexit", "f:4: at 'TRUE': expected another command: this any-match is not provided"},
	{ACS, "ruledef z\np2p set-app-proto x\nexit", "f:4: at 'x': expected another command: set-app-proto is not provided"},
	{ACS, "ruledef z\np2p app-identifier tls-cname contains x\nexit", "f:4: at 'x': expected another command: tls-cname is not provided"},
	{ACS, "ruledef z\nip dst-address = address-group 2001:*\nexit", "f:4: at '2001:*': expected another command: address-group is not provided"},
	{ACS, "ruledef z\nbearer 3gpp sgsn-address = 192.0.2.1\nexit", "f:4: at '192.0.2.1': expected another command: sgsn-address is not provided"},
	{CA, "flow idle-timeout flow-mapping 86401", "f:4: at '86401': expected a number from 0 to 86400"},
	{TA, "transactional-rule-matching response http", "f:5: at end of line: expected all, connect"},
	{RB, "action priority 2 ruledef r", "f:5: at end of line: expected charging-action"},
	{RB, "flow control-handshaking charge-to-application", "f:5: at end of line: expected all-packets"},
	{CA, "content-id 0", "f:4: at '0': expected a number from 1 to 2147483647"},
	{CA, "flow action readdress port 1", "f:4: at 'port': expected server"},
	{CA, "flow action url-readdress", "f:4: at end of line: expected server"},
	{CA, "flow action url-readdress server 192.0.2.1 port 0", "f:4: at '0': expected a number from 1 to 65535"},
	{CA, "flow action redirect-url ftp://a", "f:4: at 'ftp://a': expected a URL that begins with http://"},
	{CA, "flow action redirect-url \"http://a b\"", "f:4: at 'http://a b': expected a URL without blanks"},
	{CA, "flow action redirect-url", "f:4: at end of line: expected"},
	{CA, "flow action readdress server 0.0.0.0", "f:4: at '0.0.0.0': expected an address other than"},
	{CA, "billing-action egcdr", "f:4: at 'egcdr': expected a charging method that is provided: egcdr is not"},
	{CA, "billing-action create-edrs", "f:4: at end of line: expected charging-edr or reporting-edr"},
	{CA, "qos-class-identifier 10", "f:4: at '10': expected a number from 1 to 9"},
	{CA, "allocation-retention-priority 16", "f:4: at '16': expected a number from 1 to 15"},
	{CA, "no tft packet-filter x", "f:4: at 'x': expected a packet-filter of this action"},
	{CA, "ip tos 256", "f:4: at '256': expected a number from 0 to 255, lower-bits"},
	{CA, "flow limit-for-bandwidth direction uplink peak-data-rate 1 committed-data-rate 2", "f:4: at '2': expected a committed rate up to the peak rate"},
	{RB, "billing-records rf", "f:5: at 'rf': expected a charging method that is provided: rf is not"},
	{RB, "action priority 2 static-and-dynamic adc ruledef r charging-action c", "f:5: at 'adc': expected ruledef or group-of-ruledefs"},
	{RB, "route priority 1 ruledef r analyzer http advanced", "f:5: at 'advanced': expected description"},
	{RB, "route priority 1 ruledef r analyzer gopher", "f:5: at 'gopher': expected dns, file-transfer"},
	{RB, "tcp 2msl-timeout 21", "f:5: at '21': expected a number from 1 to 20"},
	{RB, "flow limit-across-applications 4000000001", "f:5: at '4000000001': expected"},
	{RB, "flow end-condition timeout", "f:5: at end of line: expected"},
	{ACS, "check-point accounting sync-timer icsr 3", "f:3: at '3': expected a number from 4 to 60"},
	{ACS, "check-point accounting sync-timer sr 61", "f:3: at '61': expected a number from 4 to 60"},
	{ACS, "system-limit l4-flows 0", "f:3: at '0': expected a number from 1 to 2147483647"},
	{ACS, "packet-filter f\nip local-port range 5 to 5\nexit", "f:4: at '5': expected an end greater than 5"},
	{ACS, "edr-format e\nevent-label a priority 1\nevent-label b priority 1\nexit", "f:5: at '1': expected something else: priority 1 is held by another field"},
	{ACS, "edr-format e\nattribute sn-direction format seconds priority 1\nexit", "f:4: at 'format': expected priority"},
	{TA, "charge-request-to-response http", "f:5: at end of line: expected all, connect"},
	{CA, "flow idle-timeout 86401", "f:4: at '86401': expected flow-mapping or a number from 0 to 86400"},
	{TA, "flow-recover now", "f:5: at 'now': expected end of line"},
	{TC, "delay = 0", "f:4: at '0': expected a number from 1 to 600"},
	{TC, "delay = 601", "f:4: at '601': expected a number from 1 to 600"},
	{TC, "delay 5", "f:4: at '5': expected ="},
	{TC, "rule-name != x", "f:4: at '!=': expected =, contains, starts-with or ends-with"},
	{TC, "rule-name = \"\"", "f:4: at '': expected a name of 1 to 63 characters"},
	{TRIG, "priority 128 trigger-condition c trigger-action a", "f:5: at '128': expected a number from 1 to 127"},
	{TRIG, "priority 1 trigger-condition c trigger-action a\npriority 1 trigger-condition d trigger-action a", "f:6: at '1': expected a priority that the block does not have yet"},
	{BASE, "priority 1 subs-class c bind service-scheme s\npriority 1 subs-class d bind service-scheme s", "f:5: at '1': expected a priority that the block does not have yet"},
	{SUB, "rulebase > b", "f:4: at '>': expected = or !="},
	{BASE, "priority 1 subs-class c bind scheme s", "f:4: at 'scheme': expected service-scheme"},
	{BASE, "priority 0 subs-class c bind service-scheme s", "f:4: at '0': expected a number from 1 to 127"},
};

static void test_bad_lines(void)
{
	char text[2048];
	struct errors e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct chassis_config *c;
		bool same;

		framed(text, sizeof(text), &bad[i].f, bad[i].line);
		c = parse(text, &e);
		same = strncmp(e.first, bad[i].error, strlen(bad[i].error)) == 0;
		if (c || !same || e.n != 1)
			printf("\n%s: %u errors: %s\n", bad[i].line, e.n, e.first);
		CU_ASSERT_PTR_NULL(c);
		CU_ASSERT(same);
		CU_ASSERT_EQUAL(e.n, 1);
		chassis_config_free(c);
	}
}

CU_TestInfo chassis_config_lines_tests[] = {
	{"lines that load, and their round trip", test_good_lines},
	{"lines that leave nothing", test_nothing_left},
	{"lines that do not, and why", test_bad_lines},
	CU_TEST_INFO_NULL,
};
