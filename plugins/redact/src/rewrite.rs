//! Columns with what rules have found replaced.
//!
//! A column in which nothing is found is given back as it came: nothing of it is copied.

use std::ops::Range;

use logsmith_plugin::{Column, Strings, Values};

use crate::rules::Rule;

/// A place in a text, and the number of the rule that found it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Find {
    range: Range<usize>,
    rule: usize,
}

/// The column, redacted.
pub fn column(mut column: Column, rules: &mut [Rule]) -> Column {
    let strings = match &mut column.values {
        Values::Utf8(strings) => strings,
        Values::StringMap(maps) => &mut maps.values,
        _ => return column,
    };
    if let Some(redacted) = redacted(strings, rules) {
        *strings = redacted;
    }
    column
}

/// The texts with all finds replaced; `None` where there are none.
fn redacted(strings: &Strings, rules: &mut [Rule]) -> Option<Strings> {
    let mut written: Option<Strings> = None;
    let mut replacement = String::new();
    let mut finds = Finds::default();
    // Up to here the data is written.
    let mut copied = 0;
    for index in 1..strings.offsets.len() {
        let (start, end) = (strings.offsets[index - 1] as usize, strings.offsets[index] as usize);
        // The boundary promises UTF-8. A text that is none must not pass unseen.
        let text = str::from_utf8(&strings.data[start..end])
            .unwrap_or_else(|error| panic!("a text that is none: {error}"));
        finds.collect(text, rules);
        if finds.kept.is_empty() && written.is_none() {
            continue;
        }
        let written = written.get_or_insert_with(|| Strings {
            offsets: strings.offsets[..index].to_vec(),
            data: Vec::with_capacity(strings.data.len()),
        });
        for Find { range, rule } in &finds.kept {
            let rule = &mut rules[*rule];
            replacement.clear();
            rule.replacement.write(&text[range.clone()], &mut replacement);
            rule.finds += 1;
            written.data.extend_from_slice(&strings.data[copied..start + range.start]);
            written.data.extend_from_slice(replacement.as_bytes());
            copied = start + range.end;
        }
        written.data.extend_from_slice(&strings.data[copied..end]);
        copied = end;
        let len = i32::try_from(written.data.len());
        written.offsets.push(len.unwrap_or_else(|_| panic!("a column of more than 2 GiB in one batch")));
    }
    written
}

/// The finds of all rules in one text, in order, of which none overlap.
#[derive(Debug, Default)]
struct Finds {
    kept: Vec<Find>,
    merged: Vec<Find>,
}

impl Finds {
    #[inline]
    fn collect(&mut self, text: &str, rules: &mut [Rule]) {
        self.kept.clear();
        for (number, rule) in rules.iter_mut().enumerate() {
            if let Some(first) = rule.finder.next(text, 0) {
                self.add(text, number, rule, first);
            }
        }
    }

    /// Finds that overlap become one, of the rule of the longer.
    fn add(&mut self, text: &str, number: usize, rule: &mut Rule, first: Range<usize>) {
        let Self { kept, merged } = self;
        merged.clear();
        let mut earlier = kept.drain(..).peekable();
        let mut next = Some(first);
        while let Some(range) = next {
            while let Some(before) = earlier.next_if(|other| other.range.end <= range.start) {
                merged.push(before);
            }
            let mut find = Find { range, rule: number };
            while let Some(other) = earlier.next_if(|other| other.range.start < find.range.end) {
                if other.range.len() >= find.range.len() {
                    find.rule = other.rule;
                }
                find.range = find.range.start.min(other.range.start)..find.range.end.max(other.range.end);
            }
            let end = find.range.end;
            merged.push(find);
            next = rule.finder.next(text, end);
        }
        merged.extend(earlier);
        std::mem::swap(&mut self.kept, &mut self.merged);
    }
}
