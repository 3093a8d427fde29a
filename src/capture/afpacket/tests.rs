use super::*;

#[test]
fn leaves_out_only_what_was_seen_coming_in() {
    let gateway = Situation {
        forwards: true,
        may_translate: false,
        takes_in_others: false,
        watches_every_link: true,
        own: vec!["10.0.0.1".parse().unwrap()],
    };
    assert_eq!(outgoing_for(&gateway), Outgoing::OwnOnly(gateway.own.clone()));
    for (situation, why) in [
        (Situation { forwards: false, ..gateway.clone() }, "all it sends is its own"),
        (Situation { may_translate: true, ..gateway.clone() }, "it goes out under other addresses"),
        (Situation { takes_in_others: true, ..gateway.clone() }, "it answers under the addresses of others"),
        (Situation { watches_every_link: false, ..gateway.clone() }, "it may come in elsewhere"),
        (
            Situation { own: vec![[10, 0, 0, 1].into(); MAX_OWN_ADDRESSES + 1], ..gateway.clone() },
            "too many addresses to compare",
        ),
    ] {
        assert_eq!(outgoing_for(&situation), Outgoing::All, "{why}");
    }
}

#[test]
fn names_what_it_does_not_read() {
    for link_type in [105, 247, 113, 9] {
        assert_eq!(start_of(LinkType(link_type)), None, "{link_type}");
    }
    assert_eq!(start_of(LinkType::ETHERNET), Some(FrameStart::Link));
    assert_eq!(start_of(LinkType::RAW), Some(FrameStart::Network));
}

#[test]
fn divides_the_memory_among_the_rings() {
    for (ring_mib, fanout, snaplen_bytes) in
        [(1, 1, 2_048), (64, 4, 2_048), (4_096, 64, 262_144), (1, 64, 256)]
    {
        let source = AfPacket {
            options: Options { ring_mib, fanout, snaplen_bytes, ..Options::default() },
            selection: None,
            places: Places::default(),
            rings: Vec::new(),
            last_number: 0,
        };
        let shape = source.shape();
        assert!(shape.blocks >= MIN_BLOCKS && shape.block_bytes.is_power_of_two());
        assert!(shape.block_bytes > 2 * snaplen_bytes, "two of the largest frames fit");
        let all = u64::from(shape.block_bytes) * u64::from(shape.blocks) * u64::from(fanout);
        let least = u64::from(MIN_BLOCKS * shape.block_bytes) * u64::from(fanout);
        assert!(all <= (u64::from(ring_mib) << 20).max(least), "{all}");
    }
}
