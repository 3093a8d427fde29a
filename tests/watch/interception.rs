//! What a gateway does not pass on: a proxy of its own takes it, under the server's address (TPROXY) or where NAT
//! redirects it to. The test's thread is in a network namespace of its own, which is the gateway.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::Daemon;
use super::gateway::{Group, RECORDS, Site, can_run, end, record_after, wait_for_port, ways};
use crate::live::namespace::{self, ip};
use crate::support;

const CLIENT: &str = "10.20.0.2";

/// Takes TLS connections at every address, with the certificate and key that are its arguments, and keeps them.
const PROXY: &str = "
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.socket()
IP_TRANSPARENT = 19
listener.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
listener.bind(('0.0.0.0', int(sys.argv[3])))
listener.listen()
kept = []
while True:
    try:
        kept.append(context.wrap_socket(listener.accept()[0], server_side=True))
    except OSError:
        pass
";

fn nft(rules: &str) {
    let ran = support::finish_with(Command::new("nft").args(["-f", "-"]), rules.as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

fn start_proxy(site: &mut Site, group: &Group, port: u16) {
    let proxy = group
        .command("python3")
        .args(["-c", PROXY])
        .args(["certificate", "key"].map(|name| site.folder.path().join(name)))
        .arg(port.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    site.processes.push(proxy.unwrap());
    wait_for_port(|| Command::new("ss"), port);
}

#[test]
fn a_flow_that_a_proxy_of_this_host_takes_is_not_said_to_be_forwarded() {
    if !can_run() || !["python3", "nft"].iter().all(|program| support::is_there(program)) {
        return;
    }
    namespace::run(|| {
        let mut site = Site::new("taken");
        let group = Group::new();
        let start = |command, backend, interfaces: &[&str]| {
            let mut arguments = vec!["--backend", backend];
            interfaces.iter().for_each(|interface| arguments.extend(["-i", interface]));
            let daemon = Daemon::start_by(command, &arguments, RECORDS, Stdio::null());
            daemon.wait_until("it captures", || daemon.get("/readyz").status == 200);
            // What goes out is decided a moment later.
            std::thread::sleep(Duration::from_millis(500));
            daemon
        };
        start_proxy(&mut site, &group, 8443);

        nft("table ip taken { chain pre { type filter hook prerouting priority -150; \
             iifname in0 tcp dport 443 tproxy to :8443 meta mark set 1 accept; }; }");
        ip("rule add fwmark 1 lookup 100");
        ip("route add local default dev lo table 100");
        for (way, command, backend, ..) in ways() {
            let mut daemon = start(command, backend, &["in0", "up0"]);
            let client = site.connect_from_client();
            let record = record_after(&daemon, CLIENT, 0);
            assert_eq!(record["flow.completeness"], "full", "{way}: {record:#}");
            assert_eq!(record["flow.origin"], "local", "{way}: {record:#}");
            if let Some(path) = &group.0 {
                assert_eq!(record["process.name"], "python3", "{way}: {record:#}");
                assert_eq!(record["systemd.unit"], *path.file_name().unwrap().to_string_lossy());
            }
            end(client);
            assert_eq!(daemon.stop().code(), Some(0), "{way}");
        }
        nft("delete table ip taken");
        ip("rule del fwmark 1");
        ip("route flush table 100");

        // Nothing is translated here, and the only interface takes in nothing that is not sent to the gateway.
        let mut daemon = start(support::ddbwatch(), "afpacket", &["in0"]);
        let client = site.connect_from_client();
        assert_eq!(record_after(&daemon, CLIENT, 0)["flow.origin"], "forwarded");
        end(client);
        nft("table ip taken { chain pre { type nat hook prerouting priority -100; \
             iifname in0 tcp dport 443 redirect to :8443; }; }");
        let client = site.connect_from_client();
        let record = record_after(&daemon, CLIENT, 1);
        assert_eq!(record["handshake.outcome"], "completed", "{record:#}");
        assert_eq!(record.get("flow.origin"), None, "{record:#}");
        end(client);
        assert_eq!(daemon.stop().code(), Some(0));
    });
}
