use super::*;

fn pattern(expression: &str) -> Pattern {
    Pattern::new(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

#[track_caller]
fn check(expression: &str, text: &str, expected: Option<&str>) {
    let found = pattern(expression).find(text, 0);
    assert_eq!(found.map(|range| &text[range]), expected, "{expression} on {text}");
}

#[test]
fn the_classes_of_perl_are_those_of_ascii_and_others_are_of_characters() {
    check(r"\w+", "é_a1é", Some("_a1"));
    check(r"\d+", "٣3٣", Some("3"));
    check(r"\s", "\u{a0} ", Some(" "));
    check(r"\S+", " é\u{a0}x y", Some("é\u{a0}x"));
    check(r"[\w-]+", "é-a.b", Some("-a"));
    check(r"[^\W\d]+", "12ab3", Some("ab"));
    check(r"[\w&&[^a-c]]+", "abcde", Some("de"));
    check(r"\bb\b", "éb ab b", Some("b"));
    check(r"(?:(\D)|x)+", "é1", Some("é"));
    check(".", "é", Some("é"));
    check("[^a]", "é", Some("é"));
    check(r"(?i)STRASSE é", "strasse É", Some("strasse É"));
    check("[éè]+", "aèéb", Some("èé"));
}

#[test]
fn groups_say_where_they_matched_or_that_they_did_not() {
    let mut pattern = pattern(r"(?<user>\w+)(?:@(?<host>\w+))?(x)?");
    let names: Vec<_> = pattern.group_names().map(|name| name.map(str::to_owned)).collect();
    assert_eq!(names, [None, Some("user".into()), Some("host".into()), None]);
    let mut groups = Groups::default();
    assert!(pattern.captures("é ann@web", &mut groups));
    assert_eq!(
        [0, 1, 2, 3, 9].map(|group| groups.get(group)),
        [Some(3..10), Some(3..6), Some(7..10), None, None]
    );
    assert!(pattern.captures("bob", &mut groups));
    assert_eq!((groups.get(1), groups.get(2)), (Some(0..3), None));
    assert!(!pattern.captures("é", &mut groups));
}

#[test]
fn a_search_goes_on_where_it_is_told_and_sees_what_was_before() {
    let mut pattern = pattern(r"\ba");
    assert_eq!(pattern.find("a ba a", 1), Some(5..6));
    assert!(pattern.is_match("b a") && !pattern.is_match("ba"));
}

#[test]
fn what_is_no_expression_is_refused_with_the_place() {
    for (expression, words) in [
        ("a(b", "unclosed group"),
        ("(?<a>x)(?<a>y)", "duplicate capture group name"),
        (r"(?=x)", "look-around"),
        (r"(a)\1", "backreferences are not supported"),
        (r"\pL", "Unicode"),
        (r"\w{1000}{1000}", "more than 4194304 bytes"),
        (r"(?-u:\xff)", "invalid UTF-8"),
    ] {
        let error = Pattern::new(expression).map(|_| ()).expect_err(expression);
        assert!(error.contains(words), "{expression}: {error}");
    }
}

#[test]
fn hostile_expressions_take_linear_time() {
    let text = "a".repeat(100_000);
    for expression in ["(a*)*b", "(a|aa)+$b", "(?:a?){50}a{50}b", "(x+x+)+y|a*a*a*a*b"] {
        assert!(!pattern(expression).is_match(&text), "{expression}");
    }
}
