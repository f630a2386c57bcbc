//! The words of an expression.

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub enum Token<'t> {
    /// A name or a word of the language.
    Word(&'t str),
    /// A name between backticks.
    Name(&'t str),
    Text(&'t str),
    Int(i64),
    Real(f64),
    Sign(&'static str),
    End,
}

/// A word, and at which letter it begins, counted from 1.
#[derive(Clone, Debug)]
pub struct Placed<'t> {
    pub token: Token<'t>,
    pub letter: usize,
}

/// The longer ones come first.
const SIGNS: [&str; 14] = ["&&", "||", "==", "!=", "<=", ">=", "<>", "<", ">", "(", ")", "[", "]", ","];

/// Cuts an expression into its words. An end stands behind the last.
pub fn tokens(text: &str) -> Result<Vec<Placed<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let letter = text.chars().count() - rest.chars().count() + 1;
        let (token, after) = next(rest).map_err(|error| format!("at letter {letter}: {error}"))?;
        let is_end = token == Token::End;
        tokens.push(Placed { token, letter });
        if is_end {
            return Ok(tokens);
        }
        rest = after;
    }
}

fn next(text: &str) -> Result<(Token<'_>, &str), String> {
    let Some(first) = text.chars().next() else { return Ok((Token::End, text)) };
    if matches!(first, '"' | '\'' | '`') {
        let inner = text.get(1..).unwrap_or_default();
        let (inner, rest) = inner.split_once(first).ok_or_else(|| format!("the `{first}` is not closed"))?;
        return Ok((if first == '`' { Token::Name(inner) } else { Token::Text(inner) }, rest));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let (word, rest) = split(text, |letter| letter.is_ascii_alphanumeric() || letter == '_');
        return Ok((Token::Word(word), rest));
    }
    if first.is_ascii_digit() || first == '-' {
        // A sign stands at the start, or behind an `e`.
        let end = text
            .char_indices()
            .skip(1)
            .zip(text.chars())
            .find(|((_, letter), before)| {
                let is_sign = matches!(letter, '+' | '-') && matches!(before, 'e' | 'E');
                !(letter.is_ascii_alphanumeric() || *letter == '.' || is_sign)
            })
            .map_or(text.len(), |((end, _), _)| end);
        let (number, rest) = text.split_at(end);
        let int = number.parse().map(Token::Int).ok();
        let real = || number.parse().map(Token::Real).ok();
        let token = int.or_else(real).ok_or_else(|| format!("`{number}` is no number"))?;
        return Ok((token, rest));
    }
    match SIGNS.iter().find_map(|sign| text.strip_prefix(sign).map(|rest| (*sign, rest))) {
        Some((sign, rest)) => Ok((Token::Sign(sign), rest)),
        None => Err(match first {
            '=' => "write `==` for equal".into(),
            '!' => "write `not`".into(),
            '&' => "write `&&`".into(),
            '|' => "write `||`".into(),
            other => format!("`{}` means nothing here", other.escape_debug()),
        }),
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}
