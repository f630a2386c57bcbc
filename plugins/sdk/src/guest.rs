//! The component: types of the SDK to and from those that the WIT generates, and the exports.

use std::cell::RefCell;
use std::sync::Once;
use std::thread::LocalKey;

use crate::column::{self, Batch, Column, Field, Kind, Maps, Output, Plan, Rest, Strings, Values};
use crate::host::Level;
use crate::transform::Transform;

#[expect(missing_docs, reason = "generated from the WIT, where the documentation is")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0",
        world: "plugin",
        runtime_path: "::logsmith_plugin::wit_bindgen::rt",
        pub_export_macro: true,
        default_bindings_module: "::logsmith_plugin::guest::bindings",
    });
}

use bindings::exports::logsmith::transform::transform as wit;
use bindings::logsmith::transform::host;

pub use wit::Guest;

/// The instance that `open` made.
pub type Slot<T> = LocalKey<RefCell<Option<T>>>;

/// `open` of the WIT.
pub fn open<T: Transform>(
    slot: &'static Slot<T>,
    config: &str,
    input: Vec<wit::Field>,
) -> Result<wit::Plan, wit::Fault> {
    static PANICS: Once = Once::new();
    PANICS.call_once(|| std::panic::set_hook(Box::new(|info| log(Level::Error, &info.to_string()))));
    let input: Vec<Field> = input.into_iter().map(Field::from).collect();
    let (transform, plan) = T::open(config, &input)?;
    slot.replace(Some(transform));
    Ok(plan.into())
}

/// `apply` of the WIT.
pub fn apply<T: Transform>(slot: &'static Slot<T>, batch: wit::Batch) -> Result<wit::Output, wit::Fault> {
    slot.with_borrow_mut(|transform| match transform {
        Some(transform) => Ok(transform.apply(batch.into())?.into()),
        None => Err(wit::Fault::Other("`apply` was called before `open`".into())),
    })
}

/// `log` of the WIT.
pub fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    host::log(level, message);
}

/// `count` of the WIT.
pub fn count(name: &str, by: u64) {
    host::count(name, by);
}

macro_rules! same_variants {
    ($($variant:ident),*) => {
        impl From<wit::Kind> for Kind {
            fn from(kind: wit::Kind) -> Self {
                match kind {
                    $(wit::Kind::$variant => Self::$variant,)*
                }
            }
        }

        impl From<Kind> for wit::Kind {
            fn from(kind: Kind) -> Self {
                match kind {
                    $(Kind::$variant => Self::$variant,)*
                }
            }
        }

        impl From<wit::Values> for Values {
            fn from(values: wit::Values) -> Self {
                match values {
                    $(wit::Values::$variant(values) => Self::$variant(values.into()),)*
                }
            }
        }

        impl From<Values> for wit::Values {
            fn from(values: Values) -> Self {
                match values {
                    $(Values::$variant(values) => Self::$variant(values.into()),)*
                }
            }
        }
    };
}

same_variants!(Boolean, Int32, Int64, Float64, Date32, TimestampUs, Utf8, Binary, StringMap);

impl From<wit::Strings> for Strings {
    fn from(wit::Strings { offsets, data }: wit::Strings) -> Self {
        Self { offsets, data }
    }
}

impl From<Strings> for wit::Strings {
    fn from(Strings { offsets, data }: Strings) -> Self {
        Self { offsets, data }
    }
}

impl From<wit::Entries> for Maps {
    fn from(maps: wit::Entries) -> Self {
        let wit::Entries { offsets, keys, entry_values, entry_validity } = maps;
        Self { offsets, keys: keys.into(), values: entry_values.into(), validity: entry_validity }
    }
}

impl From<Maps> for wit::Entries {
    fn from(Maps { offsets, keys, values, validity }: Maps) -> Self {
        Self { offsets, keys: keys.into(), entry_values: values.into(), entry_validity: validity }
    }
}

impl From<wit::Field> for Field {
    fn from(wit::Field { name, kind, nullable }: wit::Field) -> Self {
        Self { name, kind: kind.into(), nullable }
    }
}

impl From<Plan> for wit::Plan {
    fn from(plan: Plan) -> Self {
        let field = |Field { name, kind, nullable }| wit::Field { name, kind: Kind::into(kind), nullable };
        Self {
            name: plan.name.into(),
            version: plan.version.into(),
            reads: plan.reads,
            writes: plan.writes.into_iter().map(field).collect(),
            rest: match plan.rest {
                Rest::Keep => wit::Rest::Keep,
                Rest::Discard => wit::Rest::Discard,
            },
        }
    }
}

impl From<column::Fault> for wit::Fault {
    fn from(fault: column::Fault) -> Self {
        match fault {
            column::Fault::Config(text) => Self::Config(text),
            column::Fault::Input(text) => Self::Input(text),
            column::Fault::Other(text) => Self::Other(text),
        }
    }
}

impl From<wit::Batch> for Batch {
    fn from(wit::Batch { rows, columns }: wit::Batch) -> Self {
        let column =
            |wit::Column { values, validity }| Column { values: wit::Values::into(values), validity };
        Self { rows, columns: columns.into_iter().map(column).collect() }
    }
}

impl From<Output> for wit::Output {
    fn from(Output { columns, source_rows, dropped, rejects }: Output) -> Self {
        let column = |Column { values, validity }| wit::Column { values: Values::into(values), validity };
        let reject = |column::RejectedRow { row, reason }| wit::Reject { row, reason };
        Self {
            columns: columns.into_iter().map(column).collect(),
            source_rows,
            dropped,
            rejects: rejects.into_iter().map(reject).collect(),
        }
    }
}

/// Makes a [`Transform`] the plugin of this component.
#[doc(hidden)]
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        const _: () = {
            ::std::thread_local! {
                static SLOT: ::std::cell::RefCell<::std::option::Option<$plugin>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            struct Exported;

            use $crate::guest::bindings::exports::logsmith::transform::transform as wit;

            impl wit::Guest for Exported {
                fn open(
                    config: ::std::string::String,
                    input: ::std::vec::Vec<wit::Field>,
                ) -> ::std::result::Result<wit::Plan, wit::Fault> {
                    $crate::guest::open(&SLOT, &config, input)
                }

                fn apply(batch: wit::Batch) -> ::std::result::Result<wit::Output, wit::Fault> {
                    $crate::guest::apply(&SLOT, batch)
                }
            }

    $crate::guest::bindings::export!(Exported with_types_in $crate::guest::bindings);
        };
    };
}
