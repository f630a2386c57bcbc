//! `#[derive(Record)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, FieldsNamed, GenericParam, Result};

use crate::lifetimes::replaced;

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let name = &input.ident;
    let columns = format_ident!("{name}Columns");
    let (generics_impl, generics_type, generics_where) = input.generics.split_for_impl();
    let idents: Vec<_> = fields.named.iter().filter_map(|field| field.ident.as_ref()).collect();
    let names: Vec<_> = idents.iter().map(|ident| ident.unraw().to_string()).collect();
    let types: Vec<_> = fields.named.iter().map(|field| replaced(&field.ty, "'static")).collect();
    Ok(quote! {
        const _: () = {
            use ::logsmith_plugin::macros::{BuildColumn, Value};

            #[doc(hidden)]
            pub struct #columns {
                #(#idents: <#types as Value>::Column,)*
            }

            impl ::logsmith_plugin::Columns for #columns {
                fn fields() -> ::std::vec::Vec<::logsmith_plugin::Field> {
                    ::std::vec![#(::logsmith_plugin::Field {
                        name: ::std::string::String::from(#names),
                        kind: <<#types as Value>::Column as BuildColumn>::KIND,
                        nullable: <<#types as Value>::Column as BuildColumn>::NULLABLE,
                    },)*]
                }

                fn with_capacity(rows: usize, text_bytes: usize) -> Self {
                    Self { #(#idents: BuildColumn::with_capacity(rows, text_bytes),)* }
                }

                fn finish(self) -> ::std::vec::Vec<::logsmith_plugin::Column> {
                    ::std::vec![#(BuildColumn::finish_column(self.#idents),)*]
                }
            }

            impl #generics_impl ::logsmith_plugin::Record for #name #generics_type #generics_where {
                type Columns = #columns;

                #[inline(always)]
                fn push(self, columns: &mut #columns) {
                    #(Value::push(self.#idents, &mut columns.#idents);)*
                }
            }
        };
    })
}

fn named_fields(input: &DeriveInput) -> Result<&FieldsNamed> {
    let type_parameter = |parameter: &&GenericParam| !matches!(parameter, GenericParam::Lifetime(_));
    if let Some(parameter) = input.generics.params.iter().find(type_parameter) {
        return Err(Error::new_spanned(parameter, "a record has lifetimes, but no other parameters"));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => Ok(fields),
            _ => Err(Error::new_spanned(&input.ident, "a record has named fields: they are its columns")),
        },
        _ => Err(Error::new_spanned(&input.ident, "a record is a struct")),
    }
}
