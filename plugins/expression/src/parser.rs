//! From words to a condition, with all types checked.

use logsmith_pattern::Pattern;
use logsmith_plugin::{Date, Field, Kind, Timestamp};

use crate::lexer::{self, Placed, Token};
use crate::{Comparison, Operand, Search, Test};

/// Parentheses and `not` within each other.
const DEPTH_MAX: usize = 100;

/// The condition, and the columns that it reads.
pub fn parse(text: &str, input: &[Field]) -> Result<(Test, Vec<String>), String> {
    let tokens = lexer::tokens(text)?;
    let mut parser = Parser { tokens: &tokens, input, columns: Vec::new(), depth: 0 };
    let test = parser.any()?;
    match parser.peek() {
        Token::End => Ok((test, parser.columns)),
        Token::Word("and") => Err(parser.wrong("write `&&` for and")),
        Token::Word("or") => Err(parser.wrong("write `||` for or")),
        _ => Err(parser.expected("`&&`, `||` or the end")),
    }
}

struct Parser<'t> {
    tokens: &'t [Placed<'t>],
    input: &'t [Field],
    columns: Vec<String>,
    depth: usize,
}

/// What a side of a condition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Number,
    Text,
    Boolean,
    Time,
    Day,
}

impl Type {
    fn named(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Boolean => "true or false",
            Self::Time => "a time",
            Self::Day => "a date",
        }
    }
}

/// A side of a condition, and where it stands.
struct Side {
    operand: Operand,
    is: Type,
    letter: usize,
    shown: String,
}

impl<'t> Parser<'t> {
    fn any(&mut self) -> Result<Test, String> {
        let mut tests = vec![self.all()?];
        while self.take(&Token::Sign("||")) {
            tests.push(self.all()?);
        }
        Ok(only(tests).unwrap_or_else(Test::Any))
    }

    fn all(&mut self) -> Result<Test, String> {
        let mut tests = vec![self.one()?];
        while self.take(&Token::Sign("&&")) {
            tests.push(self.one()?);
        }
        Ok(only(tests).unwrap_or_else(Test::All))
    }

