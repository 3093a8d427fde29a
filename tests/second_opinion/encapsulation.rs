//! Tunnels as tshark saw them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::report::{items, number, text};

/// What the inner packet was wrapped in, by the list of protocols and tshark's numbers.
pub(super) fn encapsulation(protocols: &[&str], layers: &Value) -> Vec<String> {
    let tcp = protocols.iter().rposition(|protocol| *protocol == "tcp").unwrap_or(0);
    let around = &protocols[..tcp];
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    let mut number_of = |layer: &'static str, field: &str| {
        let index = next.entry(layer).or_insert(0);
        let value = items(layers.get(layer)).get(*index).and_then(|layer| text(layer, field));
        *index += 1;
        value.map(|value| number(&value))
    };
    let mut found = Vec::new();
    let mut outer_ip: Option<&str> = None;
    for (index, protocol) in around.iter().enumerate() {
        let followed_by = |other: &str| around.get(index + 1) == Some(&other);
        match *protocol {
            "vlan" => found.push(format!("vlan:{}", number_of("vlan", "vlan.id").unwrap())),
            "ieee8021ad" => found.push(format!("vlan:{}", number_of("ieee8021ad", "ieee8021ad.id").unwrap())),
            // One layer that holds all labels.
            "mpls" => found.extend(items(layers.get("mpls")).into_iter().filter_map(|layer| {
                text(layer, "mpls.label").map(|label| format!("mpls:{}", number(&label)))
            })),
            "pppoes" => found.push(format!("pppoe:{}", number_of("pppoes", "pppoe.session_id").unwrap())),
            "geneve" => found.push(format!("geneve:{}", number_of("geneve", "geneve.vni").unwrap())),
            "vxlan" => found.push(format!("vxlan:{}", number_of("vxlan", "vxlan.vni").unwrap())),
            "gre" if followed_by("erspan") => {
                let kind =
                    items(layers.get("erspan")).first().and_then(|layer| text(layer, "erspan.version"));
                let session =
                    items(layers.get("erspan")).first().and_then(|layer| text(layer, "erspan.spanid"));
                found.push(match (kind.as_deref().map(number), session) {
                    (Some(version), Some(session)) => format!("erspan{}:{}", version + 1, number(&session)),
                    _ => "erspan1".to_owned(),
                });
            }
            "gre" => found.push(match number_of("gre", "gre.key") {
                Some(key) => format!("gre:{key}"),
                None => "gre".to_owned(),
            }),
            inner @ ("ip" | "ipv6") => {
                // IP right inside IP is a tunnel of its own.
                found.extend(match (outer_ip, inner) {
                    (Some("ip"), "ip") => Some("ipip".to_owned()),
                    (Some("ip"), _) => Some("6in4".to_owned()),
                    (Some(_), "ip") => Some("4in6".to_owned()),
                    (Some(_), _) => Some("6in6".to_owned()),
                    (None, _) => None,
                });
                outer_ip = Some(inner);
                continue;
            }
            _ => {}
        }
        outer_ip = None;
    }
    found
}
