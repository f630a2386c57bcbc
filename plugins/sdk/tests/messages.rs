//! What the compiler says where a plugin is not written as it must be: it points at the author's own code, and says what
//! to write. Each file below `messages` has its errors beside it; `TRYBUILD=overwrite` writes them anew.

#[test]
fn errors_point_at_the_authors_code_and_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/messages/*.rs");
}
