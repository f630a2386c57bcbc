//! `#[transform]`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Error, FnArg, ItemFn, Pat, Result, ReturnType, Type};

use crate::lifetimes::replaced;

pub fn expand(arguments: TokenStream, function: &ItemFn) -> Result<TokenStream> {
    let rest = rest(arguments)?;
    let signature = Signature::parse(function)?;
    let (visibility, name) = (&function.vis, &function.sig.ident);
    let plugin = format_ident!("{}Plugin", camel_case(&name.unraw().to_string()));
    let plugin_name = name.unraw().to_string();
    let about = format!("The plugin `{plugin_name}`, as the host sees it.");

    let Signature { columns, state, answer } = signature;
    let (state_type, open_state, give_state) = match &state {
        Some(State { ty, mutable: true }) => {
            (quote!(#ty), quote!(::logsmith_plugin::macros::parse_config(config)?), quote!(&mut self.0))
        }
        Some(State { ty, mutable: false }) => {
            (quote!(#ty), quote!(::logsmith_plugin::macros::parse_config(config)?), quote!(&self.0))
        }
        None => (
            quote!(::logsmith_plugin::macros::NoState),
            quote!(::logsmith_plugin::macros::no_config(config)?),
            quote!(),
        ),
    };
    let names: Vec<_> = columns.iter().map(|column| column.name.unraw().to_string()).collect();
    let values: Vec<_> = (0..columns.len()).map(|index| format_ident!("value_{index}")).collect();
    let types: Vec<_> = columns.iter().map(|column| replaced(&column.ty, "'_")).collect();
    let readers: Vec<_> = (0..columns.len()).map(|index| format_ident!("reader_{index}")).collect();
    let indices = 0..columns.len();
    let absent = names.iter().map(|name| format!("column `{name}` has no value"));

    Ok(quote! {
        #function

        #[doc = #about]
        #visibility struct #plugin(#state_type);

        const _: () = {
            // Nothing is imported: the types of the function must find what its author has imported.
            type Written =
                <<#answer as ::logsmith_plugin::Outcome>::Record as ::logsmith_plugin::Record>::Columns;

            impl ::logsmith_plugin::Transform for #plugin {
                fn open(
                    config: &str,
                    input: &[::logsmith_plugin::Field],
                ) -> ::std::result::Result<(Self, ::logsmith_plugin::Plan), ::logsmith_plugin::Fault> {
                    let plugin = Self(#open_state);
                    #(::logsmith_plugin::macros::check_input::<#types>(#names, input)?;)*
                    let plan = ::logsmith_plugin::Plan {
                        name: #plugin_name,
                        version: ::std::env!("CARGO_PKG_VERSION"),
                        reads: ::std::vec![#(::std::string::String::from(#names)),*],
                        writes: <Written as ::logsmith_plugin::Columns>::fields(),
                        rest: ::logsmith_plugin::Rest::#rest,
                    };
                    ::std::result::Result::Ok((plugin, plan))
                }

                fn apply(
                    &mut self,
                    batch: ::logsmith_plugin::Batch,
                ) -> ::std::result::Result<::logsmith_plugin::Output, ::logsmith_plugin::Fault> {
                    let text_bytes = batch.text_bytes();
                    let mut rows =
                        ::logsmith_plugin::Rows::<Written>::with_capacity(batch.rows as usize, text_bytes);
                    #(let #readers = ::logsmith_plugin::macros::reader::<#types>(&batch.columns, #indices)?;)*
                    for row in 0..batch.rows {
                        #(
                            let ::std::option::Option::Some(#values) =
                                <#types as ::logsmith_plugin::macros::Argument<'_>>::get(&#readers, row as usize)
                            else {
                                rows.reject(row, ::logsmith_plugin::Reject::new(#absent));
                                continue;
                            };
                        )*
                        ::logsmith_plugin::Outcome::settle(#name(#(#values,)* #give_state), row, &mut rows);
                    }
                    ::std::result::Result::Ok(rows.finish())
                }
            }
        };

        ::logsmith_plugin::export!(#plugin);
    })
}

struct Column {
    name: Ident,
    ty: Type,
}

struct State {
    ty: Type,
    mutable: bool,
}

struct Signature {
    columns: Vec<Column>,
    state: Option<State>,
    answer: Type,
}

impl Signature {
    fn parse(function: &ItemFn) -> Result<Self> {
        let ReturnType::Type(_, answer) = &function.sig.output else {
            return Err(Error::new_spanned(
                &function.sig,
                "a transform returns a record, or a `Result` of one",
            ));
        };
        let mut signature = Self { columns: Vec::new(), state: None, answer: replaced(answer, "'static") };
        for argument in &function.sig.inputs {
            if signature.state.is_some() {
                return Err(Error::new_spanned(argument, "the plugin's own settings are the last argument"));
            }
            signature.take(argument)?;
        }
        if signature.columns.is_empty() {
            return Err(Error::new_spanned(
                &function.sig,
                "a transform reads a column, such as `line: &str`",
            ));
        }
        Ok(signature)
    }

    fn take(&mut self, argument: &FnArg) -> Result<()> {
        let FnArg::Typed(argument) = argument else {
            return Err(Error::new_spanned(argument, "a transform is a plain function"));
        };
        if let Some(state) = state(&argument.ty) {
            self.state = Some(state);
            return Ok(());
        }
        let Pat::Ident(name) = &*argument.pat else {
            return Err(Error::new_spanned(&argument.pat, "an argument's name is the name of its column"));
        };
        self.columns.push(Column { name: name.ident.clone(), ty: (*argument.ty).clone() });
        Ok(())
    }
}

/// A reference to anything but `str` and `[u8]` is to the plugin's own settings.
fn state(ty: &Type) -> Option<State> {
    let Type::Reference(reference) = ty else { return None };
    match &*reference.elem {
        Type::Slice(_) => None,
        Type::Path(path) if path.path.is_ident("str") => None,
        ty => Some(State { ty: ty.clone(), mutable: reference.mutability.is_some() }),
    }
}

fn rest(arguments: TokenStream) -> Result<Ident> {
    if arguments.is_empty() {
        return Ok(format_ident!("Keep"));
    }
    match syn::parse2::<Ident>(arguments.clone()) {
        Ok(ident) if ident == "discard" => Ok(format_ident!("Discard")),
        _ => Err(Error::new_spanned(arguments, "the only argument is `discard`")),
    }
}

fn camel_case(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}
