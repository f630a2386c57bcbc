//! Where in a record of several lines the message ends and the throwable begins.

/// The message, and from the throwable's name on the rest.
pub fn split(text: &str) -> (&str, Option<&str>) {
    let Some(start) = start(text) else { return (text, None) };
    let message = text.get(..start).unwrap_or_default();
    (message.trim_end_matches(['\r', '\n']), text.get(start..))
}

/// Whether a text is a newline and a throwable.
pub fn follows(text: &str) -> bool {
    text.starts_with('\n') && start(text) == Some(1)
}

/// The line that names a throwable, or else the one before the first of its frames. One without frames is told by its
/// name, and follows the first line.
fn start(text: &str) -> Option<usize> {
    let second = text.find('\n')? + 1;
    let (mut named, mut before) = (None, None);
    let mut at = second;
    for line in text.get(second..)?.split('\n') {
        if is_frame(line) {
            return named.or(before).or(Some(at));
        }
        if named.is_none() && throwable(line).is_some() {
            named = Some(at);
        }
        before = Some(at);
        at += line.len() + 1;
    }
    let name = throwable(text.get(second..)?.split('\n').next()?)?;
    (name.ends_with("Exception") || name.ends_with("Error")).then_some(second)
}

/// Behind blanks, `at org.example.Main.run(Main.java:7)` or `... 3 more`.
fn is_frame(line: &str) -> bool {
    let frame = line.trim_start_matches([' ', '\t']);
    frame.len() < line.len() && (frame.starts_with("at ") || frame.starts_with("... "))
}

/// The name of a class in a package, which ends its line or stands before a colon.
fn throwable(line: &str) -> Option<&str> {
    let line = line.trim_end_matches('\r');
    let name = line.split_once(':').map_or(line, |(name, _)| name);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._$".contains(&byte));
    (is_name && name.contains('.')).then_some(name)
}