    fn one(&mut self) -> Result<Test, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong(&format!("more than {DEPTH_MAX} conditions within each other")));
        }
        let test = if self.take(&Token::Word("not")) {
            Test::Not(Box::new(self.one()?))
        } else if self.take(&Token::Sign("(")) {
            let test = self.any()?;
            self.want(")")?;
            test
        } else {
            let left = self.side()?;
            self.condition(left)?
        };
        self.depth -= 1;
        Ok(test)
    }

    /// What is said of a side.
    fn condition(&mut self, left: Side) -> Result<Test, String> {
        if let Token::Sign(sign) = self.peek()
            && let Some(comparison) = comparison(sign)
        {
            self.step();
            let right = self.side()?;
            return self.compare(left, comparison, right);
        }
        let Token::Word(word) = *self.peek() else { return self.holds(left) };
        match word {
            "is" => {
                self.step();
                let is_negated = self.take(&Token::Word("not"));
                if !self.take(&Token::Word("null")) {
                    return Err(self.expected("`null` or `not null` behind `is`"));
                }
                Ok(negated(is_negated, Test::IsNull(left.operand)))
            }
            "in" => {
                self.step();
                self.list(left)
            }
            "not" => {
                self.step();
                if !self.take(&Token::Word("in")) {
                    return Err(self.expected("`in` behind `not`"));
                }
                Ok(Test::Not(Box::new(self.list(left)?)))
            }
            "matches" => {
                self.step();
                self.matches(left)
            }
            "contains" => self.search(left, Search::Contains),
            "starts_with" => self.search(left, Search::StartsWith),
            "ends_with" => self.search(left, Search::EndsWith),
            _ => self.holds(left),
        }
    }

    fn holds(&self, side: Side) -> Result<Test, String> {
        match side.is {
            Type::Boolean => Ok(Test::Holds(side.operand)),
            is => Err(format!(
                "at letter {}: {} is {}, and no condition: compare it with something",
                side.letter,
                side.shown,
                is.named()
            )),
        }
    }

    fn compare(&self, left: Side, comparison: Comparison, right: Side) -> Result<Test, String> {
        let (left, right) = alike(left, right)?;
        let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if left.is == Type::Boolean && !is_equality {
            return Err(format!("at letter {}: true and false have no order", left.letter));
        }
        Ok(Test::Compare(left.operand, comparison, right.operand))
    }

    fn list(&mut self, mut left: Side) -> Result<Test, String> {
        self.want("(")?;
        let mut operands = Vec::new();
        loop {
            let right;
            (left, right) = alike(left, self.side()?)?;
            operands.push(right.operand);
            if !self.take(&Token::Sign(",")) {
                break;
            }
        }
        self.want(")")?;
        Ok(Test::In(left.operand, operands))
    }

    fn matches(&mut self, left: Side) -> Result<Test, String> {
        let left = text(left)?;
        let letter = self.letter();
        let Token::Text(expression) = *self.peek() else {
            return Err(self.expected("a regular expression between quotes"));
        };
        self.step();
        let pattern = Pattern::new(expression).map_err(|error| format!("at letter {letter}: {error}"))?;
        Ok(Test::Matches(left.operand, Box::new(pattern)))
    }

    fn search(&mut self, left: Side, search: Search) -> Result<Test, String> {
        self.step();
        let (left, right) = (text(left)?, text(self.side()?)?);
        Ok(Test::Text(left.operand, search, right.operand))
    }

    fn side(&mut self) -> Result<Side, String> {
        let letter = self.letter();
        let token = self.peek().clone();
        let side = |operand, is, shown: String| Ok(Side { operand, is, letter, shown });
        match token {
            Token::Text(text) => {
                self.step();
                side(Operand::Text(text.into()), Type::Text, format!("{text:?}"))
            }
            Token::Int(number) => {
                self.step();
                side(Operand::Int(number), Type::Number, number.to_string())
            }
            Token::Real(number) => {
                self.step();
                side(Operand::Real(number), Type::Number, number.to_string())
            }
            Token::Word(word @ ("true" | "false")) => {
                self.step();
                side(Operand::Boolean(word == "true"), Type::Boolean, word.into())
            }
            Token::Word("null") => Err(self.wrong("nothing equals null: write `is null` or `is not null`")),
            Token::Word("number") if self.is_next("(") => {
                self.step();
                self.want("(")?;
                let inner = text(self.side()?)?;
                self.want(")")?;
                let shown = format!("number({})", inner.shown);
                side(Operand::NumberOf(Box::new(inner.operand)), Type::Number, shown)
            }
            Token::Word(name) if self.is_next("(") => {
                Err(self.wrong(&format!("there is no `{name}(..)`, only `number(..)` of a text")))
            }
            Token::Word(name) if RESERVED.contains(&name) => Err(self.expected("a column or a value")),
            Token::Word(name) | Token::Name(name) => {
                self.step();
                self.column(name, letter)
            }
            _ => Err(self.expected("a column or a value")),
        }
    }

    fn column(&mut self, name: &str, letter: usize) -> Result<Side, String> {
        let Some(field) = self.input.iter().find(|field| field.name == name) else {
            let names: Vec<&str> = self.input.iter().map(|field| field.name.as_str()).collect();
            return Err(format!(
                "at letter {letter}: there is no column `{name}`, only: {}",
                names.join(", ")
            ));
        };
        let known = self.columns.iter().position(|column| column == name);
        let column = known.unwrap_or_else(|| {
            self.columns.push(name.into());
            self.columns.len() - 1
        });
        let is = match field.kind {
            Kind::Int32 | Kind::Int64 | Kind::Float64 => Type::Number,
            Kind::Utf8 => Type::Text,
            Kind::Boolean => Type::Boolean,
            Kind::TimestampUs => Type::Time,
            Kind::Date32 => Type::Day,
            Kind::StringMap if self.take(&Token::Sign("[")) => {
                let Token::Text(key) = *self.peek() else {
                    return Err(self.expected("a key between quotes"));
                };
                self.step();
                self.want("]")?;
                let operand = Operand::Entry(column, key.into());
                return Ok(Side { operand, is: Type::Text, letter, shown: format!("{name}[{key:?}]") });
            }
            Kind::StringMap => {
                return Err(format!("at letter {letter}: `{name}` is a map: write {name}[\"key\"]"));
            }
            Kind::Binary => {
                return Err(format!("at letter {letter}: `{name}` is binary, which has no conditions"));
            }
        };
        Ok(Side { operand: Operand::Column(column), is, letter, shown: format!("`{name}`") })
    }

    fn peek(&self) -> &Token<'t> {
        self.tokens.first().map_or(&Token::End, |placed| &placed.token)
    }

    fn is_next(&self, sign: &'static str) -> bool {
        self.tokens.get(1).is_some_and(|placed| placed.token == Token::Sign(sign))
    }

    fn letter(&self) -> usize {
        self.tokens.first().map_or(0, |placed| placed.letter)
    }

    fn step(&mut self) {
        // The end stays.
        if let [_, rest @ ..] = self.tokens
            && !rest.is_empty()
        {
            self.tokens = rest;
        }
    }

    fn take(&mut self, token: &Token<'_>) -> bool {
        let is_next = self.peek() == token;
        if is_next {
            self.step();
        }
        is_next
    }

    fn want(&mut self, sign: &'static str) -> Result<(), String> {
        if self.take(&Token::Sign(sign)) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    fn expected(&self, what: &str) -> String {
        let found = match self.peek() {
            Token::Word(word) => format!("found `{word}`"),
            Token::Name(name) => format!("found `{name}`"),
            Token::Text(text) => format!("found {text:?}"),
            Token::Int(number) => format!("found {number}"),
            Token::Real(number) => format!("found {number}"),
            Token::Sign(sign) => format!("found `{sign}`"),
            Token::End => "it ends".into(),
        };
        self.wrong(&format!("expected {what}, {found}"))
    }

    fn wrong(&self, what: &str) -> String {
        format!("at letter {}: {what}", self.letter())
    }
}

