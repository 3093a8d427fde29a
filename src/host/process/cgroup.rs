//! What the path of a control group tells: the container and the unit.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Hexadecimal digits of a container's id, as Docker, containerd, CRI-O and Podman give them.
const ID_DIGITS: usize = 64;

/// Levels of groups that are gone down.
const MAX_DEPTH: usize = 12;

/// Container and unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub container: Option<Arc<str>>,
    pub unit: Option<Arc<str>>,
}

/// Reads a path such as `/system.slice/docker-0123….scope`.
#[must_use]
pub fn read(path: &str) -> Place {
    let mut place = Place::default();
    for component in path.split('/') {
        if let Some(id) = container(component) {
            place.container = Some(Arc::from(id));
        }
        // The innermost unit; slices only group others.
        if component.ends_with(".service") || component.ends_with(".scope") {
            place.unit = Some(Arc::from(component));
        }
    }
    place
}

/// The container a component names: 64 hexadecimal digits, alone or as `docker-….scope`,
/// `cri-containerd-….scope`, `crio-….scope`, `libpod-….scope`; or a task of ECS on Fargate, 32 digits
/// and a number.
fn container(component: &str) -> Option<&str> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let last = name.rsplit('-').next().unwrap_or_default();
    if last.len() == ID_DIGITS && is_hex(last) {
        return Some(last);
    }
    if let Some((task, number)) = name.split_once('-')
        && task.len() == ID_DIGITS / 2
        && is_hex(task)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some(name);
    }
    None
}

/// Reads `/proc/PID/cgroup`: the line of the second version (`0::/…`), else that of systemd, else the
/// first that names a container.
#[must_use]
pub(super) fn of_process(text: &str) -> Place {
    let paths = || text.lines().filter_map(|line| line.splitn(3, ':').nth(2).map(|path| (line, path)));
    let unified = paths().find(|(line, path)| line.starts_with("0::") && *path != "/");
    let systemd = || paths().find(|(line, path)| line.contains(":name=systemd:") && *path != "/");
    let mut place = unified.or_else(systemd).map(|(_, path)| read(path)).unwrap_or_default();
    if place.container.is_none() {
        place.container = paths().find_map(|(_, path)| read(path).container);
    }
    place
}

/// Where the second version of control groups is mounted.
pub(super) fn root() -> Option<PathBuf> {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.join("cgroup.controllers").exists())
}

/// Every group by its number, which is the inode of its folder.
pub(super) fn walk(root: &Path, most: usize) -> HashMap<u64, Arc<str>> {
    let mut found = HashMap::new();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if found.len() >= most {
            break;
        }
        if let Ok(metadata) = std::fs::metadata(&folder) {
            let path = folder.strip_prefix(root).unwrap_or(&folder);
            found.insert(metadata.ino(), Arc::from(format!("/{}", path.display())));
        }
        if depth >= MAX_DEPTH {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f2a9c0d1e4b5a697887766554433221100ffeeddccbbaa99887766554433221";

    #[test]
    fn finds_containers_and_units() {
        for (path, container, unit) in [
            (format!("/system.slice/docker-{ID}.scope"), Some(ID), Some(format!("docker-{ID}.scope"))),
            (format!("/docker/{ID}"), Some(ID), None),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a2b.slice/cri-containerd-{ID}.scope"
                ),
                Some(ID),
                Some(format!("cri-containerd-{ID}.scope")),
            ),
            (format!("/kubepods/besteffort/pod1a2b-3c/{ID}"), Some(ID), None),
            (
                format!("/machine.slice/libpod-{ID}.scope/container"),
                Some(ID),
                Some(format!("libpod-{ID}.scope")),
            ),
            (format!("/ecs/cluster/0123456789abcdef0123456789abcdef/{ID}"), Some(ID), None),
            (
                "/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-265927825".to_owned(),
                Some("0123456789abcdef0123456789abcdef-265927825"),
                None,
            ),
            ("/system.slice/nginx.service".to_owned(), None, Some("nginx.service".to_owned())),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.service".to_owned(),
                None,
                Some("app-x.service".to_owned()),
            ),
            ("/user.slice/user-0.slice/session-3.scope".to_owned(), None, Some("session-3.scope".to_owned())),
            ("/".to_owned(), None, None),
            (format!("/odd/{}", &ID[1..]), None, None),
        ] {
            let place = read(&path);
            assert_eq!(
                (place.container.as_deref(), place.unit.as_deref()),
                (container, unit.as_deref()),
                "{path}"
            );
        }
    }

    #[test]
    fn reads_the_groups_of_a_process_of_either_version() {
        let new = "0::/system.slice/nginx.service\n";
        assert_eq!(of_process(new).unit.as_deref(), Some("nginx.service"));
        let old = format!("9:name=systemd:/system.slice/docker.service\n4:memory:/docker/{ID}\n0::/\n");
        let place = of_process(&old);
        assert_eq!((place.container.as_deref(), place.unit.as_deref()), (Some(ID), Some("docker.service")));
        for text in ["", "0::", "::::", "9:x"] {
            assert_eq!(of_process(text), Place::default(), "{text}");
        }
    }

    #[test]
    fn walks_over_groups_up_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        let found = walk(folder.path(), 100);
        let mut paths: Vec<&str> = found.values().map(|path| &**path).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["/", "/a", "/a/b", "/a/b/c"]);
        assert_eq!(walk(folder.path(), 2).len(), 2);
    }
}
