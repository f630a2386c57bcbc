//! The macros of `logsmith-plugin`, which documents them.

mod attributes;
mod lifetimes;
mod record;
mod transform;
mod types;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemFn, parse_macro_input};

/// Makes a struct with named fields a record: each field is a column of the same name.
///
/// - `#[record(rename = "type")]` gives the column another name.
/// - `#[record(flatten)]` puts the columns of a field that is a record itself among those of this one.
/// - `#[record(into = "fields")]` makes the field no column, but an entry of the map that the field `fields` has.
#[proc_macro_derive(Record, attributes(record))]
pub fn derive_record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    record::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a function the transform of its plugin. The plugin has the function's name and the crate's version.
///
/// The columns that the function does not write are carried along; `#[transform(discard)]` ends them here.
/// Beside the function stands a type, `AccessPlugin` for `fn access`, that is the plugin as the host sees it.
#[proc_macro_attribute]
pub fn transform(arguments: TokenStream, input: TokenStream) -> TokenStream {
    let function = parse_macro_input!(input as ItemFn);
    let refused = |error: syn::Error| {
        // The function stays, so that what else is wrong with it is told, and what uses it is not.
        let error = error.into_compile_error();
        quote::quote!(#function #error)
    };
    transform::expand(arguments.into(), &function).unwrap_or_else(refused).into()
}
