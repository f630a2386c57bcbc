//! Types written in one place and used in another, where their lifetimes have no name.

use syn::visit_mut::{VisitMut, visit_type_reference_mut};
use syn::{Lifetime, Type, TypeReference};

struct Replace(Lifetime);

impl VisitMut for Replace {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        *lifetime = self.0.clone();
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime.get_or_insert_with(|| self.0.clone());
        visit_type_reference_mut(self, reference);
    }
}

/// The type with `lifetime` (`'static` or `'_`) in place of each of its own, written or left out.
pub fn replaced(ty: &Type, lifetime: &str) -> Type {
    let mut ty = ty.clone();
    Replace(Lifetime::new(lifetime, proc_macro2::Span::call_site())).visit_type_mut(&mut ty);
    ty
}
