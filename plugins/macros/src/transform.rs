//! `#[transform]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericParam, ItemFn, Pat, Result, ReturnType, Type};

use crate::lifetimes::replaced;
use crate::types;

pub fn expand(arguments: TokenStream, function: &ItemFn) -> Result<TokenStream> {
    let rest = rest(arguments)?;
    let signature = Signature::parse(function)?;
    let (visibility, name) = (&function.vis, &function.sig.ident);
    let plugin = format_ident!("{}Plugin", camel_case(&name.unraw().to_string()));
    let plugin_name = name.unraw().to_string();
    let about = format!("The plugin `{plugin_name}`, as the host sees it.");

    let Signature { columns, state, answer } = signature;
    let (state_type, open_state, give_state) = match &state {
        Some(State { ty, mutable }) => {
            let give = if *mutable { quote!(&mut self.0) } else { quote!(&self.0) };
            (quote!(#ty), quote!(::logsmith_plugin::macros::parse_config::<#ty>(config)?), give)
        }
        None => (
            quote!(::logsmith_plugin::macros::NoState),
            quote!(::logsmith_plugin::macros::no_config(config)?),
            quote!(),
        ),
    };
    let names: Vec<_> = columns.iter().map(|column| column.name.unraw().to_string()).collect();
    let types: Vec<_> = columns.iter().map(|column| replaced(&column.ty, "'_")).collect();
    // Of names that the author's own may be like, too.
    let local = |name: &str| Ident::new(name, Span::mixed_site());
    let [batch, rows, row] = ["batch", "rows", "row"].map(local);
    let numbered = |name: &str| (0..columns.len()).map(|index| local(&format!("{name}_{index}"))).collect();
    let (readers, values): (Vec<_>, Vec<_>) = (numbered("reader"), numbered("value"));
    let checks = names.iter().zip(&types).map(|(name, ty)| {
        quote_spanned!(ty.span()=> ::logsmith_plugin::macros::check_input::<#ty>(#name, input)?;)
    });
    let opened_readers = readers.iter().zip(&types).enumerate().map(|(index, (reader, ty))| {
        quote_spanned!(ty.span()=> let #reader = ::logsmith_plugin::macros::reader::<#ty>(&#batch.columns, #index)?;)
    });
    let read = readers.iter().zip(&types).map(|(reader, ty)| {
        quote_spanned!(ty.span()=> <#ty as ::logsmith_plugin::macros::Argument<'_>>::get(&#reader, #row as usize))
    });
    let absent = names.iter().map(|name| format!("column `{name}` has no value"));
    // What is wrong with the answer is told where the answer's type stands.
    let mut called = name.clone();
    called.set_span(answer.span());
    let written = quote_spanned!(answer.span()=>
        <<#answer as ::logsmith_plugin::Outcome>::Record as ::logsmith_plugin::Record>::Columns);
    let settle = quote_spanned!(answer.span()=>
        ::logsmith_plugin::Outcome::settle(#called(#(#values,)* #give_state), #row, &mut #rows););

    // Nothing is imported: the types of the function must find what its author has imported.
    Ok(quote! {
        #function

        #[doc = #about]
        #visibility struct #plugin(#state_type);

        const _: () = {
            impl ::logsmith_plugin::Transform for #plugin {
                fn open(
                    config: &str,
                    input: &[::logsmith_plugin::Field],
                ) -> ::std::result::Result<(Self, ::logsmith_plugin::Plan), ::logsmith_plugin::Fault> {
                    let plugin = Self(#open_state);
                    #(#checks)*
                    let plan = ::logsmith_plugin::Plan {
                        name: #plugin_name,
                        version: ::std::env!("CARGO_PKG_VERSION"),
                        reads: ::std::vec![#(::std::string::String::from(#names)),*],
                        writes: <#written as ::logsmith_plugin::Columns>::fields(),
                        rest: ::logsmith_plugin::Rest::#rest,
                    };
                    ::std::result::Result::Ok((plugin, plan))
                }

                fn apply(
                    &mut self,
                    #batch: ::logsmith_plugin::Batch,
                ) -> ::std::result::Result<::logsmith_plugin::Output, ::logsmith_plugin::Fault> {
                    let mut #rows = ::logsmith_plugin::Rows::<#written>::with_capacity(
                        #batch.rows as usize,
                        #batch.text_bytes(),
                    );
                    #(#opened_readers)*
                    for #row in 0..#batch.rows {
                        #(
                            let ::std::option::Option::Some(#values) = #read else {
                                #rows.reject(#row, ::logsmith_plugin::Reject::new(#absent));
                                continue;
                            };
                        )*
                        #settle
                    }
                    ::std::result::Result::Ok(#rows.finish())
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
        check_is_plain(&function.sig)?;
        let ReturnType::Type(_, answer) = &function.sig.output else {
            return Err(Error::new_spanned(
                &function.sig,
                "a transform returns what becomes of the row: write a record behind it, as in `-> Result<Row<'_>, Reject>`",
            ));
        };
        let mut signature = Self { columns: Vec::new(), state: None, answer: replaced(answer, "'static") };
        for argument in &function.sig.inputs {
            if signature.state.is_some() {
                return Err(Error::new_spanned(
                    argument,
                    "columns stand before the plugin's own settings: make those the last argument",
                ));
            }
            signature.take(argument)?;
        }
        if signature.columns.is_empty() {
            return Err(Error::new_spanned(
                &function.sig,
                "a transform reads a column: give it an argument, such as `line: &str`",
            ));
        }
        Ok(signature)
    }

    fn take(&mut self, argument: &FnArg) -> Result<()> {
        let FnArg::Typed(argument) = argument else {
            return Err(Error::new_spanned(
                argument,
                "a transform is a plain function: `self` is the host's",
            ));
        };
        if let Some(state) = state(&argument.ty)? {
            self.state = Some(state);
            return Ok(());
        }
        let Pat::Ident(name) = &*argument.pat else {
            return Err(Error::new_spanned(
                &argument.pat,
                "an argument's name is the name of its column: write one, and take it apart in the function",
            ));
        };
        types::check(&argument.ty)?;
        self.columns.push(Column { name: name.ident.clone(), ty: (*argument.ty).clone() });
        Ok(())
    }
}

fn check_is_plain(signature: &syn::Signature) -> Result<()> {
    if let Some(word) = &signature.asyncness {
        return Err(Error::new_spanned(word, "a transform has nothing to wait for: remove `async`"));
    }
    let type_parameter = |parameter: &&GenericParam| !matches!(parameter, GenericParam::Lifetime(_));
    match signature.generics.params.iter().find(type_parameter) {
        Some(parameter) => {
            let reason =
                "a transform has lifetimes, but no other parameters: write the type that the column has";
            Err(Error::new_spanned(parameter, reason))
        }
        None => Ok(()),
    }
}

/// A reference to anything but `str` and `[u8]` is to the plugin's own settings.
fn state(ty: &Type) -> Result<Option<State>> {
    let Type::Reference(reference) = ty else { return Ok(None) };
    let last = match &*reference.elem {
        Type::Slice(_) => return Ok(None),
        Type::Path(path) if path.path.is_ident("str") => return Ok(None),
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    };
    match last.as_deref() {
        Some("String") => Err(Error::new_spanned(ty, "a column of text is read as `&str`")),
        Some("Vec") => Err(Error::new_spanned(
            ty,
            "a column of bytes is read as `&[u8]`, and one of maps as `Pairs<'_>`",
        )),
        Some("Option") => Err(Error::new_spanned(
            ty,
            "a value that may be missing is read as an `Option` itself: remove the `&`",
        )),
        _ => {
            let ty = (*reference.elem).clone();
            Ok(Some(State { ty, mutable: reference.mutability.is_some() }))
        }
    }
}

fn rest(arguments: TokenStream) -> Result<Ident> {
    if arguments.is_empty() {
        return Ok(format_ident!("Keep"));
    }
    match syn::parse2::<Ident>(arguments.clone()) {
        Ok(ident) if ident == "discard" => Ok(format_ident!("Discard")),
        _ => Err(Error::new_spanned(
            arguments,
            "there is `#[transform]`, and `#[transform(discard)]` where the columns that are not written end",
        )),
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
