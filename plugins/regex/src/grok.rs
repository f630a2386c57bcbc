//! `%{NAME}` and `%{NAME:column}` in a regular expression.

use std::collections::BTreeMap;

/// Expressions by name, of which all are about what a text looks like.
pub const NAMES: &[(&str, &str)] = &[
    // Words and what is between them.
    ("WORD", r"\b\w+\b"),
    ("NOTSPACE", r"\S+"),
    ("SPACE", r"\s*"),
    ("DATA", ".*?"),
    ("GREEDYDATA", ".*"),
    ("QUOTEDSTRING", r#""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"#),
    ("QS", "%{QUOTEDSTRING}"),
    // Numbers.
    ("INT", r"[+-]?\d+"),
    ("POSINT", r"\b[1-9]\d*\b"),
    ("NONNEGINT", r"\b\d+\b"),
    ("NUMBER", r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)"),
    ("BASE10NUM", "%{NUMBER}"),
    ("BASE16NUM", "(?:0[xX])?[0-9A-Fa-f]+"),
    ("UUID", "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
    // Hosts and users.
    ("IPV4", r"(?:\d{1,3}\.){3}\d{1,3}"),
    ("IPV6", "%{IPV6FULL}|%{IPV6SHORT}"),
    ("IPV6PART", "[0-9A-Fa-f]{1,4}"),
    ("IPV6FULL", "(?:%{IPV6PART}:){6}(?:%{IPV4}|%{IPV6PART}:%{IPV6PART})"),
    (
        "IPV6SHORT",
        "(?:%{IPV6PART}(?::%{IPV6PART}){0,6})?::(?:(?:%{IPV6PART}:){0,5}%{IPV4}|(?:%{IPV6PART}:){0,6}%{IPV6PART}|)",
    ),
    ("IP", "%{IPV6}|%{IPV4}"),
    ("HOSTNAME", "[0-9A-Za-z](?:[0-9A-Za-z_.-]*[0-9A-Za-z])?"),
    ("IPORHOST", "%{IP}|%{HOSTNAME}"),
    ("HOSTPORT", r"(?:%{IPORHOST}):\d+"),
    ("MAC", "(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"),
    ("USERNAME", "[0-9A-Za-z._-]+"),
    ("USER", "%{USERNAME}"),
    ("EMAILADDRESS", r"[^\s@]+@%{HOSTNAME}"),
    // Paths and addresses.
    ("UNIXPATH", r"/\S*"),
    ("WINPATH", r"(?:[A-Za-z]:)?\\\S*"),
    ("PATH", "%{UNIXPATH}|%{WINPATH}"),
    ("URIPROTO", "[A-Za-z][0-9A-Za-z+.-]*"),
    ("URIHOST", r"(?:%{IPORHOST})(?::\d+)?"),
    ("URIPATH", r"/[^\s?#]*"),
    ("URIPARAM", r"\?[^\s#]*"),
    ("URIPATHPARAM", "%{URIPATH}(?:%{URIPARAM})?"),
    ("URI", r"%{URIPROTO}://(?:[^\s/@]*@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?(?:#\S*)?"),
    // Times.
    ("YEAR", r"\d{4}"),
    (
        "MONTH",
        "(?i:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?\
         |Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)",
    ),
    ("MONTHNUM", r"\d{1,2}"),
    ("MONTHDAY", r"\d{1,2}"),
    (
        "DAY",
        "(?i:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)",
    ),
    ("HOUR", r"\d{1,2}"),
    ("MINUTE", r"\d{2}"),
    ("SECOND", r"\d{2}(?:[.,]\d+)?"),
    ("TIME", "%{HOUR}:%{MINUTE}:%{SECOND}"),
    ("ISO8601_TIMEZONE", r"Z|[+-]\d{2}(?::?\d{2})?"),
    ("TIMESTAMP_ISO8601", r"%{YEAR}-\d{2}-\d{2}[T ]\d{2}:?\d{2}(?::?%{SECOND})?(?:%{ISO8601_TIMEZONE})?"),
    ("DATE_US", r"%{MONTHNUM}[/-]%{MONTHDAY}[/-]\d{2,4}"),
    ("DATE_EU", r"%{MONTHDAY}[./-]%{MONTHNUM}[./-]\d{2,4}"),
    ("SYSLOGTIMESTAMP", "%{MONTH} +%{MONTHDAY} %{TIME}"),
    ("HTTPDATE", r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} [+-]\d{4}"),
    // Programs.
    (
        "LOGLEVEL",
        "(?i:trace|debug|info(?:rmation)?|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|severe|fatal|alert|panic\
         |emerg(?:ency)?)",
    ),
    ("PROG", r"[^\s\[\]:]+"),
    ("JAVACLASS", r"(?:[A-Za-z_$][\w$]*\.)*[A-Za-z_$][\w$]*"),
];

/// Names within names.
const DEPTH_MAX: usize = 16;
/// What an expression may grow to, bytes.
const EXPANDED_BYTES_MAX: usize = 64 << 10;

/// Writes the expressions for the names of a pattern; or says what is wrong with one of them.
///
/// A group that is the second of its name in the pattern is called `name[2]`, and so on.
pub fn expand(pattern: &str, names: &BTreeMap<String, String>) -> Result<String, String> {
    let mut expansion = Expansion { names, used: BTreeMap::new(), text: String::new() };
    expansion.write(pattern, 0)?;
    Ok(expansion.text)
}

/// The column that a group fills.
pub fn column_of(group: &str) -> &str {
    group.split_once('[').map_or(group, |(column, _)| column)
}

/// Letters, digits and `_`, of which a digit is not the first.
pub fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
}

struct Expansion<'a> {
    names: &'a BTreeMap<String, String>,
    /// How many groups each column has by now.
    used: BTreeMap<String, usize>,
    text: String,
}

