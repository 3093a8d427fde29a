//! After dropping privileges and putting up the walls: forbidden calls fail, needed ones work. In a process of
//! its own, because there is no way back.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use ddbwatch::host::privileges::{self, Capability};
use ddbwatch::host::sandbox::{self, Reachable, Wall};

/// Tells the child that it is one, and where it may write.
const FOLDER: &str = "DDBWATCH_TEST_CONFINED_FOLDER";

#[test]
fn forbidden_calls_fail_and_needed_ones_work() {
    if !crate::support::is_root("giving up privileges") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Whoever it becomes may write there.
    use std::os::unix::fs::PermissionsExt as _;
    for name in ["read", "write", "out-of-reach"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("file"), name).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["live::sandbox::confined", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    println!("{said}");
}

/// Runs only as the child of the test above.
#[test]
#[ignore = "a part of forbidden_calls_fail_and_needed_ones_work, which runs it"]
fn confined() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let dropped = privileges::drop_to("no-such-user-here", &[Capability::CAP_NET_RAW]).unwrap();
    println!("{dropped}; {}", dropped.notes.join("; "));
    assert_eq!((&*dropped.user, &dropped.kept[..]), ("nobody", &[Capability::CAP_NET_RAW][..]));
    assert!(dropped.has_no_new_privileges && !privileges::has(Capability::CAP_NET_ADMIN));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut reachable = Reachable::system();
    reachable.read.push(folder.join("read"));
    reachable.write.push(folder.join("write"));
    let confined = sandbox::confine(&reachable);
    println!("{confined}; {}", confined.notes.join("; "));
    assert_eq!(confined.calls, Wall::Stands);

    // What a daemon does goes on: threads, sockets, packets, netlink, files where they belong.
    assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
    let source = ddbwatch::capture::afpacket::AfPacket::open(Default::default(), None);
    assert!(source.is_ok(), "CAP_NET_RAW was kept: {:?}", source.err());
    ddbwatch::host::links::list().unwrap();
    ddbwatch::host::routes::own_addresses().unwrap();
    fs::write(folder.join("write/new"), "x").unwrap();
    fs::rename(folder.join("write/new"), folder.join("write/newer")).unwrap();
    fs::remove_file(folder.join("write/newer")).unwrap();
    assert_eq!(fs::read_to_string(folder.join("read/file")).unwrap(), "read");
    fs::read_to_string("/proc/self/stat").unwrap();
    fs::read_dir("/proc/self/fd").unwrap();
    std::env::current_dir().unwrap();
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    println!("{:?}", std::time::Instant::now());

    // Programs, other processes, mounts, namespaces, users.
    let error = Command::new("/bin/true").status().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc_eperm()), "{error}");
    let c_true = c"/bin/true";
    assert_eq!(nix::unistd::execv(c_true, &[c_true]).unwrap_err(), nix::errno::Errno::EPERM);
    assert_eq!(nix::sys::ptrace::traceme().unwrap_err(), nix::errno::Errno::EPERM);
    assert_eq!(nix::mount::umount("/proc").unwrap_err(), nix::errno::Errno::EPERM);
    assert_eq!(
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).unwrap_err(),
        nix::errno::Errno::EPERM
    );
    assert_eq!(
        nix::kmod::delete_module(c"dummy", nix::kmod::DeleteModuleFlags::empty()).unwrap_err(),
        nix::errno::Errno::EPERM
    );
    assert_eq!(nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).unwrap_err(), nix::errno::Errno::EPERM);
    assert_eq!(nix::unistd::chroot("/proc").unwrap_err(), nix::errno::Errno::EPERM);
    assert_eq!(
        nix::sys::socket::socket(
            nix::sys::socket::AddressFamily::Vsock,
            nix::sys::socket::SockType::Stream,
            nix::sys::socket::SockFlag::empty(),
            None
        )
        .unwrap_err(),
        nix::errno::Errno::EPERM
    );

    // Files and ports, where the kernel has Landlock.
    if let Wall::Missing(why) = &confined.files {
        println!("skipped: files and ports: {why}");
        return;
    }
    for path in [folder.join("out-of-reach/file"), "/etc/passwd".into(), "/etc/hostname".into()] {
        let error = fs::read_to_string(&path).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{}", path.display());
    }
    for path in [folder.join("read/file"), folder.join("out-of-reach/new"), "/tmp/ddbwatch-confined".into()] {
        let error = fs::write(&path, "x").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{}", path.display());
    }
    if confined.files == Wall::Stands {
        for result in
            [TcpStream::connect(("127.0.0.1", port)).map(drop), TcpListener::bind("127.0.0.1:0").map(drop)]
        {
            assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
        }
    }
}

fn libc_eperm() -> i32 {
    nix::errno::Errno::EPERM as i32
}
