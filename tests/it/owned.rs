//! What is run was put there by whom the operator trusts.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use crate::support::{Host, component, fail, succeed};

/// Configures the plugin `path`, which must be root's.
fn owned_by_root(host: &Host, path: &Path) {
    host.configure(path.to_str().unwrap(), "");
    host.edit(|edge| edge.replace("[agent]", "[agent]\nplugins_owned_by_root = true"));
}

#[test]
fn a_plugin_that_others_could_have_written_is_refused_where_it_must_be_roots() {
    let host = Host::new("builtin:json");
    let folder = host.path("plugins");
    let plugin = folder.join("json.wasm");
    fs::create_dir(&folder).unwrap();
    fs::copy(component("json"), &plugin).unwrap();
    owned_by_root(&host, &plugin);
    // Everybody may write to the folder of temporary files, above.
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(said.contains("cannot read the plugin"), "{said}");
    assert!(
        said.contains("may be written by others than root") || said.contains("belongs to the user"),
        "{said}"
    );
    host.configure("builtin:json", "");
    host.edit(|edge| edge.replace("[agent]", "[agent]\nplugins_owned_by_root = true"));
    succeed(&mut host.edge(&["run", "--once"]));
}

#[test]
fn a_plugin_of_root_below_folders_of_root_runs_until_one_of_them_is_not() {
    let Ok(folder) = tempfile::tempdir_in("/run") else {
        eprintln!("skipped: only root can make a folder of root");
        return;
    };
    let (inner, host) = (folder.path().join("plugins"), Host::new("builtin:json"));
    let plugin = inner.join("json.wasm");
    let allow = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    fs::create_dir(&inner).unwrap();
    fs::copy(component("json"), &plugin).unwrap();
    allow(&plugin, 0o644);
    owned_by_root(&host, &plugin);
    let run = || succeed(&mut host.edge(&["check"]));
    let refused = |wanted: &str| {
        let said = fail(&mut host.edge(&["check"]));
        assert!(said.contains(wanted), "no `{wanted}` in:\n{said}");
    };
    run();
    allow(&plugin, 0o664);
    refused("json.wasm may be written by others than root");
    allow(&plugin, 0o644);
    allow(&inner, 0o1777);
    refused("plugins may be written by others than root");
    allow(&inner, 0o755);
    chown(&plugin, Some(1_234), None).unwrap();
    refused("json.wasm belongs to the user 1234, not to root");
    chown(&plugin, Some(0), None).unwrap();
    symlink(&inner, folder.path().join("link")).unwrap();
    owned_by_root(&host, &folder.path().join("link/json.wasm"));
    refused("link is a symbolic link, or no folder");
    symlink(&plugin, inner.join("link.wasm")).unwrap();
    owned_by_root(&host, &inner.join("link.wasm"));
    refused("link.wasm is a symbolic link");
    owned_by_root(&host, &plugin);
    run();
}

#[test]
fn machine_code_from_outside_is_never_run() {
    let host = Host::new("builtin:json");
    let engine = wasmtime::Engine::default();
    let compiled = engine.precompile_component(&fs::read(component("json")).unwrap()).unwrap();
    fs::write(host.path("json.cwasm"), compiled).unwrap();
    host.configure("json.cwasm", "");
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(
        said.contains("json.cwasm is compiled machine code (a .cwasm file), which is never run"),
        "{said}"
    );
}

/// Compiled plugins are run as they are: where others could have put some, they are made anew.
#[test]
fn compiled_plugins_are_kept_where_nobody_else_can_write() {
    let host = Host::new("builtin:json");
    let cache = host.path("state/cache");
    let mode = || fs::metadata(&cache).unwrap().mode() & 0o777;
    // When the only file that is kept was made.
    let made = || {
        let files: Vec<_> = fs::read_dir(&cache).unwrap().map(|file| file.unwrap()).collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        file.metadata().unwrap().created().unwrap()
    };
    succeed(&mut host.edge(&["run", "--once"]));
    assert_eq!(mode(), 0o700);
    let first = made();

    fs::set_permissions(&cache, Permissions::from_mode(0o755)).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    assert_eq!((mode(), made()), (0o700, first), "others could only read it");

    fs::set_permissions(&cache, Permissions::from_mode(0o777)).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    assert_eq!(mode(), 0o700);
    assert_ne!(made(), first, "others could write to it");
}