impl Expansion<'_> {
    fn write(&mut self, pattern: &str, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!(
                "`%{{..}}` within `%{{..}}` more than {DEPTH_MAX} times: does one name itself?"
            ));
        }
        let mut rest = pattern;
        while let Some(at) = rest.find(['\\', '%']) {
            let (before, special) = rest.split_at(at);
            self.push(before)?;
            rest = match special.strip_prefix("%{") {
                Some(reference) => {
                    let (reference, after) = reference
                        .split_once('}')
                        .ok_or("a `%{` has no `}`: write `%{NAME:column}`, or `%\\{`")?;
                    self.refer(reference, depth)?;
                    after
                }
                None => {
                    // What a backslash stands before is no `%{`.
                    let len = if special.starts_with('\\') { 1 } else { 0 };
                    let end = special.char_indices().nth(len + 1).map_or(special.len(), |(end, _)| end);
                    let (literal, after) = special.split_at(end);
                    self.push(literal)?;
                    after
                }
            };
        }
        self.push(rest)
    }

    fn refer(&mut self, reference: &str, depth: usize) -> Result<(), String> {
        let (name, column) = match reference.split_once(':') {
            Some((name, column)) => (name, Some(column)),
            None => (reference, None),
        };
        let wrong = |what: &str| Err(format!("`%{{{reference}}}`: {what}"));
        let names = self.names;
        let builtin = || NAMES.iter().find(|(known, _)| *known == name).map(|(_, expression)| *expression);
        let Some(expression) = names.get(name).map(String::as_str).or_else(builtin) else {
            return wrong(&format!(
                "there is no `{name}`: define it below `names`, or write `%\\{{` for the text"
            ));
        };
        match column {
            None => self.push("(?:")?,
            Some(column) if is_name(column) => {
                let number =
                    self.used.entry(column.to_owned()).and_modify(|number| *number += 1).or_insert(1);
                let group =
                    if *number == 1 { format!("(?<{column}>") } else { format!("(?<{column}[{number}]>") };
                self.push(&group)?;
            }
            Some(column) if column.contains(':') => {
                return wrong("the type of a column stands in `types`, as in `types = { bytes = \"long\" }`");
            }
            Some(_) => return wrong("a column's name has letters, digits and `_`"),
        }
        self.write(expression, depth + 1)?;
        self.push(")")
    }

    fn push(&mut self, text: &str) -> Result<(), String> {
        self.text.push_str(text);
        if self.text.len() > EXPANDED_BYTES_MAX {
            return Err(format!("it is longer than {EXPANDED_BYTES_MAX} bytes with its names written out"));
        }
        Ok(())
    }
}