/// Words that are no columns, unless they stand between backticks.
const RESERVED: [&str; 10] =
    ["and", "or", "not", "in", "is", "contains", "starts_with", "ends_with", "matches", "null"];

fn only(mut tests: Vec<Test>) -> Result<Test, Vec<Test>> {
    match tests.pop() {
        Some(test) if tests.is_empty() => Ok(test),
        Some(test) => {
            tests.push(test);
            Err(tests)
        }
        None => Err(tests),
    }
}

fn negated(is_negated: bool, test: Test) -> Test {
    if is_negated { Test::Not(Box::new(test)) } else { test }
}

fn comparison(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "==" => Comparison::Equal,
        "!=" | "<>" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn text(side: Side) -> Result<Side, String> {
    if side.is == Type::Text {
        return Ok(side);
    }
    Err(format!("at letter {}: {} is {}, and no text", side.letter, side.shown, side.is.named()))
}

/// Both sides as one type: a text beside a time or a date is one.
fn alike(left: Side, right: Side) -> Result<(Side, Side), String> {
    match (left.is, right.is) {
        (Type::Time | Type::Day, Type::Text) => {
            let right = instant(right, left.is)?;
            Ok((left, right))
        }
        (Type::Text, Type::Time | Type::Day) => Ok((instant(left, right.is)?, right)),
        (one, other) if one == other => Ok((left, right)),
        (one, other) => {
            let hint = match (one, other) {
                (Type::Text, Type::Number) => format!(": write number({})", left.shown),
                (Type::Number, Type::Text) => format!(": write number({})", right.shown),
                _ => String::new(),
            };
            Err(format!(
                "at letter {}: {} is {}, and {} is {}{hint}",
                right.letter,
                left.shown,
                one.named(),
                right.shown,
                other.named()
            ))
        }
    }
}

/// The time or the date that a text between quotes writes.
fn instant(side: Side, is: Type) -> Result<Side, String> {
    let Side { operand, letter, shown, .. } = side;
    let text = if let Operand::Text(text) = &operand { text.as_str() } else { "" };
    let (operand, form) = match is {
        Type::Day => (Date::parse(text).map(|date| Operand::Day(date.days())), "2026-11-30"),
        _ => {
            let time = Timestamp::parse_rfc3339(text).map(|time| Operand::Time(time.micros()));
            (time, "2026-11-30T08:05:09Z")
        }
    };
    match operand {
        Some(operand) => Ok(Side { operand, is, letter, shown }),
        None => Err(format!("at letter {letter}: {shown} is not {}: write {form:?}", is.named())),
    }
}
