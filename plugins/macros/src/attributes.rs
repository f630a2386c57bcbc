//! `#[record(..)]` on a field: where its value goes.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Error, Field, Ident, LitStr, Result, Type};

use crate::lifetimes::replaced;
use crate::types;

/// A field of a record, and where its value goes.
pub struct Member {
    pub ident: Ident,
    /// With `'static` in place of its lifetimes.
    pub ty: Type,
    pub place: Place,
}

/// Where the value of a field goes.
pub enum Place {
    /// Into a column of this name.
    Column(Name),
    /// Its type is a record: into the columns of that one.
    Flattened,
    /// Into the map that this field has, under this key.
    Entry { map: Name, key: Name },
}

/// A name, and where it is written.
pub struct Name {
    pub text: String,
    pub span: Span,
}

impl Member {
    /// # Errors
    /// The attributes are none of these, or contradict each other.
    pub fn parse(field: &Field) -> Result<Option<Self>> {
        let Some(ident) = field.ident.clone() else { return Ok(None) };
        let (mut rename, mut into, mut flatten) = (None, None, None);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("record")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    set(&mut rename, &meta.path, Name::literal(&meta.value()?.parse()?)?)
                } else if meta.path.is_ident("into") {
                    set(&mut into, &meta.path, Name::literal(&meta.value()?.parse()?)?)
                } else if meta.path.is_ident("flatten") {
                    set(&mut flatten, &meta.path, ())
                } else {
                    Err(meta.error("a field has `rename = \"column\"`, `flatten` or `into = \"map\"`"))
                }
            })?;
        }
        let is_renamed = rename.is_some();
        let name = rename.unwrap_or_else(|| Name { text: ident.unraw().to_string(), span: ident.span() });
        let place = match (flatten, into) {
            (None, None) => Place::Column(name),
            (None, Some(map)) => Place::Entry { map, key: name },
            (Some(()), None) if !is_renamed => Place::Flattened,
            (Some(()), _) => {
                return Err(Error::new(
                    ident.span(),
                    "a flattened field has no name and no map of its own: remove `flatten`, or the rest",
                ));
            }
        };
        if let Place::Column(_) = place {
            types::check(&field.ty)?;
        }
        Ok(Some(Self { ident, ty: replaced(&field.ty, "'static"), place }))
    }

    /// Whether this field has the map of that name.
    pub fn is_map(&self, map: &Name) -> bool {
        self.ident.unraw() == map.text && matches!(self.place, Place::Column(_))
    }
}

impl Name {
    fn literal(literal: &LitStr) -> Result<Self> {
        let (text, span) = (literal.value(), literal.span());
        if text.is_empty() {
            return Err(Error::new(span, "a name has letters: write the one that the table is to show"));
        }
        Ok(Self { text, span })
    }
}

fn set<T>(place: &mut Option<T>, path: &syn::Path, value: T) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new_spanned(path, "this is said twice: keep one of them")),
    }
}
