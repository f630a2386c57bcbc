//! Finds a name among a few known ones, fast where it is none of them: most fields of a line are not.

use crate::copy::same;

/// How many hashes there are: a bit each in a word.
const HASHES: usize = 64;

/// A number below 64 that is likely to differ for different names, and differs for those that loggers give to level,
/// message and time.
#[inline(always)]
pub fn name_hash(name: &[u8]) -> usize {
    let (first, last) = (name.first().copied().unwrap_or(0), name.last().copied().unwrap_or(0));
    ((name.len() * 7) ^ usize::from(first) ^ (usize::from(last) * 13)) % HASHES
}

/// Known names, and what each of them means.
#[derive(Debug)]
pub struct Names<T> {
    /// A bit for each hash that a name has.
    hashes: u64,
    /// Ordered by hash.
    names: Vec<(String, T)>,
    /// For each hash the first of its names, and how many there are.
    slots: [(u32, u32); HASHES],
}

impl<T: Copy> Names<T> {
    /// These names. Of equal ones the first counts.
    pub fn new(names: impl IntoIterator<Item = (String, T)>) -> Self {
        let mut by_hash = [const { Vec::new() }; HASHES];
        for (name, meaning) in names {
            if let Some(same_hash) = by_hash.get_mut(name_hash(name.as_bytes())) {
                same_hash.push((name, meaning));
            }
        }
        let (mut hashes, mut names) = (0, Vec::new());
        let mut hash = 0;
        let slots = by_hash.map(|mut same_hash| {
            hashes |= u64::from(!same_hash.is_empty()) << hash;
            hash += 1;
            let slot = (names.len() as u32, same_hash.len() as u32);
            names.append(&mut same_hash);
            slot
        });
        Self { hashes, names, slots }
    }

    /// What `name` means, if it is known. `hash` is its [`name_hash`].
    #[inline(always)]
    pub fn find(&self, name: &[u8], hash: usize) -> Option<T> {
        if self.hashes >> hash & 1 == 0 {
            return None;
        }
        let (first, count) = *self.slots.get(hash)?;
        let (known, meaning) = self.names.get(first as usize)?;
        if same(known.as_bytes(), name) {
            return Some(*meaning);
        }
        // A call costs more than all of the above.
        if count == 1 { None } else { self.find_among(name, first as usize, count as usize) }
    }

    #[cold]
    fn find_among(&self, name: &[u8], first: usize, count: usize) -> Option<T> {
        let candidates = self.names.get(first..first + count)?;
        candidates.iter().find(|(known, _)| same(known.as_bytes(), name)).map(|(_, meaning)| *meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_and_no_other() {
        let known = (0..200).filter(|n| n % 3 != 0);
        let names = Names::new(known.map(|n| (format!("name{n}"), n)).chain([("name1".to_owned(), 999)]));
        for n in 0..400 {
            let name = format!("name{n}");
            let found = names.find(name.as_bytes(), name_hash(name.as_bytes()));
            assert_eq!(found, (n < 200 && n % 3 != 0).then_some(n), "{name}");
        }
        assert_eq!(names.find(b"", name_hash(b"")), None);
    }

    #[test]
    fn the_usual_names_have_hashes_of_their_own() {
        let usual = [
            "level",
            "severity",
            "log_level",
            "lvl",
            "message",
            "msg",
            "time",
            "timestamp",
            "@timestamp",
            "ts",
            "t",
        ];
        let mut hashes = usual.map(|name| name_hash(name.as_bytes()));
        hashes.sort_unstable();
        assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]), "{hashes:?}");
    }
}
