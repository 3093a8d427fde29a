//! What becomes of an interface from which somebody takes the programs away.

use std::process::Command;
use std::time::{Duration, Instant};

use ddbwatch::capture::live::LiveSource;

use super::frames::{SYN, segment};
use super::namespace::{self, small};
use super::selection::{count, watching};

/// Takes every program off that hangs by TCX at the interface with this number, as root may (bpf(2), BPF_LINK_DETACH);
/// prints how many they were. The number is that of this network namespace (BPF_PROG_QUERY): links of other tests have
/// the same one in theirs.
const TAKE_AWAY: &str = r#"
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
number = {'x86_64': 321, 'aarch64': 280}[platform.machine()]
def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes.ljust(128, b'\0'), 128)
    result = libc.syscall(number, command, room, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f'bpf({command})')
    return result, room.raw
taken = 0
for side in (46, 47):
    programs, links = (ctypes.c_uint32 * 64)(), (ctypes.c_uint32 * 64)()
    places = ctypes.addressof(programs), 64, 0, 0, ctypes.addressof(links)
    _, room = bpf(16, struct.pack('IIIIQIIQQ', int(sys.argv[1]), side, 0, 0, *places))
    for link in links[:struct.unpack_from('I', room, 24)[0]]:
        descriptor, _ = bpf(30, struct.pack('I', link))
        bpf(34, struct.pack('I', descriptor))
        os.close(descriptor)
        taken += 1
print(taken)
"#;

#[test]
fn an_interface_is_given_up_and_can_be_watched_again() {
    namespace::run(|| {
        if !namespace::is_kernel_at_least(6, 6) {
            return crate::support::skip("programs hang by clsact, which is not asked");
        }
        let (cable, mut source) = watching(&small());
        cable.send(&segment(443, 1, SYN, b""));
        assert_eq!(count(&mut source), 1);
        let index = cable.far_link.index.to_string();
        let output = Command::new("python3").args(["-c", TAKE_AWAY, &index]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "2", "{output:?}");
        cable.send(&segment(443, 1, SYN, b""));
        assert_eq!(count(&mut source), 0, "it is blind");
        let began = Instant::now();
        let given_up = loop {
            let given_up = source.take_failures();
            if !given_up.is_empty() || began.elapsed() > Duration::from_secs(10) {
                break given_up;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        assert_eq!(given_up.len(), 1, "{given_up:?}");
        assert_eq!(given_up[0].0, cable.far_link);
        source.attach(&cable.far_link).unwrap();
        cable.send(&segment(443, 2, SYN, b""));
        assert_eq!(count(&mut source), 1);
        assert_eq!(source.counts()[0].met, [Some(2), Some(0)], "not what came by in between");
        std::thread::sleep(Duration::from_millis(2_100));
        assert_eq!(source.take_failures(), [], "it hangs where it should");
    });
}
