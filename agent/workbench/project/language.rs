//! Languages that plugins are written in, and what a project in each has.

use std::path::Path;

/// Languages that plugins are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// With `cargo test`, and the SDK's sources in the folder `sdk`.
    Rust,
    /// Run by QuickJS, which is part of the component.
    Js,
    /// Run by CPython, which is part of the component.
    Python,
    /// With a C library.
    C,
}

impl Language {
    const ALL: [Self; 4] = [Self::Rust, Self::Js, Self::Python, Self::C];

    /// The file that tells that a folder holds a plugin in this language.
    const fn entry(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Js => "plugin.js",
            Self::Python => "plugin.py",
            Self::C => "plugin.c",
        }
    }

    /// The language of the plugin that a folder holds.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|language| folder.join(language.entry()).is_file())
    }

    /// The files of a project that are its own.
    pub(super) const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rust => &[
                ("Cargo.toml", include_str!("rust/manifest.toml")),
                ("src/lib.rs", include_str!("rust/lib.rs.txt")),
                (".gitignore", "/target\n"),
                ("Cargo.lock", include_str!("../../../plugins/Cargo.lock")),
            ],
            Self::Js => &[
                ("plugin.js", include_str!("javascript/plugin.js")),
                ("logsmith.js", include_str!("../../../plugins/js/logsmith.js")),
            ],
            Self::Python => &[
                ("plugin.py", include_str!("python/plugin.py")),
                ("logsmith.py", include_str!("../../../plugins/python/logsmith.py")),
                (".gitignore", "__pycache__/\n"),
            ],
            Self::C => &[
                ("plugin.c", include_str!("c/plugin.c")),
                ("logsmith/logsmith.h", include_str!("../../../plugins/c/logsmith.h")),
                ("logsmith/internal.h", include_str!("../../../plugins/c/internal.h")),
                ("logsmith/boundary.c", include_str!("../../../plugins/c/boundary.c")),
                ("logsmith/columns.c", include_str!("../../../plugins/c/columns.c")),
                ("logsmith/settings.c", include_str!("../../../plugins/c/settings.c")),
                ("logsmith/text.c", include_str!("../../../plugins/c/text.c")),
            ],
        }
    }
}

/// The files that each project has.
pub(super) const COMMON: [(&str, &str); 2] =
    [("tests/first.toml", include_str!("first.toml")), ("sample.log", include_str!("sample.log"))];
