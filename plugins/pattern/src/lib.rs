//! Regular expressions for plugins.
//!
//! A match takes time in proportion to the text, whatever the expression: there is no look-around and there are no
//! back-references. `\d`, `\w`, `\s` and `\b` are those of ASCII, which is what logs write and what makes for small
//! machines; `.` and other classes are of whole characters. Matching allocates nothing once it has warmed up.

mod ascii;

use std::ops::Range;

use regex_automata::meta::{self, Cache, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, PatternID};
use regex_syntax::ast;
use regex_syntax::hir::Look;
use regex_syntax::hir::translate::Translator;

/// What one expression may take when it is compiled, bytes.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// A compiled regular expression, with the space that its searches work in.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    cache: Cache,
}

/// Where the groups of a pattern have matched. Group 0 is the whole match.
#[derive(Debug, Default)]
pub struct Groups(Vec<Option<NonMaxUsize>>);

impl Groups {
    /// The part of the text that a group has matched, if it took part in the match.
    #[inline(always)]
    pub fn get(&self, group: usize) -> Option<Range<usize>> {
        let start = self.0.get(group * 2).copied()??.get();
        let end = self.0.get(group * 2 + 1).copied()??.get();
        Some(start..end)
    }
}

impl Pattern {
    /// Compiles an expression; or says what is wrong with it, and where.
    pub fn new(expression: &str) -> Result<Self, String> {
        let mut ast = ast::parse::Parser::new().parse(expression).map_err(|error| error.to_string())?;
        ascii::narrow(&mut ast);
        let hir = Translator::new().translate(expression, &ast).map_err(|error| error.to_string())?;
        // Where a match begins with the text, a first pass that only finds it is in vain.
        let is_anchored = hir.properties().look_set_prefix().contains(Look::Start);
        let config = meta::Config::new().nfa_size_limit(Some(COMPILED_BYTES_MAX)).hybrid(!is_anchored);
        let regex =
            meta::Builder::new().configure(config).build_from_hir(&hir).map_err(|error| {
                match error.size_limit() {
                    Some(_) => format!("it takes more than {COMPILED_BYTES_MAX} bytes when it is compiled"),
                    None => error.to_string(),
                }
            })?;
        let cache = regex.create_cache();
        Ok(Self { regex, cache })
    }

    /// The names of the groups, in order; group 0 is the whole match.
    pub fn group_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.group_info().pattern_names(PatternID::ZERO)
    }

    /// Whether the expression matches anywhere in the text.
    pub fn is_match(&mut self, text: &str) -> bool {
        self.regex.search_half_with(&mut self.cache, &Input::new(text).earliest(true)).is_some()
    }

    /// The first match from byte `from` on, which is between two characters.
    pub fn find(&mut self, text: &str, from: usize) -> Option<Range<usize>> {
        let input = Input::new(text).span(from..text.len());
        self.regex.search_with(&mut self.cache, &input).map(|found| found.range())
    }

    /// Whether the expression matches anywhere in the text, and where its groups do.
    #[inline]
    pub fn captures(&mut self, text: &str, groups: &mut Groups) -> bool {
        groups.0.resize(self.regex.group_info().slot_len(), None);
        self.regex.search_slots_with(&mut self.cache, &Input::new(text), &mut groups.0).is_some()
    }
}

#[cfg(test)]
mod tests;
