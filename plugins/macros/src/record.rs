//! `#[derive(Record)]`.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, FieldsNamed, GenericParam, Result, Type};

use crate::attributes::{Member, Name, Place};

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let members = members(input)?;
    let name = &input.ident;
    let columns = format_ident!("{name}Columns");
    let (generics_impl, generics_type, generics_where) = input.generics.split_for_impl();
    let kept: Vec<&Member> =
        members.iter().filter(|member| !matches!(member.place, Place::Entry { .. })).collect();
    let idents: Vec<_> = kept.iter().map(|member| &member.ident).collect();
    let types = kept.iter().map(|member| column_type(member));
    let fields = kept.iter().map(|member| fields(member));
    let capacities = kept.iter().map(|member| match member.place {
        Place::Flattened => quote!(::logsmith_plugin::Columns::with_capacity(rows, text_bytes)),
        _ => quote!(::logsmith_plugin::macros::BuildColumn::with_capacity(rows, text_bytes)),
    });
    let finishes = kept.iter().map(|Member { ident, place, .. }| match place {
        Place::Flattened => quote!(::std::iter::Extend::extend(&mut finished, ::logsmith_plugin::Columns::finish(self.#ident));),
        _ => quote!(::std::vec::Vec::push(&mut finished, ::logsmith_plugin::macros::BuildColumn::finish_column(self.#ident));),
    });
    let pushes = kept.iter().map(|member| push(member, &members));
    let count = idents.len();
    // Nothing is imported, and methods are named with their type: what the author has imported must find itself.
    Ok(quote! {
        const _: () = {
            #[doc(hidden)]
            pub struct #columns {
                #(#idents: #types,)*
            }

            impl ::logsmith_plugin::Columns for #columns {
                fn fields() -> ::std::vec::Vec<::logsmith_plugin::Field> {
                    let mut fields = ::std::vec::Vec::with_capacity(#count);
                    #(#fields)*
                    fields
                }

                fn with_capacity(rows: usize, text_bytes: usize) -> Self {
                    Self { #(#idents: #capacities,)* }
                }

                fn finish(self) -> ::std::vec::Vec<::logsmith_plugin::Column> {
                    let mut finished = ::std::vec::Vec::with_capacity(#count);
                    #(#finishes)*
                    finished
                }
            }

            impl #generics_impl ::logsmith_plugin::Record for #name #generics_type #generics_where {
                type Columns = #columns;

                #[inline(always)]
                fn push(self, columns: &mut #columns) {
                    #(#pushes)*
                }
            }
        };
    })
}

/// What takes the values of a field.
fn column_type(Member { ty, place, .. }: &Member) -> TokenStream {
    match place {
        Place::Flattened => quote_spanned!(ty.span()=> <#ty as ::logsmith_plugin::Record>::Columns),
        _ => quote_spanned!(ty.span()=> <#ty as ::logsmith_plugin::macros::Value>::Column),
    }
}

/// Appends to `fields` what a field of the record adds.
fn fields(member: &Member) -> TokenStream {
    let column = column_type(member);
    match &member.place {
        Place::Column(Name { text, .. }) => quote! {
            ::std::vec::Vec::push(&mut fields, ::logsmith_plugin::Field {
                name: ::std::string::String::from(#text),
                kind: <#column as ::logsmith_plugin::macros::BuildColumn>::KIND,
                nullable: <#column as ::logsmith_plugin::macros::BuildColumn>::NULLABLE,
            });
        },
        _ => {
            quote!(::std::iter::Extend::extend(&mut fields, <#column as ::logsmith_plugin::Columns>::fields());)
        }
    }
}

/// Appends a field's value, behind the entries that others have in its map.
fn push(Member { ident, place, ty }: &Member, members: &[Member]) -> TokenStream {
    if let Place::Flattened = place {
        return quote_spanned!(ty.span()=> ::logsmith_plugin::Record::push(self.#ident, &mut columns.#ident););
    }
    let entries = members.iter().filter_map(|Member { ident: value, ty, place }| match place {
        Place::Entry { map, key: Name { text, .. } } if ident.unraw() == map.text => {
            Some(quote_spanned! {ty.span()=>
                ::logsmith_plugin::macros::Entry::push_entry(self.#value, #text, &mut columns.#ident);
            })
        }
        _ => None,
    });
    quote_spanned! {ty.span()=>
        #(#entries)*
        ::logsmith_plugin::macros::Value::push(self.#ident, &mut columns.#ident);
    }
}

/// The fields of the record, checked against each other.
fn members(input: &DeriveInput) -> Result<Vec<Member>> {
    let fields = named_fields(input)?.named.iter();
    let members: Vec<Member> =
        fields.filter_map(|field| Member::parse(field).transpose()).collect::<Result<_>>()?;
    let mut columns = BTreeMap::new();
    for member in &members {
        match &member.place {
            Place::Column(Name { text, span }) => {
                if let Some(other) = columns.insert(text.to_lowercase(), text) {
                    let reason = format!(
                        "there is a column `{other}` already, and capitals make no difference: give one of them another \
                         name with `#[record(rename = \"..\")]`"
                    );
                    return Err(Error::new(*span, reason));
                }
            }
            Place::Entry { map, .. } => check_map(map, &members)?,
            Place::Flattened => {}
        }
    }
    Ok(members)
}

fn check_map(map: &Name, members: &[Member]) -> Result<()> {
    let Name { text, span } = map;
    let wrong = |reason: String| Err(Error::new(*span, reason));
    match members.iter().find(|member| member.is_map(map)) {
        None => wrong(format!(
            "this record has no field `{text}`: add one for the map, as in `{text}: BTreeMap<String, String>`"
        )),
        Some(Member { ty: Type::Path(path), .. })
            if path.path.segments.last().is_some_and(|segment| segment.ident == "Option") =>
        {
            wrong(format!("`{text}` takes this entry, and so is always there: remove its `Option`"))
        }
        Some(_) => Ok(()),
    }
}

fn named_fields(input: &DeriveInput) -> Result<&FieldsNamed> {
    let type_parameter = |parameter: &&GenericParam| !matches!(parameter, GenericParam::Lifetime(_));
    if let Some(parameter) = input.generics.params.iter().find(type_parameter) {
        let reason = "a record has lifetimes, but no other parameters: write the type that its column has";
        return Err(Error::new_spanned(parameter, reason));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => Ok(fields),
            _ => Err(Error::new_spanned(
                &input.ident,
                "a record has named fields, which are its columns: write `struct Row { name: String }`",
            )),
        },
        _ => Err(Error::new_spanned(
            &input.ident,
            "a record is a struct: write one with a field for each column, `Option` where rows differ",
        )),
    }
}
