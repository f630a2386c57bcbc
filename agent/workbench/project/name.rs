//! Names that plugins may have.

use super::Language;

/// Words that no function can be called: those of Rust, and those that it keeps for later.
const RUST_WORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

/// Crates that the compiler brings along, and those that the SDK is made of, which a plugin may want to name, too.
const RUST_CRATES: [&str; 11] = [
    "alloc",
    "core",
    "logsmith_plugin",
    "logsmith_plugin_macros",
    "proc_macro",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "std",
    "test",
    "wit_bindgen",
];

/// Letters of a name, which becomes that of a file.
const LETTERS_MAX: usize = 64;

/// Why a plugin in this language cannot be called so, and what to write instead.
///
/// In Rust a plugin's name is that of a crate and of a function, in other languages only a text.
pub(super) fn check(name: &str, language: Language) -> Result<(), String> {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(is_letter) {
        return Err("write small letters, digits and `_`, a letter first".to_owned());
    }
    if name.len() > LETTERS_MAX {
        return Err(format!("it has {} letters, and may have {LETTERS_MAX}", name.len()));
    }
    if language != Language::Rust {
        return Ok(());
    }
    if RUST_WORDS.contains(&name) {
        return Err(format!("it is a word of Rust; write `{name}_lines` or the like"));
    }
    if RUST_CRATES.contains(&name) {
        return Err(format!(
            "it is the name of a crate that plugins are made of; write `{name}_lines` or the like"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_crate_and_of_a_function() {
        let is_name = |name: &str| check(name, Language::Rust).is_ok();
        assert!(
            is_name("sales")
                && is_name("app_2")
                && is_name("line")
                && is_name("log")
                && is_name(&"x".repeat(64))
        );
        for name in ["", "Sales", "2fast", "a-b", "a b", "é", "_x", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
        for name in ["self", "where", "gen", "std", "test", "serde", "logsmith_plugin", "wit_bindgen"] {
            let reason = check(name, Language::Rust).expect_err(name);
            assert!(reason.contains(&format!("`{name}_lines`")), "{reason}");
            assert!(is_name(&format!("{name}_lines")), "{name}");
        }
    }

    #[test]
    fn a_name_is_but_a_text_in_other_languages() {
        for language in [Language::Js, Language::Python, Language::C] {
            assert_eq!(check("self", language), Ok(()));
            check("Sales", language).expect_err("it is no name of a file everywhere");
        }
    }
}
