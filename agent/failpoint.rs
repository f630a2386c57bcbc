//! Named places at which a test can have the process killed.
//!
//! `LOGSMITH_KILL_AT=<name>` aborts the process, without any clean-up, when it first gets to the place of that
//! name. The variable is for crash tests; unset, a place costs one comparison.

use std::sync::OnceLock;

/// The places in a central pass and in a replay. Each lies right after the write that it is named after, where that is the
/// last one that survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// `after-silver-commit`: rows are in fleet Silver, no view has seen them.
    AfterSilverCommit,
    /// `after-state-commit`: a view's state has counted them, its Gold table does not show it.
    AfterStateCommit,
    /// `after-gold-commit`: a Gold table shows them, other views may not.
    AfterGoldCommit,
    /// `before-delete`: every view shows them, the landing still holds their objects.
    BeforeDelete,
    /// `mid-delete`: the first of the consumed objects is deleted, the others are not.
    MidDelete,
    /// `after-replay-files`: the new generation is durable, and no commit names it.
    AfterReplayFiles,
    /// `after-replay-commit`: Silver holds the new generation, the dead-letter table does not follow yet.
    AfterReplayCommit,
}

impl Failpoint {
    const ALL: [Self; 7] = [
        Self::AfterSilverCommit,
        Self::AfterStateCommit,
        Self::AfterGoldCommit,
        Self::BeforeDelete,
        Self::MidDelete,
        Self::AfterReplayFiles,
        Self::AfterReplayCommit,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::AfterSilverCommit => "after-silver-commit",
            Self::AfterStateCommit => "after-state-commit",
            Self::AfterGoldCommit => "after-gold-commit",
            Self::BeforeDelete => "before-delete",
            Self::MidDelete => "mid-delete",
            Self::AfterReplayFiles => "after-replay-files",
            Self::AfterReplayCommit => "after-replay-commit",
        }
    }
}

/// Aborts the process if it was started to die here.
pub fn reached(failpoint: Failpoint) {
    static KILL_AT: OnceLock<Option<Failpoint>> = OnceLock::new();
    let chosen = KILL_AT.get_or_init(|| {
        let name = std::env::var("LOGSMITH_KILL_AT").ok()?;
        let found = Failpoint::ALL.into_iter().find(|failpoint| failpoint.name() == name);
        if found.is_none() {
            tracing::warn!(name, "LOGSMITH_KILL_AT names no failpoint");
        }
        found
    });
    if *chosen == Some(failpoint) {
        std::process::abort();
    }
}
