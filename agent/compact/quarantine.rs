//! Objects that must not be folded, kept beside the landing with the reason.
//!
//! A move is a copy first, the reason second; the original is deleted with the consumed objects, after the
//! commit that passes it. Killed in between, the next pass does the same again.

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use super::object::OBJECT_BYTES_MAX;
use super::validate::Refusal;
use super::{CompactError, Quarantined};
use crate::clock::Timestamp;
use crate::store::{Place, StoreError};
use crate::sync::landing::LANDING;
use crate::table::Digest;

/// The folder, below the central URL, that holds refused objects.
pub(super) const QUARANTINE: &str = "quarantine";

/// What follows an object's name in that of its reason.
pub(super) const REASON: &str = ".reason.json";

/// Where the copy of the object at `location` lies in quarantine: below that folder, and as a whole.
fn copy_of<'a>(place: &Place, location: &'a Path) -> Result<(&'a str, Path), CompactError> {
    let landing = place.object(LANDING);
    let Some(rest) = location.as_ref().strip_prefix(landing.as_ref()) else {
        return Err(CompactError::Moved { object: location.to_string() });
    };
    let to = Path::parse(format!("{}{rest}", place.object(QUARANTINE)))
        .map_err(|e| StoreError::Address { url: place.url().to_string(), reason: e.to_string() })?;
    Ok((rest, to))
}

/// Whether the object at `location` has the bytes that its name promises, and its copy in quarantine has not: it was
/// damaged when it came first.
///
/// # Errors
/// The store failed.
pub(super) async fn mends(place: &Place, location: &Path, digest: &str) -> Result<bool, CompactError> {
    let (_, copy) = copy_of(place, location)?;
    Ok(!is_whole(place, &copy, digest).await? && is_whole(place, location, digest).await?)
}

async fn is_whole(place: &Place, location: &Path, digest: &str) -> Result<bool, CompactError> {
    let failed = |source| StoreError::Request { operation: "read", url: location.to_string(), source };
    let object = match place.store().get(location).await {
        Ok(object) if object.meta.size <= OBJECT_BYTES_MAX => object,
        Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(false),
        Err(source) => return Err(failed(source).into()),
    };
    let bytes = object.bytes().await.map_err(failed)?;
    Ok(Digest::of(&bytes).to_string() == digest)
}

/// Copies the object at `location` into quarantine, with a `.reason.json` beside it.
///
/// # Errors
/// [`CompactError::Moved`] where the object is gone; or the store failed.
pub(super) async fn keep(
    place: &Place,
    location: &Path,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<Quarantined, CompactError> {
    let (rest, to) = copy_of(place, location)?;
    match place.store().copy(location, &to).await {
        Ok(()) => {}
        Err(object_store::Error::NotFound { .. }) => {
            return Err(CompactError::Moved { object: location.to_string() });
        }
        Err(source) => {
            let url = format!("{}{QUARANTINE}{rest}", place.url());
            return Err(StoreError::Request { operation: "write", url, source }.into());
        }
    }
    let object = format!("{LANDING}{rest}");
    let reason = json!({
        "object": object,
        "kind": refusal.kind(),
        "reason": refusal.to_string(),
        "at": now.to_string(),
    });
    let name = format!("{QUARANTINE}{rest}{REASON}");
    // A reason that is there already is that of an earlier try.
    let _ = place.put_new(&name, Bytes::from(reason.to_string())).await?;
    tracing::warn!(object, reason = %refusal, "object put into quarantine");
    Ok(Quarantined { object, kind: refusal.kind(), reason: refusal.to_string() })
}
