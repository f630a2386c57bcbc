//! What the path of a log file says about its container.

use logsmith_plugin::Record;

/// Whose log a file is, as far as its path says it:
///
/// ```text
/// /var/log/pods/<namespace>_<pod>_<uid>/<container>/<restart>.log
/// /var/log/containers/<pod>_<namespace>_<container>-<container id>.log
/// /var/lib/docker/containers/<container id>/<container id>-json.log
/// ```
///
/// A rotation may have added something to the file's name, and the folders may stand elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Record)]
pub struct Place<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) pod: Option<&'a str>,
    pub(crate) container: Option<&'a str>,
    pub(crate) container_id: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// What `path` says; nothing if it is like none of these.
    pub fn of(path: &'a str) -> Self {
        let mut parts = path.rsplit('/');
        let [file, folder, above, top] = [(); 4].map(|()| parts.next().unwrap_or_default());
        let found = match (top, above, folder) {
            ("pods", pod, container) => Self::in_pods(pod, container, file),
            (_, "containers", id) => Self::of_docker(id, file),
            (_, _, "containers") => Self::in_containers(file),
            _ => None,
        };
        found.unwrap_or_default()
    }

    fn in_pods(folder: &'a str, container: &'a str, file: &str) -> Option<Self> {
        let [namespace, pod, _uid] = names(folder)?;
        let (restart, _) = file.split_once(".log")?;
        let is_restart = !restart.is_empty() && restart.bytes().all(|byte| byte.is_ascii_digit());
        let found = Self {
            namespace: Some(namespace),
            pod: Some(pod),
            container: Some(container),
            container_id: None,
        };
        (is_restart && !container.is_empty()).then_some(found)
    }

    fn in_containers(file: &'a str) -> Option<Self> {
        let (stem, _) = file.rsplit_once(".log")?;
        let [pod, namespace, rest] = names(stem)?;
        let (container, id) = rest.rsplit_once('-')?;
        let found = Self {
            namespace: Some(namespace),
            pod: Some(pod),
            container: Some(container),
            container_id: Some(id),
        };
        (is_id(id) && !container.is_empty()).then_some(found)
    }

    fn of_docker(id: &'a str, file: &str) -> Option<Self> {
        let is_log = file.strip_prefix(id)?.starts_with("-json.log");
        (is_log && is_id(id)).then_some(Self { container_id: Some(id), ..Self::default() })
    }
}

/// Three names with `_` between them, which no name has.
fn names(text: &str) -> Option<[&str; 3]> {
    let mut names = text.split('_');
    let found = [names.next()?, names.next()?, names.next()?];
    (names.next().is_none() && found.iter().all(|name| !name.is_empty())).then_some(found)
}

fn is_id(text: &str) -> bool {
    text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
