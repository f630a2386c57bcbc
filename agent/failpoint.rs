//! Named places at which a test can have the process killed, or hang.
//!
//! `LOGSMITH_KILL_AT=<name>` aborts the process, without any clean-up, when it first gets to the place of that
//! name; `LOGSMITH_HANG_AT=<name>` has the stage that gets there hang for ever. The variables are for tests; unset, a place
//! costs two comparisons.

use std::sync::OnceLock;

/// The places in a central pass and in a replay, each right after the write that it is named after, where that is the last
/// one that survives; and those in the stages of the agent.
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
    /// `read`: the tail stage is about to read files.
    Read,
    /// `judge`: a transform stage is about to judge lines.
    Judge,
    /// `put`: a sync stage is about to put an object.
    Put,
    /// `tidy`: the housekeeping stage is about to look at the tables.
    Tidy,
}

impl Failpoint {
    const ALL: [Self; 11] = [
        Self::AfterSilverCommit,
        Self::AfterStateCommit,
        Self::AfterGoldCommit,
        Self::BeforeDelete,
        Self::MidDelete,
        Self::AfterReplayFiles,
        Self::AfterReplayCommit,
        Self::Read,
        Self::Judge,
        Self::Put,
        Self::Tidy,
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
            Self::Read => "read",
            Self::Judge => "judge",
            Self::Put => "put",
            Self::Tidy => "tidy",
        }
    }
}

/// Aborts the process if it was started to die here; never returns if it was started to hang here.
pub fn reached(failpoint: Failpoint) {
    static CHOSEN: OnceLock<[Option<Failpoint>; 2]> = OnceLock::new();
    let [kill_at, hang_at] = CHOSEN.get_or_init(|| ["LOGSMITH_KILL_AT", "LOGSMITH_HANG_AT"].map(chosen));
    if *kill_at == Some(failpoint) {
        std::process::abort();
    }
    if *hang_at == Some(failpoint) {
        loop {
            std::thread::park();
        }
    }
}

fn chosen(variable: &str) -> Option<Failpoint> {
    let name = std::env::var(variable).ok()?;
    let found = Failpoint::ALL.into_iter().find(|failpoint| failpoint.name() == name);
    if found.is_none() {
        tracing::warn!(name, "{variable} names no failpoint");
    }
    found
}
