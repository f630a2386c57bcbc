//! Types that no column has, known by their names: the compiler would say the same in many more words.

use syn::{Error, GenericArgument, PathArguments, Result, Type};

/// # Errors
/// The type, or what an `Option` of it holds, is one that no column has; and which type to write.
pub fn check(ty: &Type) -> Result<()> {
    let Type::Path(path) = ty else { return Ok(()) };
    let Some(last) = path.path.segments.last() else { return Ok(()) };
    if let (PathArguments::AngleBracketed(arguments), "Option") =
        (&last.arguments, last.ident.to_string().as_str())
        && let Some(GenericArgument::Type(inner)) = arguments.args.first()
    {
        return check(inner);
    }
    let instead = match path.path.get_ident().map(ToString::to_string).as_deref() {
        Some("u8" | "u16" | "i8" | "i16") => "`i32`",
        Some("u32" | "u64" | "u128" | "usize" | "i128" | "isize") => {
            "`i64`, or text where numbers are larger"
        }
        Some("f32") => "`f64`",
        Some("char") => "`&str` or `String`",
        _ => return Ok(()),
    };
    Err(Error::new_spanned(ty, format!("no column is of this type: write {instead}")))
}
