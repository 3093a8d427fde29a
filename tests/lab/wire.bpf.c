// What the lab's wires do that this kernel's traffic control cannot do by itself: put an 802.1Q tag on and
// take it off (a tagged "Direct Connect" link), and copy packets out of another interface (a mirror session).
//
// Compiled by world.py, with VLAN and MIRROR set; loaded by `tc`, which knows the sections by name.

struct __sk_buff;

static long (*bpf_clone_redirect)(struct __sk_buff *, unsigned int interface, unsigned long long flags) = (void *)13;
static long (*bpf_skb_vlan_push)(struct __sk_buff *, unsigned short protocol, unsigned short tag) = (void *)18;
static long (*bpf_skb_vlan_pop)(struct __sk_buff *) = (void *)19;

#define SECTION(name) __attribute__((section(name), used))
#define NEXT_CLASSIFIER -1
#define ETH_P_8021Q_BIG_ENDIAN 0x0081

SECTION("lab_tag") int put_tag_on(struct __sk_buff *packet)
{
	bpf_skb_vlan_push(packet, ETH_P_8021Q_BIG_ENDIAN, VLAN);
	return NEXT_CLASSIFIER;
}

SECTION("lab_untag") int take_tag_off(struct __sk_buff *packet)
{
	bpf_skb_vlan_pop(packet);
	return NEXT_CLASSIFIER;
}

SECTION("lab_mirror") int copy_to_mirror(struct __sk_buff *packet)
{
	bpf_clone_redirect(packet, MIRROR, 0);
	return NEXT_CLASSIFIER;
}

char license_text[] SECTION("license") = "GPL";
